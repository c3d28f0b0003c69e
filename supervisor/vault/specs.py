"""What is known about credentials besides their secrets: `credentials.toml`, plain text."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from supervisor.errors import ConfigError, UsageError
from supervisor.model import CredentialSpec
from supervisor.paths import replace_file

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENV = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")  # token, RFC 9110 section 5.6.2
_HOST = re.compile(r"[a-z0-9._-]{1,253}(:[0-9]{1,5})?|\[[0-9a-f:.]{2,45}\](:[0-9]{1,5})?")

_TYPES: dict[str, type | tuple[type, ...]] = {
    "hosts": list,
    "ttl": (int, float),
    "created": (int, float),
    "options": dict,
}


def check(spec: CredentialSpec) -> None:
    """Refuse a spec that would be misread later.

    Raises:
        UsageError: name, variable, header, scheme, host or lifetime is not usable.
    """
    if not _NAME.fullmatch(spec.name):
        raise UsageError(
            f"{spec.name!r} is not a name for a credential.",
            hint="Use up to 64 letters, digits, dots, dashes and underscores.",
        )
    if not spec.hosts:
        raise UsageError(
            f"{spec.name} is bound to no host.", hint="Name at least one, as api.example.com."
        )
    for host in spec.hosts:
        if not _HOST.fullmatch(host):
            raise UsageError(
                f"{host!r} is not a host.",
                hint="Write it in lower case, without a scheme: api.example.com or "
                "api.example.com:8443.",
            )
    if spec.env and not _ENV.fullmatch(spec.env):
        raise UsageError(f"{spec.env!r} is not the name of an environment variable.")
    if not _HEADER.fullmatch(spec.header):
        raise UsageError(f"{spec.header!r} is not the name of a header.")
    if spec.scheme and not _HEADER.fullmatch(spec.scheme):
        raise UsageError(f"{spec.scheme!r} is not an authentication scheme.")
    if not 0 < spec.ttl <= 3600:
        raise UsageError("The lifetime must be between 1 second and 1 hour.")


def load(path: Path) -> dict[str, CredentialSpec]:
    """All specs by name; none where there is no file.

    Raises:
        ConfigError: the file cannot be used; says file, line and column where there is one.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} cannot be used: {error}.", hint="Correct it, or remove it and start again."
        ) from error
    return {name: _spec(path, name, table) for name, table in tables.items()}


def save(path: Path, specs: Mapping[str, CredentialSpec]) -> None:
    """Write all specs. Raises ConfigError; the old file is then as it was."""
    import tomli_w

    tables = {name: _table(spec) for name, spec in sorted(specs.items())}
    replace_file(path, tomli_w.dumps(tables).encode())


def _spec(path: Path, name: str, table: Any) -> CredentialSpec:
    def wrong(what: str) -> ConfigError:
        return ConfigError(
            f"{path}: [{name}] {what}.", hint="Correct it, or remove the table and add it again."
        )

    if not isinstance(table, dict):
        raise wrong("is not a table")
    known = {field.name for field in fields(CredentialSpec)} - {"name"}
    for key, value in table.items():
        if key not in known:
            raise wrong(f"has an unknown key {key!r}")
        if not isinstance(value, _TYPES.get(key, str)):
            raise wrong(f"has a {key!r} of the wrong type")
    for items in (table.get("hosts", []), table.get("options", {}).values()):
        if not all(isinstance(item, str) for item in items):
            raise wrong("has a list or table that holds more than text")
    if "issuer" not in table or "hosts" not in table:
        raise wrong("needs issuer and hosts")
    spec = CredentialSpec(name=name, **{**table, "hosts": tuple(table["hosts"])})
    try:
        check(spec)
    except UsageError as error:
        raise wrong(f"cannot be used: {error.message}") from error
    return spec


def _table(spec: CredentialSpec) -> dict[str, Any]:
    return {
        "issuer": spec.issuer,
        "hosts": list(spec.hosts),
        "env": spec.env,
        "header": spec.header,
        "scheme": spec.scheme,
        "ttl": spec.ttl,
        "created": spec.created,
        "options": dict(spec.options),
        "protection": spec.protection,
    }
