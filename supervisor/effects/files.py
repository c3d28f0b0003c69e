"""Effects on files: which file a path really is, and where it lies."""

from __future__ import annotations

import os
from dataclasses import dataclass

from supervisor.model import Effect, Verb

_NO_EFFECT = frozenset(
    {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/stdin", "/dev/stdout", "/dev/stderr"}
    | {"/dev/random", "/dev/urandom"}
)
_TEMPORARY = ("/tmp", "/var/tmp", "/private/tmp", "/dev/shm")  # noqa: S108  (names, not used)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task works: the real paths that decide what is inside."""

    workspace: str
    home: str

    @staticmethod
    def of(workspace: str, home: str = "") -> Place:
        return Place(os.path.realpath(workspace), os.path.realpath(home or os.path.expanduser("~")))


def file_effect(verb: Verb, path: str, cwd: str, place: Place) -> Effect | None:
    """One READ, WRITE or DELETE of the file that `path` really names; None for `/dev/null` etc.

    The resource is the real path: symbolic links and `..` are resolved, also where the last
    parts do not exist yet. A deleted or renamed link is the link itself, so only its directory
    is resolved.

    Attributes: `name` (base name) and `folded` (the whole real path), both case-folded since
    some file systems ignore case; `written` (as given, made absolute, case-folded: a link may
    have a telling name); `inside` (the workspace), `temporary`, `home` (below the home
    directory and not inside).
    """
    absolute = os.path.normpath(os.path.join(cwd, path)) if ".." not in path else ""
    joined = os.path.join(cwd, path)
    if absolute in _NO_EFFECT or joined.startswith("/dev/fd/"):
        return None
    if verb is Verb.DELETE:
        head, tail = os.path.split(joined.rstrip("/") or "/")
        if tail in {"", ".", ".."}:
            real = os.path.realpath(joined)
        else:
            real = os.path.join(os.path.realpath(head), tail)
    else:
        real = os.path.realpath(joined)
    inside = within(real, place.workspace)
    return Effect(
        verb,
        real,
        {
            "name": os.path.basename(real).casefold(),
            "folded": real.casefold(),
            "written": (absolute or os.path.normpath(joined)).casefold(),
            "inside": inside,
            "temporary": not inside and any(within(real, root) for root in _TEMPORARY),
            "home": not inside and within(real, place.home),
            "root": real == place.workspace,
        },
    )


def within(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or below it, both being real paths."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")
