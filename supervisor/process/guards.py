"""What lies where a task may write, and must stay as the person left it.

All of it runs, or decides what may run, outside the task: hooks and configuration of git, settings
and MCP servers of agents, editors and shells. What is missing is guarded too where it would be
picked up without a question: then a placeholder stands there.

| | standard | strict |
|---|---|---|
| hooks and configuration of git | as they are, also when missing | the same |
| `.git` where there is none | may be made | stays missing |
| settings of agents | as they are, also when missing | the same |
| settings of editors, `.envrc` | as they are | also when missing |
| `taskpass.toml` | as it is | the same |
| what starts by itself in a part of the home | as it is, also when missing | the same |
| CI, dev containers, `.cargo` | as policy says | as they are, also when missing |
| settings of other package managers | as policy says | as they are |
| a directory below the workspace that a task starts in | can be moved away | cannot |
| a guarded name that is a link | what it leads to is guarded | the task is not started |
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.process.containment import within
from supervisor.process.git_places import git_places

# Read by agents on their own when they start in a directory; each a directory, or a file that no
# agent minds to find as one.
_AGENTS = (".claude", ".codex", ".cursor", ".gemini", ".mcp.json")
_AGENTS_IF_THERE = (
    ".opencode", "opencode.json", "opencode.jsonc", ".kiro", ".qwen", ".windsurf", ".roo",
    ".continue", ".amp", "taskpass.toml", ".factory", ".aider.conf.yml", "mcp.json", ".openclaw",
    ".pi",
)  # fmt: skip
_EDITORS = (".vscode", ".idea", ".zed", ".envrc")
_HOOKS = (".husky", ".githooks", "lefthook.yml", "lefthook.yaml", ".lefthook.yml")
_CI = (
    ".github/workflows", ".gitlab-ci.yml", ".circleci", ".devcontainer", ".pre-commit-config.yaml",
    ".cargo",
)  # fmt: skip
# A directory in the place of one of these would break the tool that reads it.
_TOOLS = (".mise.toml", ".npmrc", ".yarnrc.yml", "bunfig.toml")
_SHELLS = (
    ".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv",
    ".zprofile", ".zlogin", ".zlogout", ".inputrc", ".gitconfig",
)  # fmt: skip
# Below the home, where a task may be let in to a part of it.
_STARTUP = (
    ".config/fish", ".config/autostart", ".config/systemd", ".config/environment.d",
    ".config/direnv", ".config/git", ".config/nvim", ".config/Code", ".local/share/systemd",
    ".local/share/applications",
)  # fmt: skip

# What a file of this kind says when it says nothing.
_EMPTY = {".json": "{}\n", ".md": ""}


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Stands where nothing is. `content`: of a file; None for a directory."""

    path: str
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task works, and what its agent asks for. Paths are absolute.

    Attributes:
        writable: what it may write besides the workspace.
        settings: missing settings of the agent, to stay missing.
        folders: in the workspace, to be written though they lie in something guarded.
    """

    workspace: str
    cwd: str
    home: str
    writable: Sequence[str] = ()
    settings: Sequence[str] = ()
    folders: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Guards:
    """What to guard. Paths are real.

    Attributes:
        paths: all of it, whether it exists or not.
        missing: what has to be put where nothing is, outermost first.
        loose: in words, names under which or in whose place the task can put something else.
        outside: repositories outside the workspace that git has to write to.
    """

    paths: tuple[str, ...]
    missing: tuple[Placeholder, ...]
    loose: tuple[str, ...]
    outside: tuple[str, ...]


def guards(place: Place, *, strict: bool) -> Guards:
    """The guards of one task."""
    workspace, cwd = place.workspace, place.cwd
    git = git_places(workspace, place.home)
    roots = (workspace, *place.writable, *git.outside)
    wanted: dict[str, bool] = {}  # as it is named → whether it is guarded when missing
    wanted |= dict.fromkeys((*git.files, *git.hooks), True)
    for base in dict.fromkeys((workspace, cwd)):
        for name in _AGENTS:
            wanted[os.path.join(base, name)] = True
        for name in (*_AGENTS_IF_THERE, *_HOOKS):
            wanted[os.path.join(base, name)] = False
        for name in _EDITORS:
            wanted[os.path.join(base, name)] = strict
    if strict:
        wanted |= {os.path.join(workspace, name): True for name in _CI}
        wanted |= {os.path.join(workspace, name): False for name in _TOOLS}
        if not os.path.lexists(os.path.join(workspace, ".git")):
            wanted[os.path.join(workspace, ".git")] = True
    for root in roots:  # a home's files kept in a repository, say
        wanted |= dict.fromkeys((os.path.join(root, name) for name in _SHELLS), False)
    wanted |= dict.fromkeys((os.path.join(place.home, name) for name in _STARTUP), True)
    contents: dict[str, str | None] = dict.fromkeys(git.files, "")
    contents |= {name: _EMPTY.get(os.path.splitext(name)[1]) for name in place.settings}
    wanted |= dict.fromkeys(place.settings, True)
    folders: dict[str, str] = {}
    paths: list[str] = []
    missing: list[Placeholder] = []
    loose: list[str] = []
    marker = os.path.join(workspace, ".git")
    if os.path.islink(marker):
        loose.append(f"{marker} is a link and can be replaced")
    for name, always in wanted.items():
        real = _real(name, folders)
        if real != name and within(name, workspace):
            loose.append(f"{name} is a link and can be replaced")
        if not any(within(real, root) for root in roots):
            continue
        try:
            info = os.lstat(real)
        except OSError:
            if not always:
                continue
            missing += [*_parents(real), Placeholder(real, contents.get(name))]
        else:
            if stat.S_ISREG(info.st_mode) and info.st_nlink > 1:
                loose.append(f"{real} has another name too, and can be changed by it")
        paths.append(real)
    for folder in place.folders:
        if not os.path.lexists(folder):
            missing += [*_parents(folder), Placeholder(folder)]
    return Guards(
        tuple(sorted(set(paths))), tuple(dict.fromkeys(missing)), tuple(loose), git.outside
    )


def _real(name: str, folders: dict[str, str]) -> str:
    """As `os.path.realpath`, for many names in few folders."""
    folder, _, last = name.rpartition("/")
    if folder not in folders:
        folders[folder] = os.path.realpath(folder or "/")
    path = os.path.join(folders[folder], last)
    return os.path.realpath(path) if os.path.islink(path) else path


def _parents(path: str) -> list[Placeholder]:
    found = []
    parent = os.path.dirname(path)
    while not os.path.lexists(parent):
        found.append(Placeholder(parent))
        parent = os.path.dirname(parent)
    return found[::-1]
