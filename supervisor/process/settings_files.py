"""The files that decide about agents and hooks around a workspace: kept in mind, put back.

For tasks that nothing contains: there no mount keeps these files as they are (`process.guards`).
Git's configuration is not among them, since git itself writes it in ordinary work.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from supervisor.effects.files import Place, label_at
from supervisor.process.git_places import git_places

_LABELS = frozenset({"agent-settings", "git-hooks"})  # effects/labels.toml
_FOLDERS = (
    ".claude", ".codex", ".cursor", ".gemini", ".qwen", ".copilot", ".opencode", ".openclaw",
    ".kiro", ".roo", ".windsurf", ".continue", ".amp", ".factory", ".vscode",
)  # fmt: skip
_AT_HOME = (*_FOLDERS, ".config/opencode", ".codeium/windsurf")
_INNER = ("hooks", "plugin", "rules", "extensions")  # `plugins` is what agents themselves keep
_MOST = 500  # files of one folder that are looked at
_LARGEST = 1 << 20  # bytes of a file that is kept in mind


@dataclass(frozen=True, slots=True)
class Kept:
    """One file as it was.

    Attributes:
        mark: changes with whatever is done to it.
        content: None where it is too large, or cannot be read: then it cannot be put back.
    """

    mark: tuple[int, int]
    mode: int
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Looked:
    """Where to look. Paths are absolute and real."""

    workspace: str
    cwd: str
    home: str

    def folders(self) -> Iterator[str]:
        """Every folder that is there, in which such a file lies or could be made."""
        bases = dict.fromkeys((self.workspace, self.cwd))
        tops = [os.path.join(base, name) for base in bases for name in _FOLDERS]
        tops += [os.path.join(self.home, name) for name in _AT_HOME]
        tops += git_places(self.workspace, self.home).hooks
        for top in (*bases, self.home, *tops):
            if not os.path.isdir(top):
                continue
            yield top
            if top in bases or top == self.home:
                continue
            for inner in _INNER:
                for folder, folders, _ in os.walk(os.path.join(top, inner)):
                    folders.sort()
                    yield folder

    def marks(self) -> dict[str, tuple[int, int]]:
        """Each such file with a mark of how it is now; small enough to be done every second."""
        place = Place(self.workspace, self.home)
        found: dict[str, tuple[int, int]] = {}
        for folder in dict.fromkeys(self.folders()):
            with contextlib.suppress(OSError):
                for name in sorted(os.listdir(folder))[:_MOST]:
                    path = os.path.join(folder, name)
                    if label_at(path, place) in _LABELS and not os.path.isdir(path):
                        info = os.lstat(path)
                        # Who writes cannot set the time of change back (inode(7)).
                        found[path] = (info.st_ino, info.st_ctime_ns)
        return found


def keep(
    marks: Mapping[str, tuple[int, int]], before: Mapping[str, Kept] | None = None
) -> dict[str, Kept]:
    """The files in mind, from `before` where they have not changed."""
    kept: dict[str, Kept] = {}
    for path, mark in marks.items():
        old = before.get(path) if before else None
        kept[path] = old if old is not None and old.mark == mark else _read(path, mark)
    return kept


def differing(before: Mapping[str, Kept], now: Mapping[str, tuple[int, int]]) -> list[str]:
    """Files that were made, changed or removed."""
    known = {path: kept.mark for path, kept in before.items()}
    return sorted(path for path in known.keys() | now.keys() if known.get(path) != now.get(path))


def put_back(paths: Iterable[str], before: Mapping[str, Kept], aside: str) -> list[str]:
    """Make these files what they were. What is there now goes to the directory `aside`.

    Returns:
        Those that are as they were again.
    """
    done = []
    for number, path in enumerate(paths):
        kept = before.get(path)
        if kept is not None and kept.content is None:
            continue
        with contextlib.suppress(OSError):
            if os.path.lexists(path):
                os.makedirs(aside, mode=0o700, exist_ok=True)
                shutil.move(path, os.path.join(aside, f"{number}-{os.path.basename(path)}"))
            if kept is not None and kept.content is not None:
                _write(path, kept.content, kept.mode)
            done.append(path)
    return done


def _read(path: str, mark: tuple[int, int]) -> Kept:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # a link, or gone again
        return Kept(mark, 0, None)
    with os.fdopen(descriptor, "rb") as file:
        info = os.fstat(descriptor)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _LARGEST:
            return Kept(mark, 0, None)
        return Kept(mark, stat.S_IMODE(info.st_mode), file.read(_LARGEST))


def _write(path: str, content: bytes, mode: int) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
