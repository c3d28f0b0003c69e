"""Where our files live: XDG on Linux and macOS, every directory ours alone (0700)."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from supervisor import places
from supervisor.errors import ConfigError, LaunchFailed

# sun_path holds 108 bytes on Linux, 104 on macOS, with the final NUL.
_SOCKET_LIMIT = 100
_MADE = "made-directories"  # in the state: what is removed again by who leaves


@dataclass(frozen=True, slots=True)
class Paths:
    """All directories of one user's install."""

    config: Path  # config.toml, policy/: trusted, written by the person
    state: Path  # ledger, install key, vault
    runtime: Path  # sockets, one directory per task
    cache: Path

    @property
    def socket(self) -> Path:
        return self.runtime / "supervisor.sock"

    @property
    def lock(self) -> Path:
        return self.runtime / "supervisor.lock"

    @property
    def install_key(self) -> Path:
        return self.state / "install.key"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.db"

    @property
    def incidents(self) -> Path:
        """Spool for what a client saw and could not tell the daemon."""
        return self.state / "incidents"

    def task(self, task: str) -> Path:
        return self.runtime / "tasks" / task

    def all(self) -> tuple[Path, ...]:
        return (self.config, self.state, self.runtime, self.cache)


def private_dir(path: Path) -> Path:
    """Make `path` (and parents) if missing; refuse one that others own or can enter.

    Raises:
        LaunchFailed: it is a link, belongs to somebody else, or cannot be made.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = path.lstat()
    except OSError as error:
        raise LaunchFailed(
            f"Cannot create {path}: {error.strerror}.",
            hint="Free the path, or set XDG_* elsewhere.",
        ) from error
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        raise LaunchFailed(
            f"{path} is not a directory of ours.",
            hint="Remove it, or point XDG_RUNTIME_DIR at a private directory.",
        )
    if info.st_mode & 0o077:
        path.chmod(0o700)
    return path


def user_paths() -> Paths:
    """The paths of this user; every one exists and is private afterwards."""
    paths = Paths(
        config=Path(places.config()),
        state=Path(places.state()),
        runtime=Path(places.runtime()),
        cache=Path(places.cache()),
    )
    if len(os.fsencode(paths.task("t-0123456789") / "holder.sock")) > _SOCKET_LIMIT:
        raise LaunchFailed(
            f"{paths.runtime} is too long a path for a socket.",
            hint="Set XDG_RUNTIME_DIR to a shorter one.",
        )
    missing = [folder for path in paths.all() for folder in _missing_above(path)]
    for path in paths.all():
        private_dir(path)
    if missing:
        _note_made(paths, missing)
    return paths


def made_directories(paths: Paths) -> list[Path]:
    """Directories above ours that were not there before us, deepest first: for who leaves."""
    try:
        noted = (paths.state / _MADE).read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    return sorted({Path(line) for line in noted}, key=lambda path: -len(path.parts))


def _missing_above(path: Path) -> list[Path]:
    missing = []
    while not (path := path.parent).exists():
        missing.append(path)
    return missing


def _note_made(paths: Paths, folders: list[Path]) -> None:
    with contextlib.suppress(OSError), open(paths.state / _MADE, "a", opener=_private) as file:
        file.writelines(f"{folder}\n" for folder in folders)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def private_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """Content of a key file (0600, ours); made with `make()` on first use.

    The file appears whole or not at all: a crash leaves no half-written key behind.

    Raises:
        ConfigError: it is a link, belongs to somebody else, others can read it, or it cannot be
            read or written.
    """
    try:
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            _place(path, make())
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode) or info.st_uid != os.geteuid():
                raise ConfigError(
                    f"{path} is not a file of ours.", hint="Find out who put it there."
                )
            if info.st_mode & 0o077:
                raise ConfigError(
                    f"Others can read {path}.",
                    hint="Somebody may know the key in it. Remove the file and start again.",
                )
            return file.read()
    except OSError as error:
        raise ConfigError(
            f"Cannot use {path}: {error.strerror}.", hint="Check the directory and the disk."
        ) from error


def replace_file(path: Path, content: bytes) -> None:
    """Write `content` (0600) so that readers, and a crash, see the old file or the new one.

    Raises:
        ConfigError: it cannot be written; the old file is as it was.
    """
    try:
        scratch = _scratch(path, content)
        try:
            os.replace(scratch, path)
        except OSError:
            scratch.unlink()
            raise
        _sync_directory(path.parent)
    except OSError as error:
        raise ConfigError(
            f"Cannot write {path}: {error.strerror}.", hint="Check the directory and the disk."
        ) from error


def _place(path: Path, content: bytes) -> None:
    """Put `content` at `path` unless another process was first."""
    scratch = _scratch(path, content)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(scratch, path)
    finally:
        scratch.unlink()
    _sync_directory(path.parent)


def _scratch(path: Path, content: bytes) -> Path:
    """A durable file with `content` beside `path`, under a name of its own."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    fd = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(fd)
    except OSError:
        scratch.unlink()
        raise
    return scratch


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
