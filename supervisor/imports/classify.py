"""What a variable of a `.env` is: a credential for an HTTP API, what stays, or unknown."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from supervisor.vault.limits import LONGEST, SHORTEST
from supervisor.vault.surrogate import PREFIXES

# A name that says so, whatever the value; one that may say so; a value that looks drawn by lot.
_SURE = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|APIKEY)(_|$)|(^|_)(PASS|PWD)(_|$)")
_MAYBE = re.compile(r"(^|_)(KEY|CREDENTIALS?|PAT|AUTH|DSN)(_|$)")
_DRAWN = re.compile(r"(?=[^0-9]*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_\-+/=.]{20,}")
_ORDINARY = re.compile(
    r"(?i)true|false|yes|no|on|off|none|null|auto|default|enabled|disabled"
    r"|dev|development|prod|production|staging|test|testing|local|debug|info|warn|warning|error"
    r"|[0-9][0-9.,:_]*(ms|s|m|h|d|kb|mb|gb)?|(\.{0,2}|~)/[\w./~-]*"
)
_EXAMPLE = re.compile(
    r"(?i)^<.*>$|^\.\.\.$|^x{4,}$|change.?me|placeholder|example|your[-_ ]"
    r"|^(sk|pk|ghp)[-_.]*x+$|^\*+$"
)
_LIKELY = 16  # characters from which a value under a provider's name is taken for its key


@dataclass(frozen=True, slots=True)
class Provider:
    """Whose credential something is, and how it is sent."""

    name: str
    hosts: tuple[str, ...]
    header: str = "authorization"
    scheme: str = "Bearer"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a value.

    Attributes:
        why: in words.
        provider: where it can move to the vault; None: it stays.
        secret: whether it is one, as far as can be seen.
        asks: it would move, if somebody said for which host it is.
    """

    why: str
    provider: Provider | None = None
    secret: bool = False
    asks: bool = False


@dataclass(frozen=True, slots=True)
class _Known:
    provider: Provider
    begins: tuple[str, ...]
    called: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Stays:
    why: str
    secret: bool
    begins: tuple[str, ...]
    named: re.Pattern[str]


def classify(name: str, value: str, hosts: Sequence[str] = ()) -> Verdict:
    """`hosts`: where the person says that it is good."""
    if hosts:
        known = _by_beginning(value) or _by_name(name)
        if known is not None and set(hosts) <= set(known.hosts):
            return Verdict(f"{known.name}, as you said", known, secret=True)
        return Verdict("as you said", Provider("", tuple(hosts)), secret=True)
    if not value:
        return Verdict("empty")
    if _EXAMPLE.search(value):
        return Verdict("an example, not a secret")
    found = _by_beginning(value)
    if found is not None:
        return Verdict(f"begins as {found.name}'s do", found, secret=True)
    for stays in _stays():
        if value.startswith(stays.begins) or stays.named.search(name.upper()):
            secret = stays.secret and (
                value.startswith(stays.begins) or _secret_by(name, value) or _drawn(value)
            )
            return Verdict(stays.why if secret or not stays.secret else "an ordinary value",
                           secret=secret)  # fmt: skip
    if "://" in value:
        return _address(value)
    found = _by_name(name)
    if found is not None and len(value) >= _LIKELY:
        return Verdict(f"named as {found.name}'s are", found, secret=True)
    if "$" in value:
        return Verdict("made of other variables")
    if _secret_by(name, value) or value.startswith(PREFIXES) or _drawn(value):
        return Verdict("which host is it for?", secret=True, asks=True)
    return Verdict("an ordinary value")


def tokens_in(text: str) -> bool:
    """Whether a comment holds something that begins as a known secret does."""
    words = re.split(r"[\s\"'`=:;,()<>#]+", text)
    return any(len(word) >= _LIKELY + 4 and _by_beginning(word) for word in words)


def _by_beginning(value: str) -> Provider | None:
    found = [
        (len(start), known.provider)
        for known in _known()
        for start in known.begins
        if value.startswith(start) and SHORTEST <= len(value) - len(start) <= LONGEST
    ]
    return max(found, key=lambda each: each[0])[1] if found else None


def _by_name(name: str) -> Provider | None:
    bare = name.upper()
    return next((known.provider for known in _known() if bare in known.called), None)


def _address(value: str) -> Verdict:
    try:
        parts = urlsplit(value)
        host, password = parts.hostname or "", parts.password
    except ValueError:
        return Verdict("an address that cannot be read", secret=True)
    if host == "hooks.slack.com" or (host == "discord.com" and "/webhooks/" in parts.path):
        return Verdict("its secret stands in the path, where nothing is swapped", secret=True)
    if password:
        named = host if host.isascii() and host.isprintable() else ""
        where = "a local service" if _local(host) else named or "a service"
        return Verdict(f"an address with a password, of {where}: {parts.scheme}", secret=True)
    if _local(host):
        return Verdict("a local address")
    if parts.username and "ingest" in host:
        return Verdict("an address for reports, made to be public")
    return Verdict("an address")


def _local(host: str) -> bool:
    if (
        host == "localhost"
        or "." not in host.strip("[]")
        or host.endswith((".local", ".localhost"))
    ):
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _secret_by(name: str, value: str) -> bool:
    """Whether the name says that this is a secret, and the value does not say that it is none."""
    if _ORDINARY.fullmatch(value):
        return False
    bare = name.upper()
    return bool(_SURE.search(bare)) or (len(value) >= SHORTEST and bool(_MAYBE.search(bare)))


def _drawn(value: str) -> bool:
    return _DRAWN.fullmatch(value) is not None and not _ORDINARY.fullmatch(value)


@cache
def _tables() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((resources.files("supervisor.imports") / "known.toml").read_text("utf-8"))


@cache
def _known() -> tuple[_Known, ...]:
    return tuple(
        _Known(
            Provider(
                table["name"],
                tuple(table["hosts"]),
                table.get("header", "authorization"),
                table.get("scheme", "Bearer"),
            ),
            tuple(table.get("begins", ())),
            frozenset(name.upper() for name in table["called"]),
        )
        for table in _tables()["provider"]
    )


@cache
def _stays() -> tuple[_Stays, ...]:
    return tuple(
        _Stays(table["why"], table["secret"], tuple(table["begins"]), re.compile(table["named"]))
        for table in _tables()["stays"]
    )
