"""Code of the project that changes the database of a live system, by its words and variables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from supervisor.effects.programs.invocation import base_name
from supervisor.effects.programs.sets import names
from supervisor.effects.programs.shapes import operate_effect
from supervisor.effects.reading import Where, Word
from supervisor.model import Effect

_PART = re.compile(r"[a-z]+")
_MIGRATES = names("migrate migration migrations migrator")
_OF_A_DATABASE = names(
    "rollback reset drop seed seeds setup load purge push upgrade downgrade sync up down restore"
)
_REVISES = names("alembic flask superset aerich")  # `upgrade` and `downgrade` are theirs alone
_LOOKS = names(
    "status version dry plan check pretend show showmigrations list history current test"
)
_LIVE = names("prod production staging live")

_ENVIRONMENT = re.compile(r"(?:[A-Z]+_)*(?:ENV|ENVIRONMENT|STAGE)|DJANGO_SETTINGS_MODULE")
_SAID = re.compile(r"(?:--?[\w-]+=|[A-Z_]+=)?(?:prod|production|staging|live)", re.IGNORECASE)
_ADDRESS = re.compile(
    r"(?:[A-Z]+_)*(?:DATABASE|DB|POSTGRES|POSTGRESQL|PG|MYSQL|MONGO|MONGODB|FLYWAY|TYPEORM|GOOSE)"
    r"_?(?:URL|URI|DSN|DBSTRING|HOST)"
)
_HERE = re.compile(r"(?:localhost|127(?:\.\d+){3}|::1|0\.0\.0\.0)?", re.IGNORECASE)


def live_change(words: Sequence[Word], where: Where) -> Effect | None:
    """The operation on a live database that code of the project does when run as `words`.

    It migrates one, or does the like, and its words or variables name a live environment or the
    address of another machine; an address that is only known when it runs counts as one. None:
    nothing says so.
    """
    if not _migrates(words):
        return None
    target = next((word.text for word in words[1:] if _SAID.fullmatch(word.text)), "")
    for name, value in where.variables.items():
        if _ENVIRONMENT.fullmatch(name) and _LIVE & set(_PART.findall(value.casefold())):
            target = target or value
    if not target and not remote_address(where):
        return None
    return operate_effect("database", "migrate", "change", target)


def _migrates(words: Sequence[Word]) -> bool:
    found: set[str] = set()
    for word in words:
        if word.text.startswith("-") and word.text not in {"--dry-run", "--plan", "--pretend"}:
            continue
        parts = set(_PART.findall(base_name(word.text).casefold()))
        if parts & _LOOKS:
            return False
        found |= parts
    program = base_name(words[0].text)
    return bool(
        found & _MIGRATES
        or ("db" in found and found & _OF_A_DATABASE)
        or (program in _REVISES and found & {"upgrade", "downgrade"})
    )


def database_addresses(where: Where) -> list[Word]:
    """Addresses of databases that variables give, each a URL or the name of a host."""
    found = [Word(value) for name, value in where.variables.items() if _ADDRESS.fullmatch(name)]
    return found + [Word("", exact=False) for name in where.vague if _ADDRESS.fullmatch(name)]


def remote_address(where: Where) -> bool:
    """Whether variables give the address of a database on another machine, or an unknown one."""
    addresses = database_addresses(where)
    return any(not address.exact or not _is_here(address.text) for address in addresses)


def _is_here(address: str) -> bool:
    if "://" not in address and "=" in address:  # `host=… dbname=…`
        host = dict(re.findall(r"(\w+)\s*=\s*'?([^'\s]*)", address)).get("host", "")
        return host.startswith("/") or _HERE.fullmatch(host) is not None
    if "://" not in address:
        return address.startswith("/") or _HERE.fullmatch(address) is not None
    try:
        parts = urlsplit(address.removeprefix("jdbc:"))
        return (
            parts.scheme.startswith("sqlite") or _HERE.fullmatch(parts.hostname or "") is not None
        )
    except ValueError:
        return False
