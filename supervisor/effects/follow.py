"""Texts in the workspace that a command runs by a name: scripts, targets, tasks."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

_MAX_FILE = 65_536  # bytes


def file_text(path: str) -> str | None:
    """The text of a regular file of at most 64 KiB; None where it cannot be had."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE:
            return None
        data = os.read(handle, _MAX_FILE + 1)
    except OSError:
        return None
    finally:
        os.close(handle)
    if len(data) > _MAX_FILE or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


_RULE = re.compile(r"^@?([A-Za-z0-9_./%-][^:=#\n]*?):(?!=)([^=;#\n]*)(?:;([^\n]*))?(?:#.*)?$")
_SETTING = re.compile(r"^(?:export\s+)?([A-Za-z_][\w-]*)\s*(?::{0,3}=|\?=)\s*(.*?)\s*$")
_JUST_RULE = re.compile(r"^@?([A-Za-z_][\w-]*)([^:=\n]*):(?!=)([^#\n]*)(?:#.*)?$")
UNKNOWN = '"$TASKPASSUNKNOWN"'  # a value that only the builder knows, as the shell sees it
_MAX_TARGETS = 64
_MAX_NESTED = 4  # values in values
_MAKE_VALUE = re.compile(r"\$(\$)|\$\(([^()]*)\)|\$\{([^{}]*)\}|\$([A-Za-z@<^?*%+])")


@dataclass(slots=True)
class Target:
    """A target of a build file: what it needs first, and the lines that make it."""

    needs: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)


def make_text(text: str, goals: Sequence[str], given: Mapping[str, str]) -> str | None:
    """The shell text that `make GOAL…` runs by the Makefile `text`, each line on its own.

    Without goals it is that of the first target. `given` are variables from the command line.
    Values that only make knows stand as a variable that is not set. None when a goal is not
    written out in the file.

    Raises:
        Endless: see there.
    """
    targets: dict[str, Target] = {}
    settings: dict[str, str] = {}
    current: list[Target] = []
    for line in re.sub(r"\\\n[ \t]*", " ", text).split("\n"):
        if line.startswith("\t"):
            for target in current:
                target.lines.append(line.strip())
            continue
        setting, rule = _SETTING.match(line), _RULE.match(line)
        if setting:
            settings[setting[1]] = setting[2]
        elif rule:
            current = [targets.setdefault(name, Target()) for name in rule[1].split()]
            for target in current:
                target.needs += rule[2].replace("|", " ").split()
                target.lines += [rule[3].strip()] if rule[3] else []
        elif line.strip() and not line.startswith("#"):
            current = []
    settings |= {**given, "$": "$"}
    expansion = Expansion(_MAKE_VALUE)
    first = next((name for name in targets if not name.startswith(".")), "")
    lines = lines_of(targets, [*goals] or [first])
    if lines is None:
        return None
    return "\n".join(f"({expansion.text(line.lstrip('@-+ '), settings)})" for line in lines if line)


def just_text(text: str, goals: Sequence[str], given: Mapping[str, str]) -> str | None:
    """As `make_text`, for a justfile, of whose values none is followed."""
    del given
    targets: dict[str, Target] = {}
    current = Target()
    for line in re.sub(r"\\\n[ \t]*", " ", text).split("\n"):
        rule = _JUST_RULE.match(line)
        if line[:1] in {" ", "\t"}:
            current.lines.append(line.strip())
        elif rule:
            current = targets.setdefault(rule[1], Target())
            current.needs += re.sub(r"[()&]", " ", rule[3]).split()
        elif line.strip():
            current = Target()
    lines = lines_of(targets, [*goals] or list(targets)[:1])
    if lines is None or any(line.startswith("#!") for line in lines):
        return None
    lines = [re.sub(r"\{\{.*?\}\}", UNKNOWN, line.lstrip("@-")) for line in lines]
    return "\n".join(f"({line})" for line in lines if line)


def lines_of(targets: Mapping[str, Target], goals: Sequence[str]) -> list[str] | None:
    """The lines of `goals` and of all that they need."""
    if not all(goal in targets for goal in goals):
        return None
    lines: list[str] = []
    waiting, done = list(goals), set[str]()
    while waiting and len(done) < _MAX_TARGETS:
        name = waiting.pop()
        if name in done or name not in targets:
            continue
        done.add(name)
        waiting += targets[name].needs
        lines += targets[name].lines
    return lines


class Endless(Exception):
    """Values that stand for more text than is followed: a few lines of them are enough."""


@dataclass(slots=True)
class Expansion:
    """Puts values in the place of their names, as far as a file writes them out.

    `reference`: a name in a text is its one group that is filled; without any, only the builder
    knows the value.
    """

    reference: re.Pattern[str]
    left: int = 262_144  # characters that may still be put in, for the whole file

    def text(self, text: str, values: Mapping[str, str], depth: int = 0) -> str:
        """`text` with its values. Raises Endless."""

        def value(match: re.Match[str]) -> str:
            known = values.get(match[match.lastindex]) if match.lastindex else None
            if known is None or depth > _MAX_NESTED:
                return UNKNOWN
            self.left -= len(known) + 1
            if self.left < 0:
                raise Endless
            return self.text(known, values, depth + 1)

        return self.reference.sub(value, text)
