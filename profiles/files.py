"""Generated files of a launch, and questions about the file system that profiles share."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from supervisor.errors import ConfigError, LaunchFailed
from supervisor.ports import Mount


def write_private(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Create `path` (and its folder, 0700) with these contents; it must not exist yet.

    Raises:
        LaunchFailed: it exists, or cannot be written.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # O_EXCL: a file or link that somebody put there is not ours to write through.
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            os.fchmod(fd, mode)
            file.write(text)
    except OSError as error:
        raise LaunchFailed(
            f"Cannot write {path}: {error.strerror}.", hint="Free the disk, or clear the task."
        ) from error


def tool_shell(hidden: Iterable[str]) -> str:
    """A shell for an agent's tools: bash, without these variables (the agent's own log-ins)."""
    names = " ".join(hidden)
    return f'#!/bin/sh\nunset {names}\nSHELL=/bin/bash\nexport SHELL\nexec /bin/bash "$@"\n'


def write_hook(path: Path) -> None:
    """The script that posts the inputs of command hooks. Raises LaunchFailed."""
    write_private(path, Path(__file__).with_name("hook.sh").read_text("utf-8"))


def own_limit(timeout: int) -> int:
    """Seconds a hook gives itself: it ends before the agent's timeout, which lets the call run."""
    return max(1, timeout - min(5, timeout // 4))


def hook_command(script: str, hook_url: str, event: str, timeout: int) -> str:
    """The command of one hook, for a shell of the agent's choice.

    That shell is replaced: some shells (dash) would stay, and the hook be one process further
    from the agent than its announcement may come from.
    """
    return "exec " + shlex.join(["/bin/sh", script, f"{hook_url}/{event}", str(timeout)])


def private_folder(path: Path) -> None:
    """Create `path` and what is missing above it, each 0700; it must not exist yet.

    Raises:
        LaunchFailed: it exists, or cannot be made.
    """
    try:
        for folder in reversed(path.parents):
            folder.mkdir(mode=0o700, exist_ok=True)
        path.mkdir(mode=0o700)
    except OSError as error:
        raise LaunchFailed(
            f"Cannot create {path}: {error.strerror}.", hint="Free the disk, or clear the task."
        ) from error


def link(at: Path, target: str) -> None:
    """A link to something of the person's; what is missing above it is made.

    Raises:
        LaunchFailed: it exists, or cannot be made.
    """
    try:
        at.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        at.symlink_to(target)
    except OSError as error:
        raise LaunchFailed(
            f"Cannot create {at}: {error.strerror}.", hint="Free the disk, or clear the task."
        ) from error


def read_settings(file: Path, agent: str) -> dict[str, Any]:
    """An agent's settings, JSON; {} where there are none. Comments may stand on lines of their own.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
        found: Any = json.loads(
            "\n".join(line for line in lines if not line.lstrip().startswith("//")) or "{}"
        )
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot use {file}: {error}.", hint=f"Correct the file; {agent} itself needs it too."
        ) from error
    if not isinstance(found, dict):
        raise ConfigError(f"{file} is not a JSON object.", hint="Correct the file.")
    return found


def read_option(value: str, cwd: str, option: str, *, needs: str = "") -> dict[str, Any]:
    """What an option's value says: JSON text of an object, or a file of that.

    Args:
        needs: a key that has to hold a table.

    Raises:
        ConfigError: it cannot be used.
    """
    try:
        if not value:
            raise ValueError("it has no value")
        text = value if value.lstrip().startswith("{") else Path(cwd, value).read_text("utf-8")
        said = json.loads(text)
        if not isinstance(said, dict) or (needs and not isinstance(said.get(needs), dict)):
            raise ValueError(f"no {needs} in it" if needs else "it is not an object")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{option} {value[:60]}: it cannot be used ({error}).",
            hint="Correct it, or leave it out.",
        ) from error
    return said


def picked(file: Path, keys: Iterable[str]) -> dict[str, Any]:
    """Those keys of a settings file, JSON; what cannot be read has none."""
    try:
        found = read_settings(file, "the agent")
    except ConfigError:
        return {}
    return {key: found[key] for key in keys if key in found}


def existing(home: str, names: Iterable[str], *, writable: bool) -> list[Mount]:
    """Mounts for those paths below the home that exist."""
    paths = (os.path.join(home, name) for name in names)
    return [Mount(path, writable) for path in paths if os.path.lexists(path)]


def install_dir(executable: str, home: str) -> Mount:
    """What must be visible for a program to start: its folder, or only itself.

    A program that lies directly in the home, or in a folder of mixed contents such as `/`,
    brings only itself.
    """
    folder = os.path.dirname(executable)
    if folder in {home, "/", os.path.dirname(home)}:
        return Mount(executable)
    return Mount(folder)


def host_port(url: str) -> str:
    """`host:port` of an HTTP URL, "" if it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.hostname}:{port}" if parts.hostname and port else ""


def package_version(executable: str) -> str:
    """The version of the npm package that a program came in, "" where it came in none."""
    for folder in Path(os.path.realpath(executable)).parents[:3]:
        try:
            return str(json.loads((folder / "package.json").read_text("utf-8"))["version"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return ""
