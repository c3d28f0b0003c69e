"""What is owed to the other end: credentials that were made there and have to be ended there.

Each is on the disk before the credential is delivered, so that no crash forgets it, and until it is
known to be dead. One file each, `state/owed/ID.json`, replaced whole:

    {"v": 1, "about": the `Owed` as JSON text, "sealed": what `Issuer.revoke` needs, "" for nothing}

`sealed` is sealed by the vault about that very text, so that neither can be exchanged.
"""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec

from supervisor.errors import ConfigError, TaskpassError
from supervisor.model import CredentialSpec
from supervisor.paths import private_dir, replace_file

log = logging.getLogger("supervisor")

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Owed:
    """One credential that an issuer made, without what is secret about it."""

    id: str
    lease: str
    spec: CredentialSpec  # as it was then: it may be removed meanwhile
    made: float  # POSIX seconds
    until: float  # when it dies by itself, by our clock
    who: Mapping[str, Any]  # the identity of four parts, as records carry it
    known: bool = True  # False: something may have been made, and nobody knows what


class OwedStore(ABC):
    """Keeps what is owed over the supervisor's end."""

    @abstractmethod
    async def put(self, owed: Owed, revocation: str) -> None:
        """Return when it is durable.

        Raises:
            VaultLocked, ConfigError: it is not; nothing was kept.
        """

    @abstractmethod
    async def load(self) -> Sequence[Owed]:
        """All that is kept."""

    @abstractmethod
    async def revocation(self, owed: Owed) -> str:
        """What was put with it. Raises VaultLocked, ConfigError."""

    @abstractmethod
    async def drop(self, owed: str) -> None:
        """It is dead. A missing one is dropped cleanly. Raises ConfigError."""


class Sealer(Protocol):
    """The vault, for what is ours and no credential."""

    async def seal(self, about: str, data: bytes) -> bytes: ...

    async def unseal(self, about: str, sealed: bytes) -> bytes: ...


class _File(msgspec.Struct, frozen=True):
    v: int
    about: str
    sealed: str = ""


class OwedFiles(OwedStore):
    """See the module."""

    def __init__(self, folder: Path, sealer: Sealer) -> None:
        self._folder = folder
        self._sealer = sealer

    async def put(self, owed: Owed, revocation: str) -> None:
        about = msgspec.json.encode(owed).decode()
        sealed = await self._sealer.seal(about, revocation.encode()) if revocation else b""
        content = msgspec.json.encode(_File(_VERSION, about, sealed.decode()))
        await asyncio.to_thread(self._write, owed.id, content)

    async def load(self) -> Sequence[Owed]:
        return await asyncio.to_thread(self._read_all)

    async def revocation(self, owed: Owed) -> str:
        kept = await asyncio.to_thread(self._read, self._path(owed.id))
        if not kept.sealed:
            return ""
        return (await self._sealer.unseal(kept.about, kept.sealed.encode())).decode()

    async def drop(self, owed: str) -> None:
        try:
            await asyncio.to_thread(self._path(owed).unlink, missing_ok=True)
        except OSError as error:
            raise ConfigError(
                f"Cannot remove {self._path(owed)}: {error.strerror}.", hint="Check the disk."
            ) from error

    def _path(self, owed: str) -> Path:
        return self._folder / f"{owed}.json"

    def _write(self, owed: str, content: bytes) -> None:
        private_dir(self._folder)
        replace_file(self._path(owed), content)

    def _read_all(self) -> list[Owed]:
        found = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                found.append(msgspec.json.decode(self._read(path).about, type=Owed))
            except (TaskpassError, msgspec.MsgspecError) as error:
                log.error("%s is kept, but cannot be read: %s", path, error)
        return found

    def _read(self, path: Path) -> _File:
        try:
            kept = msgspec.json.decode(path.read_bytes(), type=_File)
            if kept.v != _VERSION:
                raise ValueError("a version that we do not know")
        except OSError as error:
            raise ConfigError(f"Cannot read {path}: {error.strerror}.") from error
        except ValueError as error:  # also what msgspec raises
            raise ConfigError(f"{path} is not in our format.") from error
        return kept
