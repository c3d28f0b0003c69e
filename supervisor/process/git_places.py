"""Where a repository keeps what runs programs outside the task: hooks, and configuration.

Read from the files as gitrepository-layout(5) and git-config(1) lay them out: no program of the
repository, and no git, is run to find out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from supervisor.process.containment import within

_SECTION = re.compile(r'^\[\s*([\w.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*(.*)$')
_ENTRY = re.compile(r"^([A-Za-z][\w-]*)\s*(?:=\s*(.*))?$")
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b"}
_OFF = ("false", "no", "off", "0")
_MAX_CONFIG = 1 << 20  # bytes; nobody writes more by hand
_MAX_MODULES = 64  # submodules whose repositories are looked at one by one


@dataclass(frozen=True, slots=True)
class GitPlaces:
    """What matters of the repository around a workspace. Paths are real.

    Attributes:
        outside: repositories that the workspace only points to (a linked work tree, a submodule):
            git has to write there.
        hooks: directories with hooks, which may be missing.
        files: configuration, which may be missing, and the file `.git` where it is one.
    """

    outside: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def git_places(workspace: str, home: str) -> GitPlaces:
    """The places for the repository whose work tree is `workspace`; empty where there is none."""
    marker = os.path.join(workspace, ".git")
    if os.path.isdir(marker):
        directory = common = os.path.realpath(marker)
        outside: tuple[str, ...] = ()
        files: list[str] = []
    elif os.path.isfile(marker):
        found = _pointed_to(marker)
        files = [os.path.realpath(marker)]
        if found is None:
            return GitPlaces(files=tuple(files))
        directory, common = found
        outside = (common,) if within(directory, common) else (common, directory)
    else:
        return GitPlaces()
    repositories = [common, *_modules(common)]
    for repository in repositories:
        files.append(os.path.join(repository, "config"))
    configs = [os.path.join(common, "config")]
    settings = dict(_settings(configs[0]))
    if settings.get("extensions.worktreeconfig", "false").lower() not in _OFF:
        configs.append(os.path.join(directory, "config.worktree"))
        files.append(configs[-1])
    hooks = [os.path.join(repository, "hooks") for repository in repositories]
    named = _named(configs, workspace, home)
    return GitPlaces(outside, tuple(dict.fromkeys([*hooks, *named.hooks])), (*files, *named.files))


def _pointed_to(marker: str) -> tuple[str, str] | None:
    """(git directory, common directory) that a `.git` file names; None for anything odd.

    What it names becomes visible to the task, so it must be a repository that knows of this very
    work tree: the file lies where an earlier task may have written it.
    """
    word, _, target = _read(marker).strip().partition(": ")
    if word != "gitdir" or not target:
        return None
    directory = os.path.realpath(os.path.join(os.path.dirname(marker), target))
    shared = _read(os.path.join(directory, "commondir")).strip()
    common = os.path.realpath(os.path.join(directory, shared)) if shared else directory
    if not all(os.path.isdir(os.path.join(common, name)) for name in ("objects", "refs")):
        return None
    if not os.path.isfile(os.path.join(directory, "HEAD")):
        return None
    back = _read(os.path.join(directory, "gitdir")).strip()
    if not back:  # a submodule says where its work tree is in its configuration
        tree = dict(_settings(os.path.join(directory, "config"))).get("core.worktree", "")
        back = os.path.join(directory, tree, ".git") if tree else ""
    if not back or os.path.realpath(os.path.join(directory, back)) != os.path.realpath(marker):
        return None
    return directory, common


def _modules(common: str) -> list[str]:
    """Repositories of submodules, also of those with a slash in their name or of their own."""
    found: list[str] = []
    waiting = [os.path.join(common, "modules")]
    while waiting and len(found) < _MAX_MODULES:
        try:
            with os.scandir(waiting.pop(0)) as entries:
                folders = sorted(e.path for e in entries if e.is_dir(follow_symlinks=False))
        except OSError:
            continue
        for folder in folders:
            if os.path.isfile(os.path.join(folder, "HEAD")):
                found.append(folder)
                waiting.append(os.path.join(folder, "modules"))
            else:
                waiting.append(folder)
    return found[:_MAX_MODULES]


def _named(configs: list[str], workspace: str, home: str) -> GitPlaces:
    """Hooks and further configuration that configuration names."""
    xdg = os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
    waiting = [*configs, os.path.join(home, ".gitconfig"), os.path.join(xdg, "git/config")]
    seen: set[str] = set()
    hooks: list[str] = []
    files: list[str] = []
    while waiting:
        config = waiting.pop(0)
        if config in seen:
            continue
        seen.add(config)
        for key, value in _settings(config):
            if key == "core.hookspath" and value:
                hooks.append(_resolved(value, workspace, home))
            elif value and (key == "include.path" or key.startswith("includeif.")):
                files.append(_resolved(value, os.path.dirname(config), home))
                waiting.append(files[-1])
    return GitPlaces(hooks=tuple(hooks), files=tuple(files))


def _resolved(value: str, base: str, home: str) -> str:
    if value == "~" or value.startswith("~/"):
        value = home + value[1:]
    return os.path.realpath(os.path.join(base, value))


def _settings(path: str) -> Iterator[tuple[str, str]]:
    """(name, value) of each entry, section and key in lower case; nothing of what is no entry."""
    section = ""
    for line in _joined(_read(path)):
        text = line.strip()
        if found := _SECTION.match(text):
            section = found[1].lower() + (f".{found[2]}" if found[2] else "")
            text = found[3]
        if section and (entry := _ENTRY.match(text)):
            yield f"{section}.{entry[1].lower()}", _value(entry[2] or "")


def _joined(text: str) -> list[str]:
    return re.sub(r"\\\r?\n", "", text).splitlines()


def _value(text: str) -> str:
    """As git reads it: quotes may stand anywhere, a comment ends it outside of them."""
    out, quoted, at = "", False, 0
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            at += 1
            out += _ESCAPES.get(text[at], text[at])
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            return out.rstrip()
        else:
            out += char
        at += 1
    return out if quoted else out.rstrip()


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(_MAX_CONFIG).decode(errors="replace")
    except OSError:
        return ""
