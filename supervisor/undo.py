"""The undo journal: what taskpass changed for the person outside its own directories, and how it
was before.

Whoever changes something makes its steps, records them, and only then changes it:

    step = file_step(path, after=new_content)
    await journal.record("moved 3 values of .env into the vault", [step, CredentialStep("stripe")])
    put(step.path, new_content, step.before)

An entry is durable before the change, so that a crash in between leaves something to undo. It is
sealed, content and all: whoever can write our files can neither read what a file held nor have it
put somewhere else. In clear stands what `taskpass undo --list` shows.

    state/undo/ID.json    {"v": 1, "head": {id, at, what, paths, credentials}, "sealed": …}
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from supervisor.errors import ConfigError, Denied, NotFound, UsageError
from supervisor.model import new_id
from supervisor.paths import private_dir, replace_file
from supervisor.safefiles import DIRECTORY, open_plain, scratch

_VERSION = 1
_LARGEST = 1024 * 1024  # bytes of a file we would change: those with settings are far smaller


class Sealer(Protocol):
    """What seals entries (`vault.FileVault`)."""

    async def seal(self, about: str, data: bytes) -> bytes: ...
    async def unseal(self, about: str, sealed: bytes) -> bytes: ...


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


@dataclass(frozen=True, slots=True)
class Entry:
    """One change that can be undone, without what was in the files.

    Attributes:
        at: POSIX seconds.
        what: in words, as the person will read it.
    """

    id: str
    at: float
    what: str
    paths: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()


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
    return FileStep(path, _look(path), "" if after is None else digest(after))


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


def _look(path: str) -> Before | None:
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


class Journal:
    """Entries in a directory of the state.

    Args:
        remove_credential: ends and forgets a credential by its name; one that is gone is fine.
    """

    def __init__(
        self,
        folder: Path,
        sealer: Sealer,
        remove_credential: Callable[[str], Awaitable[None]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._sealer = sealer
        self._remove_credential = remove_credential
        self._clock = clock
        self._undoing = asyncio.Lock()  # two at once could each put back half

    async def record(self, what: str, steps: Sequence[Step]) -> Entry:
        """Make what is about to be done undoable. Durable when it returns.

        Raises:
            VaultLocked, ConfigError: it is not; nothing may be changed.
        """
        entry = Entry(
            new_id("r", 6),
            self._clock(),
            what,
            tuple(step.path for step in steps if isinstance(step, FileStep)),
            tuple(step.name for step in steps if isinstance(step, CredentialStep)),
        )
        head = _head(entry)
        sealed = await self._sealer.seal(_about(head), json.dumps(_frozen(steps)).encode())
        content = {"v": _VERSION, "head": head, "sealed": sealed.decode()}
        replace_file(private_dir(self._folder) / f"{entry.id}.json", json.dumps(content).encode())
        return entry

    def entries(self) -> list[Entry]:
        """What can be undone, oldest first. Raises ConfigError."""
        found = [self._read(path)[0] for path in self._folder.glob("r-*.json")]
        return sorted(found, key=lambda entry: (entry.at, entry.id))

    async def undo(self, name: str = "") -> Entry:
        """Put everything back as it was before the entry `name` ("" for the last one).

        All of it or nothing: every file is looked at before the first is touched.

        Raises:
            NotFound: there is no such entry.
            Denied: a file was changed since, or removed.
            VaultLocked, ConfigError: it cannot be put back now.
        """
        async with self._undoing:
            entry, steps = await self._open(name)
            files = [step for step in steps if isinstance(step, FileStep)]
            await asyncio.to_thread(_put_back, files, entry)
            for credential in (s for s in reversed(steps) if isinstance(s, CredentialStep)):
                with contextlib.suppress(NotFound):
                    await self._remove_credential(credential.name)
            self.forget(entry.id)
            return entry

    async def copy(self, name: str, folder: str) -> list[str]:
        """Write the files of an entry as they were into a directory, to be merged by hand.

        Returns:
            Their paths there; each is private to the account.

        Raises:
            NotFound, VaultLocked, ConfigError.
        """
        _, steps = await self._open(name)
        files = [s for s in steps if isinstance(s, FileStep) and s.before is not None]
        return [_copied(step, folder, number) for number, step in enumerate(files, 1)]

    def forget(self, name: str) -> None:
        """This can be undone no more, for instance because it was."""
        (self._folder / f"{name}.json").unlink(missing_ok=True)

    async def _open(self, name: str) -> tuple[Entry, list[Step]]:
        known = {entry.id: entry for entry in self.entries()}
        if not known:
            raise NotFound("There is nothing to undo.")
        wanted = name or list(known)[-1]
        if wanted not in known:
            raise NotFound(
                f"There is no change {name!r} to undo.", hint="See `taskpass undo --list`."
            )
        entry, sealed = self._read(self._folder / f"{wanted}.json")
        opened = await self._sealer.unseal(_about(_head(entry)), sealed)
        return entry, _thawed(json.loads(opened))

    def _read(self, path: Path) -> tuple[Entry, bytes]:
        try:
            content = json.loads(path.read_bytes())
            if content["v"] != _VERSION:
                raise ValueError("unknown format")
            head = content["head"]
            entry = Entry(
                str(head["id"]),
                float(head["at"]),
                str(head["what"]),
                tuple(map(str, head["paths"])),
                tuple(map(str, head["credentials"])),
            )
            if path.name != f"{entry.id}.json":
                raise ValueError("another entry's name")
            return entry, str(content["sealed"]).encode()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path} is not an entry of the undo journal.",
                hint="Somebody changed it; move it away.",
            ) from error


def _put_back(files: Sequence[FileStep], entry: Entry) -> None:
    """All of them or none. Raises Denied, ConfigError."""
    due = [step for step in files if _is_due(step, entry)]
    for step in reversed(due):
        if step.before is None:
            _remove(step.path)
        else:
            put(step.path, step.before.content, step.before, times=True)


def _is_due(step: FileStep, entry: Entry) -> bool:
    """Whether a file has to be put back; False where it is as it was.

    Raises:
        Denied: it is neither as it was nor as we left it.
    """
    try:
        now = _look(step.path)
    except UsageError as error:
        raise Denied(error.message, hint=_by_hand(entry)) from None
    held = "" if now is None else digest(now.content)
    if held == step.after:
        return True
    if held == ("" if step.before is None else digest(step.before.content)):
        return False
    happened = "is gone" if now is None else "was changed since"
    raise Denied(f"{step.path} {happened}; nothing was undone.", hint=_by_hand(entry))


def _by_hand(entry: Entry) -> str:
    return (
        f"Take the later change back first, or get the old content beside it with "
        f"`taskpass undo {entry.id} --copy DIR` and merge it by hand."
    )


def _copied(step: FileStep, folder: str, number: int) -> str:
    path = os.path.join(folder, f"{os.path.basename(step.path)}.before-{number}")
    if os.path.lexists(path):
        raise ConfigError(f"{path} is there already.", hint="Name another directory.")
    assert step.before is not None
    put(path, step.before.content, None)
    return path


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(f"Cannot remove {path}: {error.strerror}.") from error


def _head(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": entry.at,
        "what": entry.what,
        "paths": list(entry.paths),
        "credentials": list(entry.credentials),
    }


def _about(head: dict[str, Any]) -> str:
    return "undo " + json.dumps(head, sort_keys=True, separators=(",", ":"))


def _frozen(steps: Sequence[Step]) -> list[dict[str, Any]]:
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


def _thawed(frozen: list[dict[str, Any]]) -> list[Step]:
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
