"""The person's configuration, `config.toml`: trusted, and small.

    preset = "standard"

    [approvals]
    timeout = 300            # seconds until no answer means no
    hold = 300               # seconds a hook waits for the answer before it hands out a ticket

    [notify]
    desktop = true           # by notify-send, where there is one
    webhook = "https://hooks.example/taskpass"   # is told of what waits, never asked
    webhook_key = "cmd://pass show webhook-key"  # what signs it; cmd://, op:// or vault://

    [network]
    extra_roots = "~/corp-ca.pem"             # PEM, beside the system's roots
    allow_private = ["gitlab.corp:443"]       # loopback and private services tasks may reach
    splice = ["db.corp:6432"]                 # tunnels that pass unread: judged as connections
    proxy = "http://proxy.corp:3128"          # instead of HTTPS_PROXY, HTTP_PROXY; "none": direct
    no_proxy = [".corp", "10.0.0.0/8"]        # with it, instead of NO_PROXY
    http2 = ["grpc.corp:443"]                 # hosts that speak HTTP/2 only
    loopback = ["5432"]      # ports of this machine's loopback that contained tasks may reach

    [limits]                                  # of each task, where a cgroup is delegated
    memory = "4G"
    cpus = 2.0
    processes = 500                           # threads counted

    [containment]
    mode = "standard"                         # or "strict", "off"
    show = ["~/.config/tool", ".env"]         # let be read, though it lies outside or is a secret
    write = ["~/.cache/pip"]                  # let be written
    deny_read = ["secrets/**", "~/notes"]     # kept from every task; wins over the two above
    x11 = false                               # let in the socket of the screen,
    wayland = false
    dbus = false                              # of the session's bus
    overlay = false                           # true: work on overlays, `taskpass changes`
    tier = "B"                                # use no better one

    [recording]
    always = false           # true: keep what every task's terminal shows, sealed

    [ci]                                      # for `taskpass exec`
    audience = "taskpass"                     # whom a job's OIDC token must be for
    issuer = "https://gitlab.corp"            # of a CI system of your own
    jobs = ["gitlab:22"]                      # repositories whose jobs are taken; without: all

    [screen]                                  # and [screen.keys]: read by the screen alone, see
    theme = "dark"                            # tui/settings.py

A credential's own hosts may always be reached. What a project says can only tighten this. In mode
"strict" nothing is let in by this file.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from supervisor.errors import ConfigError, UsageError
from supervisor.loopback import listed_port
from supervisor.sizes import bytes_of
from supervisor.tomlfile import place, read


@dataclass(frozen=True, slots=True)
class Config:
    """See the module's text."""

    preset: str = "standard"
    approval_timeout: float = 300.0
    approval_hold: float = 300.0
    extra_roots: str = ""
    allow_private: tuple[str, ...] = ()
    splice: tuple[str, ...] = ()
    proxy: str = ""
    no_proxy: tuple[str, ...] = ()
    http2: tuple[str, ...] = ()
    loopback: tuple[int, ...] = ()
    memory: int = 0  # bytes; 0 here and below: any
    cpus: float = 0.0
    processes: int = 0
    contain: str = "standard"
    show: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    deny_read: tuple[str, ...] = ()
    x11: bool = False
    wayland: bool = False
    dbus: bool = False
    overlay: bool = False  # every task works on an overlay, to be reviewed
    tier: str = ""  # "" for the best to be had
    record: bool = False  # what every task's terminal shows is kept
    ci_audience: str = "taskpass"
    ci_issuer: str = ""  # "" for each CI system's own
    ci_jobs: tuple[str, ...] = ()  # repositories whose jobs are taken, "SYSTEM:ID"; none: all
    notify_desktop: bool = True
    webhook: str = ""  # its key is looked up at `webhook_key`
    webhook_key: str = ""


# (table, key) → (attribute of Config, kind)
_KEYS: dict[tuple[str, str], tuple[str, str]] = {
    ("", "preset"): ("preset", "text"),
    ("approvals", "timeout"): ("approval_timeout", "seconds"),
    ("approvals", "hold"): ("approval_hold", "seconds"),
    ("notify", "desktop"): ("notify_desktop", "switch"),
    ("notify", "webhook"): ("webhook", "webhook"),
    ("notify", "webhook_key"): ("webhook_key", "reference"),
    ("network", "extra_roots"): ("extra_roots", "path"),
    ("network", "allow_private"): ("allow_private", "texts"),
    ("network", "splice"): ("splice", "targets"),
    ("network", "proxy"): ("proxy", "proxy"),
    ("network", "no_proxy"): ("no_proxy", "texts"),
    ("network", "http2"): ("http2", "targets"),
    ("network", "loopback"): ("loopback", "ports"),
    ("limits", "memory"): ("memory", "size"),
    ("limits", "cpus"): ("cpus", "share"),
    ("limits", "processes"): ("processes", "count"),
    ("containment", "mode"): ("contain", "mode"),
    ("containment", "show"): ("show", "texts"),
    ("containment", "write"): ("write", "texts"),
    ("containment", "deny_read"): ("deny_read", "texts"),
    ("containment", "x11"): ("x11", "switch"),
    ("containment", "wayland"): ("wayland", "switch"),
    ("containment", "dbus"): ("dbus", "switch"),
    ("containment", "overlay"): ("overlay", "switch"),
    ("containment", "tier"): ("tier", "tier"),
    ("recording", "always"): ("record", "switch"),
    ("ci", "audience"): ("ci_audience", "text"),
    ("ci", "issuer"): ("ci_issuer", "https"),
    ("ci", "jobs"): ("ci_jobs", "texts"),
}
_CHOICES = {"mode": ("off", "standard", "strict"), "tier": ("A", "B", "uncontained")}
_MAX_SECONDS = 24 * 3600


def load_user_config(path: Path) -> Config:
    """The configuration at `path`; the defaults when there is no such file.

    Raises:
        ConfigError: it cannot be read or used; the message names file, line and column.
    """
    text, tables = read(path)
    tables.pop("screen", None)  # the screen's own: tui/settings.py
    found: dict[str, Any] = {}
    for table, key, value in _entries(tables):
        name = f"{table}.{key}" if table else key
        if (table, key) not in _KEYS:
            known = ", ".join(f"{t}.{k}" if t else k for t, k in _KEYS)
            raise ConfigError(
                f"{path}:{place(text, table, key)}: there is no setting {name!r}.",
                hint=f"There are: {known}.",
            )
        attribute, kind = _KEYS[table, key]
        try:
            found[attribute] = _checked(kind, value)
        except ValueError as error:
            raise ConfigError(
                f"{path}:{place(text, table, key)}: {name} {error}.", hint="Correct the value."
            ) from None
    if bool(found.get("webhook")) != bool(found.get("webhook_key")):
        raise ConfigError(
            f"{path}: notify.webhook and notify.webhook_key go together: each message is signed.",
            hint='Name where the key is looked up: webhook_key = "cmd://pass show webhook-key".',
        )
    return Config(**found)


def _entries(tables: dict[str, Any]) -> list[tuple[str, str, Any]]:
    flat: list[tuple[str, str, Any]] = []
    for key, value in tables.items():
        if isinstance(value, dict):
            flat += [(key, inner, content) for inner, content in value.items()] or [(key, "", None)]
        else:
            flat.append(("", key, value))
    return flat


def _checked(kind: str, value: object) -> object:
    if kind == "seconds":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("must be a number of seconds")
        if not 0 < value <= _MAX_SECONDS:
            raise ValueError(f"must be more than 0 and at most {_MAX_SECONDS} seconds")
        return float(value)
    if kind == "texts":
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("must be a list of texts")
        return tuple(value)
    if kind == "targets":
        return _targets(value)
    if kind == "https":
        if not isinstance(value, str) or not value.startswith("https://") or value.endswith("/"):
            raise ValueError("must be an https address without a slash at its end")
        return value
    if kind == "switch":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value
    if kind in ("share", "count"):
        return _number(kind, value)
    if kind == "size":
        try:
            return bytes_of(str(value))
        except UsageError as error:
            raise ValueError(f"is not usable: {error}") from None
    if kind in _CHOICES and value not in _CHOICES[kind]:
        raise ValueError(f"must be one of {', '.join(_CHOICES[kind])}")
    if kind == "ports":
        if not isinstance(value, list) or not all(isinstance(item, str | int) for item in value):
            raise ValueError('must be a list of ports, such as ["5432"]')
        try:
            return tuple(listed_port(str(item)) for item in value)
        except UsageError as error:
            raise ValueError(f"is not usable: {error.message}") from None
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text")
    if kind == "proxy":
        from supervisor.channels.http.upstream import from_url  # rarely needed

        try:
            from_url("this", value)
        except UsageError as error:
            raise ValueError(f"is not usable: {error.message}") from None
    if kind == "webhook" and not _private_way(value):
        raise ValueError("must be an https:// address without a password in it")
    if kind == "reference":
        _reference(value)
    if kind == "path":
        path = os.path.expanduser(value)
        if not os.path.isfile(path):
            raise ValueError(f"names {path}, which is not a file")
        return path
    return value


def _private_way(url: str) -> bool:
    """Whether nobody on the way reads along: TLS, or this very machine."""
    try:
        parts = urlsplit(url)
        known = bool(parts.hostname) and parts.username is None and (parts.port or 1) > 0
    except ValueError:
        return False
    here = parts.hostname in ("localhost", "127.0.0.1", "::1")
    return known and (parts.scheme == "https" or (parts.scheme == "http" and here))


def _reference(value: str) -> None:
    from supervisor.vault.references import parse  # rarely needed

    try:
        argv = parse(value).argv
    except UsageError:
        argv = ()
    if not argv:  # it may be the key itself: that is not repeated
        raise ValueError("must say where it is looked up: cmd://, op:// or vault://")


def _targets(value: object) -> tuple[str, ...]:
    """`host:port`s as the proxy names them: lower case, a port of each."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('must be a list of hosts with their ports, such as ["db.corp:6432"]')
    for item in value:
        host, colon, port = item.rpartition(":")
        if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ValueError(f'names {item!r}, which is no host with its port ("db.corp:6432")')
    return tuple(item.lower() for item in value)


def _number(kind: str, value: object) -> object:
    """Processors, or a count."""
    if isinstance(value, bool) or not isinstance(value, int if kind == "count" else int | float):
        raise ValueError("must be a number")
    if not 0 < value < 1e9:
        raise ValueError("must be above 0")
    return value if kind == "count" else float(value)
