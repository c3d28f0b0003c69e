"""Secret files below a directory: what a search through it would read."""

from __future__ import annotations

import fnmatch
import os
from collections import deque
from collections.abc import Callable, Container

from supervisor.effects.files import Place, label_at
from supervisor.effects.follow import file_text
from supervisor.effects.looking import Looks, entries

_SECRET = frozenset({"dotenv", "keys", "model-login", "process"})  # labels: see labels.toml
# Directories that others fill, and large ones: nobody keeps a project's secrets there.
_SKIPPED = frozenset({".git", "node_modules", ".venv", "venv", "__pycache__", "site-packages"})
_MAX_RULES = 500

Wanted = Callable[["os.DirEntry[str]"], bool]


def named(pattern: str) -> Wanted:
    """Directories, and files whose name `pattern` matches."""

    def wanted(entry: os.DirEntry[str]) -> bool:
        return _is_directory(entry) or fnmatch.fnmatchcase(entry.name, pattern)

    return wanted


def secrets_below(
    root: str, place: Place, looks: Looks, wanted: Wanted, *, follow: bool = False
) -> list[str]:
    """Secret files and directories below `root`, the nearest first, as far as may be looked.

    Args:
        root: real path.
        wanted: whether the search takes this file, or goes into this directory.
        follow: whether it follows links on its way.
    """
    found: list[str] = []
    waiting = deque([root])
    while waiting:
        for entry in entries(waiting.popleft(), looks):
            if entry.is_symlink() and not follow:
                continue
            secret = label_at(entry.path, place) in _SECRET
            if not secret and (entry.name in _SKIPPED or not _is_directory(entry)):
                continue
            if not wanted(entry):
                continue
            if secret:
                looks.files -= 1
                found.append(entry.path)
            else:
                waiting.append(entry.path)
    return found


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


class GitIgnored:
    """What `.gitignore` files, from the top of the repository on, say of the files below `root`.

    `changed` are files that hold something else by then; those are not believed. Source:
    gitignore(5), without character classes across a slash and without `**` in the middle.
    """

    def __init__(self, root: str, changed: Container[str]) -> None:
        self._changed = changed
        self._rules: dict[str, list[str]] = {}
        top = root
        while not os.path.lexists(os.path.join(top, ".git")) and top != "/":
            top = os.path.dirname(top)
        self.top = "" if top == "/" else top

    def __contains__(self, path: object) -> bool:
        """Whether `path`, a real path below `root`, is ignored."""
        ignored = False
        if not isinstance(path, str) or not self.top or not path.startswith(self.top + "/"):
            return ignored
        parts = path[len(self.top) + 1 :].split("/")
        for depth in range(len(parts)):
            directory = os.path.join(self.top, *parts[:depth])
            for rule in self._read(directory):
                if _covers(rule.removeprefix("!"), parts[depth:]):
                    ignored = not rule.startswith("!")
        return ignored

    def _read(self, directory: str) -> list[str]:
        rules = self._rules.get(directory)
        if rules is None:
            path = os.path.join(directory, ".gitignore")
            text = "" if path in self._changed else file_text(path) or ""
            lines = [line.strip() for line in text.split("\n", _MAX_RULES)[:_MAX_RULES]]
            rules = [line for line in lines if line and not line.startswith("#")]
            self._rules[directory] = rules
        return rules


def _covers(pattern: str, parts: list[str]) -> bool:
    """Whether `pattern` names the file of `parts`, counted from where the pattern stands."""
    pattern = pattern.removeprefix("**/").removesuffix("/")
    if "/" not in pattern:
        return fnmatch.fnmatchcase(parts[-1], pattern)
    wanted = pattern.removeprefix("/").split("/")
    return len(wanted) == len(parts) and all(map(fnmatch.fnmatchcase, parts, wanted))
