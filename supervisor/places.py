"""Where our files lie, as plain strings, and how new ones are made: what starts every command.

XDG Base Directory Specification, on macOS too. Apart, and without any import that Python has not
made already, because every `taskpass run` waits for it: pathlib alone is 3 ms.
"""

from __future__ import annotations

import os


def config() -> str:
    return _base("XDG_CONFIG_HOME", ".config")


def state() -> str:
    return _base("XDG_STATE_HOME", ".local/state")


def cache() -> str:
    return _base("XDG_CACHE_HOME", ".cache")


def runtime() -> str:
    given = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    if not os.access(given, os.W_OK):
        given = f"/tmp/runtime-{os.geteuid()}"  # noqa: S108 - paths.private_dir checks it
    return os.path.join(given, "taskpass")


def socket() -> str:
    return f"{runtime()}/supervisor.sock"


def install_key() -> str:
    return f"{state()}/install.key"


def setup_markers() -> tuple[str, str]:
    """Files that are there once the person has answered the first run's question, and once they
    were told of it where nothing could be asked."""
    folder = state()
    return f"{folder}/setup", f"{folder}/setup-told"


def umask() -> int:
    """This process's own file mode creation mask; umask(2) tells it only when setting one."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def environment() -> dict[str, str]:
    """This process's, without what is no text and so cannot be told to the supervisor."""
    kept = {}
    for name, value in os.environ.items():
        try:
            f"{name}={value}".encode()
        except UnicodeEncodeError:
            continue
        kept[name] = value
    return kept


def _base(variable: str, default: str) -> str:
    """The specification: a relative path in the variable is ignored."""
    named = os.environ.get(variable, "")
    if not named.startswith("/"):
        named = os.path.join(os.path.expanduser("~"), default)
    return os.path.join(named, "taskpass")
