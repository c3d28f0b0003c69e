"""Finds secrets in what a task would see: a walk through the workspace, bounded in time.

What git tracks is left as it is, unless the mode is strict: it can be read in the repository's
objects all the same, and a masked one would be committed with the mask's words in it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from supervisor.process.secret_places import is_dotenv, is_secret, may_be_secret

# Other people's code, and what tools make: no place of the person's own secrets.
_SKIPPED = frozenset(
    {".git", "node_modules", "bower_components", "vendor", ".venv", "venv", "__pycache__"}
    | {".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".cache", ".gradle"}
    | {".env", "env", "target", "dist", ".next", ".nuxt", ".terraform", "Pods", ".direnv"}
    | {".hg", ".svn"}
)
_MAX_INDEX = 64 << 20  # bytes of a git index that are looked into


@dataclass(frozen=True, slots=True)
class Secrets:
    """`complete`: False when the time was over before everything had been looked at."""

    paths: tuple[str, ...]
    complete: bool


class _Index:
    """Which names git tracks: format version 2 and 3 of gitformat-index(5)."""

    def __init__(self, tree: str) -> None:
        self.tree = tree
        marker = Path(tree, ".git")
        try:
            folder = marker if marker.is_dir() else self._pointed_to(marker)
            with open(folder / "index", "rb") as file:
                data = file.read(_MAX_INDEX)
        except OSError:
            data = b""
        # Version 4 shares the beginnings of names: nothing in it counts as tracked.
        self._data = data if data[4:8] in (b"\0\0\0\2", b"\0\0\0\3") else b""

    @staticmethod
    def _pointed_to(marker: Path) -> Path:
        return marker.parent / marker.read_text(errors="replace").strip().removeprefix("gitdir: ")

    def tracks(self, path: str) -> bool:
        """Whether git tracks this file, or something in this directory."""
        name = os.fsencode(os.path.relpath(path, self.tree))
        at = self._data.find(name)
        while at >= 0:
            end = self._data.find(b"\0", at)
            # An entry's name follows its length, in 12 bits; version 3 may put two bytes between.
            for back in (2, 4):
                told = int.from_bytes(self._data[at - back : at - back + 2], "big") & 0xFFF
                if told == min(end - at, 0xFFF) and self._data[at + len(name)] in (0, 0x2F):
                    return True
            at = self._data.find(name, at + 1)
        return False


def secrets_in(trees: Iterable[str], *, strict: bool, seconds: float) -> Secrets:
    """Secrets below these directories, nearer ones first.

    Args:
        strict: also those that git tracks.
        seconds: how long to look, of this thread's own time, so that a busy machine cuts nothing;
            by the clock ten times that, for disks that are slow. The nearest directory of each
            tree is looked at in any case.
    """
    over = _clock(seconds)
    found: dict[str, None] = {}
    linked: set[tuple[int, int]] = set()  # device and inode of those with another name
    complete = True
    for tree in trees:
        for path in _walk(tree, None if strict else _Index(tree), over):
            if path is None:
                complete = False
                break
            found[path] = None
            with contextlib.suppress(OSError):
                info = os.lstat(path)
                if info.st_nlink > 1 and not stat.S_ISDIR(info.st_mode):
                    linked.add((info.st_dev, info.st_ino))
    if linked:
        for tree in trees:
            for path in _names_of(linked, tree, over):
                found[path] = None
    return Secrets(tuple(found), complete)


def _clock(seconds: float) -> Callable[[], bool]:
    """Tells whether so much time is over: of this thread's, or ten times that by the clock."""
    own, clock = time.thread_time() + seconds, time.monotonic() + 10 * seconds
    return lambda: time.thread_time() > own or time.monotonic() > clock


def _walk(tree: str, index: _Index | None, over: Callable[[], bool]) -> Iterable[str | None]:
    """Secrets in a tree; None when the time is over."""
    waiting: deque[tuple[str, _Index | None]] = deque([(tree, index)])
    while waiting:
        folder, known = waiting.popleft()
        if folder != tree and over():
            yield None
            return
        candidates: list[os.DirEntry[str]] = []
        below: list[str] = []
        own_index = False
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if may_be_secret(entry.name):
                        candidates.append(entry)
                    elif entry.name in _SKIPPED:
                        own_index = own_index or entry.name == ".git"
                    elif entry.is_dir(follow_symlinks=False):
                        below.append(entry.path)
        except OSError:
            continue
        if known is not None and own_index and folder != tree:
            known = _Index(folder)
        for entry in candidates:
            if not _is_secret(entry):
                if entry.is_dir(follow_symlinks=False) and entry.name not in _SKIPPED:
                    below.append(entry.path)
            elif known is None or not known.tracks(entry.path):
                path = _target(entry, tree)
                if path:
                    yield path
        waiting.extend((path, known) for path in below)


def _is_secret(entry: os.DirEntry[str]) -> bool:
    # A directory called .env is a virtual environment.
    return (is_dotenv(entry.name) and not entry.is_dir()) or is_secret(entry.path)


def _target(entry: os.DirEntry[str], tree: str) -> str:
    """The file itself; of a link what it leads to in the tree, "" for nothing."""
    if not entry.is_symlink():
        return entry.path
    path = os.path.realpath(entry.path)
    return path if path.startswith(tree + "/") and os.path.exists(path) else ""


def _names_of(linked: set[tuple[int, int]], tree: str, over: Callable[[], bool]) -> Iterable[str]:
    """Every name that these files have below a directory."""
    for folder, _, files in os.walk(tree):
        if over():
            return
        for name in files:
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                info = os.lstat(path)
                if (info.st_dev, info.st_ino) in linked:
                    yield path
