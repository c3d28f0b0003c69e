"""A recording's file: chunks that nobody can read, alter, reorder or cut off unseen.

    header    one line of JSON: {"v": 1, "task", "began", "key": the file's, sealed by the vault}
    chunk …   4 bytes length, 8 bytes start (big-endian double, POSIX seconds), AES-256-GCM

Each file has a key of its own, so a chunk's nonce is its number, with one byte that is 1 for the
last chunk of all (as in the STREAM construction: https://eprint.iacr.org/2015/189). The header and
the chunk's own head are its associated data. A file without its last chunk was not closed: its
supervisor was killed, or it was cut.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from supervisor.errors import LedgerBroken

_VERSION = 1
_HEAD = struct.Struct(">Id")
_TAG = 16
_MOST = 64 * 1024 * 1024  # bytes of a chunk
_HEADER_MOST = 64 * 1024


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a file. `key`: as the vault sealed it."""

    task: str
    began: float
    key: str
    line: bytes = b""  # as it stands in the file


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk is in the file."""

    number: int
    start: float
    offset: int
    length: int

    @property
    def empty(self) -> bool:
        """Whether it says nothing but that the file ends."""
        return self.length == _TAG


class Writer:
    """Writes a new file, 0600. `close` makes it whole."""

    def __init__(self, path: Path, task: str, began: float, key: bytes, sealed: bytes) -> None:
        """Raises OSError."""
        self._cipher = AESGCM(key)
        told = {"v": _VERSION, "task": task, "began": began, "key": sealed.decode()}
        self._header = json.dumps(told).encode() + b"\n"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)
        self._file.write(self._header)
        self._number = 0
        self.size = len(self._header)

    @property
    def chunks(self) -> int:
        return self._number

    def write(self, start: float, data: bytes, *, last: bool = False) -> None:
        """Add a chunk. Raises OSError."""
        head = _HEAD.pack(len(data) + _TAG, start)
        text = self._cipher.encrypt(_nonce(self._number, last), data, self._header + head)
        self._file.write(head + text)
        self._number += 1
        self.size += len(head) + len(text)

    def close(self, at: float) -> None:
        """Say that this is the end. Raises OSError."""
        try:
            self.write(at, b"", last=True)
            os.fsync(self._file.fileno())
        finally:
            self._file.close()

    def abandon(self) -> None:
        """Leave the file as it is."""
        with contextlib.suppress(OSError):
            self._file.close()


def header_of(path: Path) -> Header:
    """Raises LedgerBroken, OSError."""
    with path.open("rb") as file:
        line = file.readline(_HEADER_MOST)
    try:
        told = json.loads(line)
        if told["v"] != _VERSION or not line.endswith(b"\n"):
            raise ValueError("another version")
        return Header(str(told["task"]), float(told["began"]), str(told["key"]), line)
    except (ValueError, KeyError, TypeError) as error:
        raise LedgerBroken(f"{path} is no recording of ours.") from error


class Reader:
    """The chunks of a file, in any order."""

    def __init__(self, path: Path, key: bytes) -> None:
        """Raises LedgerBroken, OSError."""
        self._path = path
        self._cipher = AESGCM(key)
        self._header = header_of(path)
        self.places: list[Place] = list(self._scan())

    def _scan(self) -> Iterator[Place]:
        size, offset, number = self._path.stat().st_size, len(self._header.line), 0
        with self._path.open("rb") as file:
            while offset + _HEAD.size + _TAG <= size:
                file.seek(offset)
                length, start = _HEAD.unpack(file.read(_HEAD.size))
                if not _TAG <= length <= _MOST or offset + _HEAD.size + length > size:
                    return  # the chunk is being written, or was cut
                yield Place(number, start, offset, length)
                offset, number = offset + _HEAD.size + length, number + 1

    @property
    def whole(self) -> bool:
        """Whether the file was closed, and has its end. Raises LedgerBroken."""
        return bool(self.places) and self._open(self.places[-1], last=True) is not None

    def read(self, place: Place) -> bytes:
        """A chunk's content. Raises LedgerBroken: it was altered, or is not of this place."""
        for last in (False, True):
            if last and place.number != len(self.places) - 1:
                break
            data = self._open(place, last=last)
            if data is not None:
                return data
        raise LedgerBroken(
            f"Part {place.number + 1} of the recording was altered.",
            hint="Its file, or the key of this install, is not the one that it was made with.",
        )

    def _open(self, place: Place, *, last: bool) -> bytes | None:
        with self._path.open("rb") as file:
            file.seek(place.offset)
            head, text = file.read(_HEAD.size), file.read(place.length)
        try:
            nonce = _nonce(place.number, last)
            return self._cipher.decrypt(nonce, text, self._header.line + head)
        except InvalidTag:
            return None


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])
