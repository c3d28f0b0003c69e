"""What a git repository's own files say about where a command goes: remotes, branch, aliases.

Only a few small files are read, and kept while they do not change.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

_MAX_BYTES = 256 * 1024  # of a config file; the rest is not looked at
_MAX_PARENTS = 40
_SECTION = re.compile(r'\[\s*([\w.-]+)\s*(?:"((?:[^"\\]|\\.)*)")?\s*\](.*)')
_SETTING = re.compile(r"([A-Za-z][\w-]*)\s*(?:=\s*(.*))?$")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository as its files are now. `branch` is "" when detached."""

    branch: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)  # "remote.origin.url" → last value
    directory: str = ""  # what all work trees share

    @property
    def remotes(self) -> frozenset[str]:
        return frozenset(
            key[len("remote.") : -len(".url")]
            for key in self.settings
            if key.startswith("remote.") and key.endswith(".url")
        )

    def push_url(self, remote: str) -> str:
        settings = self.settings
        return settings.get(f"remote.{remote}.pushurl") or settings.get(f"remote.{remote}.url", "")

    def default_branch(self, remote: str) -> str:
        """The branch that the remote's HEAD named when it was last asked, "" if unknown."""
        head = _first_line(os.path.join(self.directory, "refs", "remotes", remote, "HEAD"))
        return head.rpartition(f"refs/remotes/{remote}/")[2] if head.startswith("ref:") else ""


def find_repository(cwd: str) -> Repository | None:
    """The repository that `cwd` is in; None outside one or where its files cannot be read."""
    directory = cwd
    for _ in range(_MAX_PARENTS):
        if not directory:
            return None
        dot = os.path.join(directory, ".git")
        if os.path.isdir(dot):
            return _open(dot)
        if os.path.isfile(dot):
            line = _first_line(dot)
            if not line.startswith("gitdir:"):
                return None
            return _open(os.path.join(directory, line[len("gitdir:") :].strip()))
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent
    return None


def settings_of(path: str) -> Mapping[str, str]:
    """The settings in a git config file; section and key in lower case, the last value counts."""
    try:
        status = os.stat(path)
    except OSError:
        return {}
    return _parsed(path, status.st_mtime_ns, status.st_size)


def _open(directory: str) -> Repository:
    common = _first_line(os.path.join(directory, "commondir"))
    shared = os.path.normpath(os.path.join(directory, common)) if common else directory
    head = _first_line(os.path.join(directory, "HEAD"))
    branch = head[len("ref: refs/heads/") :] if head.startswith("ref: refs/heads/") else ""
    return Repository(branch, settings_of(os.path.join(shared, "config")), shared)


def _first_line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline(4096).strip()
    except OSError:
        return ""


@lru_cache(maxsize=16)
def _parsed(path: str, changed: int, size: int) -> Mapping[str, str]:
    """`changed` and `size` make an edited file another one."""
    del changed, size
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_BYTES)
    except OSError:
        return {}
    found: dict[str, str] = {}
    section = ""
    for line in text.replace("\\\n", "").splitlines():
        line = line.strip()
        match = _SECTION.match(line)
        if match:
            name = match[2]
            section = match[1].lower() + (f".{name}" if name is not None else "")
            line = match[3].strip()
        setting = _SETTING.match(line)
        if setting and section:
            found[f"{section}.{setting[1].lower()}"] = _value(setting[2])
    return found


def _value(text: str | None) -> str:
    """A value without quotes and comment; a setting without a value is true."""
    if text is None:
        return "true"
    parts: list[str] = []
    quoted = False
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and position + 1 < len(text):
            position += 1
            parts.append({"n": "\n", "t": "\t"}.get(text[position], text[position]))
        elif character == '"':
            quoted = not quoted
        elif character in "#;" and not quoted:
            break
        else:
            parts.append(character)
        position += 1
    return "".join(parts).strip()
