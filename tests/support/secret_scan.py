"""Looks for a secret wherever a session could have left it, in the forms it could have taken.

`Scan(secret)` is told where to look and collects `Finding`s. What cannot be read (the memory of
a process that is closed to this account) is listed in `unread`.
"""

from __future__ import annotations

import base64
import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_to_bytes

_CHUNK = 8 * 1024 * 1024
_MAP = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r\S+ \S+ \S+ \S+\s*(.*)")


def base64_core(secret: bytes, before: int) -> bytes:
    """What base64 of any text holds that has `secret` at an offset of `before` modulo 3.

    Characters that also depend on the neighbouring bytes are left out.
    """
    first = (before * 8 + 5) // 6
    last = (before + len(secret)) * 8 // 6
    return base64.b64encode(bytes(before) + secret)[first:last]


def encodings(secret: bytes) -> Mapping[str, Callable[[bytes], bool]]:
    """Form → whether some bytes hold the secret in it."""

    def holds(*needles: bytes) -> Callable[[bytes], bool]:
        return lambda data: any(needle in data for needle in needles)

    forms: dict[str, Callable[[bytes], bool]] = {"raw": holds(secret)}
    for before in range(3):
        core = base64_core(secret, before)
        url_safe = core.replace(b"+", b"-").replace(b"/", b"_")
        forms[f"base64/{before}"] = holds(core, url_safe)
    # Any of its bytes may be escaped; one that has none escaped is the raw one.
    forms["url"] = lambda data: (
        b"%" in data and secret not in data and secret in unquote_to_bytes(data)
    )
    hexadecimal = secret.hex().encode()
    forms["hex"] = lambda data: hexadecimal in data.lower()
    forms["utf-16"] = holds(secret.decode().encode("utf-16-le"))
    return forms


@dataclass(frozen=True)
class Finding:
    """The secret, in clear or encoded, where it must not be."""

    place: str
    form: str


@dataclass
class Scan:
    """One search for one secret."""

    secret: bytes
    findings: list[Finding] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    looked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._forms = encodings(self.secret)
        self._overlap = 8 * len(self.secret)  # longer than any form of it

    def data(self, data: bytes, place: str) -> None:
        """Look into these bytes."""
        for form, holds in self._forms.items():
            if holds(data):
                finding = Finding(place, form)
                if finding not in self.findings:
                    self.findings.append(finding)

    def text(self, text: str, place: str) -> None:
        self.looked.append(place)
        self.data(text.encode("utf-8", "surrogateescape"), place)

    def file(self, path: Path) -> None:
        """A file's name and contents."""
        self.text(str(path), f"name of {path}")
        try:
            with open(path, "rb") as file:
                self._stream(file.read, str(path))
        except OSError:
            self.unread.append(str(path))

    def tree(self, top: Path, *, since: float = 0.0) -> None:
        """Every regular file below, or only those changed after `since` (POSIX seconds)."""
        for folder, _, names in os.walk(top):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    info = path.lstat()
                    if stat.S_ISREG(info.st_mode) and info.st_mtime >= since:
                        self.file(path)

    def process(self, pid: int) -> None:
        """A process's environment and command line."""
        for name in ("environ", "cmdline"):
            place = f"/proc/{pid}/{name}"
            try:
                self.data(Path(place).read_bytes(), place)
                self.looked.append(place)
            except OSError:
                self.unread.append(place)

    def memory(self, pid: int) -> bool:
        """Everything a process has written to memory; False when it is closed to us."""
        place = f"/proc/{pid}/mem"
        try:
            maps = Path(f"/proc/{pid}/maps").read_text()
            with open(place, "rb", buffering=0) as memory:
                for start, end in _written(maps.splitlines()):
                    memory.seek(start)
                    left = end - start

                    def read(size: int) -> bytes:
                        nonlocal left
                        chunk = memory.read(min(size, left)) if left else b""
                        left -= len(chunk)
                        return chunk

                    # Some regions cannot be read whatever one may (device memory, guards).
                    with contextlib.suppress(OSError):
                        self._stream(read, place)
        except OSError:
            self.unread.append(place)
            return False
        self.looked.append(place)
        return True

    def _stream(self, read: Callable[[int], bytes], place: str) -> None:
        tail = b""
        while chunk := read(_CHUNK):
            if chunk.count(0) == len(chunk):  # most of a large address space is untouched
                tail = b""
                continue
            self.data(tail + chunk, place)
            tail = chunk[-self._overlap :]


def _written(maps: Iterable[str]) -> Iterable[tuple[int, int]]:
    """The regions that can hold what a process made: not its programs and libraries."""
    for line in maps:
        found = _MAP.match(line)
        if found is None:
            continue
        writable = line.split()[1][1] == "w"
        if writable and found[3] not in ("[vvar]", "[vsyscall]"):
            yield int(found[1], 16), int(found[2], 16)
