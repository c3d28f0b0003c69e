"""The journal itself: entries on disk, sealed, and how one is undone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from supervisor.errors import ConfigError, Denied, NotFound, UsageError
from supervisor.model import new_id
from supervisor.paths import private_dir, replace_file
from supervisor.undo.steps import (
    CredentialStep,
    FileStep,
    Step,
    copied,
    digest,
    frozen,
    look,
    put,
    remove,
    thawed,
)

_VERSION = 1


class Sealer(Protocol):
    """What seals entries (`vault.FileVault`)."""

    async def seal(self, about: str, data: bytes) -> bytes: ...
    async def unseal(self, about: str, sealed: bytes) -> bytes: ...


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
        sealed = await self._sealer.seal(_about(head), json.dumps(frozen(steps)).encode())
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
        return [copied(step, folder, number) for number, step in enumerate(files, 1)]

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
        return entry, thawed(json.loads(opened))

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
            remove(step.path)
        else:
            put(step.path, step.before.content, step.before, times=True)


def _is_due(step: FileStep, entry: Entry) -> bool:
    """Whether a file has to be put back; False where it is as it was.

    Raises:
        Denied: it is neither as it was nor as we left it.
    """
    try:
        now = look(step.path)
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
