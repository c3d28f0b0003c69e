"""Steps of a change: a file as it was and as it will be, a credential that is added."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.errors import ConfigError, UsageError
from supervisor.safefiles import DIRECTORY, open_plain, scratch

_LARGEST = 1024 * 1024  # bytes of a file we would change: those with settings are far smaller


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold what the file holds
class Before:
    """A file as it was. `times`: of its last access and change, ns."""

    content: bytes
    mode: int
    uid: int
    gid: int
    times: tuple[int, int]

    def __repr__(self) -> str:
        return "Before(…)"


@dataclass(frozen=True, slots=True)
class FileStep:
    """One file that is changed.

    Attributes:
        before: None where there was no file.
        after: digest of what it holds afterwards ("sha256:<hex>"), "" where it is removed.
    """

    path: str
    before: Before | None
    after: str


@dataclass(frozen=True, slots=True)
class CredentialStep:
    """One credential that is added; undoing removes it."""

    name: str


Step = FileStep | CredentialStep


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def file_step(path: str, after: bytes | None) -> FileStep:
    """The step of a file that is about to hold `after` (None: to be removed).

    Raises:
        UsageError: it is a link, no regular file, known by several names, or too large: what
            could not be put back is not changed.
    """
    if not os.path.isabs(path):
        raise ValueError(f"{path} is relative")
    return FileStep(path, look(path), "" if after is None else digest(after))


def put(path: str, content: bytes, like: Before | None, *, times: bool = False) -> None:
    """Write a file whole or not at all, with owner and mode `like` the one that was there.

    Args:
        times: give it the times of `like` too.

    Raises:
        ConfigError: it cannot be written; the old one is as it was.
    """
    folder, name = os.path.split(path)
    try:
        parent = os.open(folder, DIRECTORY | os.O_CLOEXEC)
        try:
            with _scratch_file(parent, name, content) as descriptor:
                if like is not None:
                    if os.geteuid() == 0 or (like.uid, like.gid) != _owner(descriptor):
                        os.fchown(descriptor, like.uid, like.gid)
                    os.fchmod(descriptor, like.mode)
                    if times:
                        os.utime(descriptor, ns=like.times)
            os.fsync(parent)
        finally:
            os.close(parent)
    except OSError as error:
        raise ConfigError(
            f"Cannot write {path}: {error.strerror}.", hint="Check the directory and the disk."
        ) from error


@contextlib.contextmanager
def _scratch_file(parent: int, name: str, content: bytes) -> Iterator[int]:
    """A descriptor of a new file that takes `name`'s place when the block ends well."""
    with contextlib.ExitStack() as undoing:
        made = undoing.enter_context(scratch(parent, name, new=False))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(made, flags, 0o600, dir_fd=parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            yield descriptor
            os.fsync(descriptor)


def _owner(descriptor: int) -> tuple[int, int]:
    info = os.fstat(descriptor)
    return info.st_uid, info.st_gid


def look(path: str) -> Before | None:
    try:
        with open_plain(path) as file:
            info = os.fstat(file.fileno())
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(
            f"{path} is left as it is: it is a link, no ordinary file, or cannot be read "
            f"({error.strerror}).",
            hint="Name the file itself.",
        ) from None
    if info.st_nlink > 1:
        raise UsageError(
            f"{path} is left as it is: it has another name too, which would keep the old content.",
            hint="Remove the other hard link first.",
        )
    if len(content) > _LARGEST:
        raise UsageError(f"{path} is larger than {_LARGEST} bytes; it is left as it is.")
    times = (info.st_atime_ns, info.st_mtime_ns)
    return Before(content, stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid, times)


def copied(step: FileStep, folder: str, number: int) -> str:
    path = os.path.join(folder, f"{os.path.basename(step.path)}.before-{number}")
    if os.path.lexists(path):
        raise ConfigError(f"{path} is there already.", hint="Name another directory.")
    assert step.before is not None
    put(path, step.before.content, None)
    return path


def remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"Cannot remove {path}: {error.strerror}.") from error


def frozen(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [
        {"credential": step.name}
        if isinstance(step, CredentialStep)
        else {"path": step.path, "after": step.after, "before": _frozen_file(step.before)}
        for step in steps
    ]


def _frozen_file(before: Before | None) -> dict[str, Any] | None:
    if before is None:
        return None
    return {
        "content": base64.b64encode(before.content).decode(),
        "mode": before.mode,
        "uid": before.uid,
        "gid": before.gid,
        "times": list(before.times),
    }


def thawed(frozen: list[dict[str, Any]]) -> list[Step]:
    return [
        CredentialStep(step["credential"])
        if "credential" in step
        else FileStep(step["path"], _thawed_file(step["before"]), step["after"])
        for step in frozen
    ]


def _thawed_file(frozen: dict[str, Any] | None) -> Before | None:
    if frozen is None:
        return None
    accessed, changed = frozen["times"]
    return Before(
        base64.b64decode(frozen["content"]),
        frozen["mode"],
        frozen["uid"],
        frozen["gid"],
        (accessed, changed),
    )
