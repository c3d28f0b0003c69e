"""A person's home as it is, to be compared with what it was."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path


def everything(home: Path, *but: str) -> dict[str, tuple[object, ...]]:
    """Each name below `home` with kind, mode, owner, and of files content and time of change.

    Args:
        but: names, relative to it, of what other programs keep there.
    """
    return dict(_entries(home, home, frozenset(but)))


def _entries(
    home: Path, folder: Path, but: frozenset[str]
) -> Iterator[tuple[str, tuple[object, ...]]]:
    for entry in sorted(os.scandir(folder), key=lambda each: each.name):
        path = Path(entry.path)
        name = str(path.relative_to(home))
        if name in but:
            continue
        info = path.lstat()
        about: tuple[object, ...] = (oct(info.st_mode), info.st_uid, info.st_gid)
        if stat.S_ISREG(info.st_mode):
            about += (hashlib.sha256(path.read_bytes()).hexdigest(), info.st_mtime_ns)
        elif stat.S_ISLNK(info.st_mode):
            about += (os.readlink(path),)
        yield name, about
        if stat.S_ISDIR(info.st_mode):
            yield from _entries(home, path, but)
