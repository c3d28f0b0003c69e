"""Effects on files: which file a path really is, and where it lies."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from supervisor.effects.labels import label_of
from supervisor.model import Effect, Verb

_NO_EFFECT = frozenset(
    {"/dev/null", "/dev/zero", "/dev/full", "/dev/tty", "/dev/stdin", "/dev/stdout", "/dev/stderr"}
    | {"/dev/random", "/dev/urandom"}
)
_ANY_NAME = re.compile(r"\.?[*?\[]")  # a pattern for names of any begin
_TEMPORARY = ("/tmp", "/var/tmp", "/private/tmp", "/dev/shm")  # noqa: S108  (names, not used)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task works: the real paths that decide what is inside."""

    workspace: str
    home: str

    @staticmethod
    def of(workspace: str, home: str = "") -> Place:
        """`home`: the person's home directory; "" for that of this process."""
        return Place(os.path.realpath(workspace), os.path.realpath(home or os.path.expanduser("~")))


def file_effects(verb: Verb, path: str, cwd: str, place: Place) -> tuple[Effect, ...]:
    """READ, WRITE or DELETE of the file that `path` really names; nothing for `/dev/null` etc.

    The resource is the real path: symbolic links and `..` are resolved, also where the last
    parts do not exist yet. A deleted link is the link itself, so only its directory is
    resolved. Where a link below `cwd` or the home directory was followed, a second effect
    carries the path as written, since that name may be the telling one (`~/.ssh` kept
    elsewhere).

    Attributes: `name` (base name) and `folded` (the whole path), both case-folded since some
    file systems ignore case; `inside` (the workspace), `temporary`, `home` (below the home
    directory and not inside), `root` (the workspace itself or a directory above it), `label`
    (see `labels.toml`; "shared": a deletion that others' temporary files may go with), `clear`
    (False: who deletes a directory with all below it says so).
    """
    joined = os.path.join(cwd, path)
    if os.path.normpath(joined) in _NO_EFFECT or joined.startswith("/dev/fd/"):
        return ()
    head, tail = os.path.split(joined.rstrip("/") or "/")
    if verb is Verb.DELETE and tail not in {"", ".", ".."}:
        real = os.path.join(os.path.realpath(head), tail)
    else:
        real = os.path.realpath(joined)
    names = [real]
    if ".." not in joined.split("/"):
        written = os.path.normpath(joined)
        for base in (cwd, place.home):
            if within(written, base):
                written = os.path.normpath(os.path.realpath(base) + written[len(base) :])
                if written != real:
                    names.append(written)
                break
    inside = within(real, place.workspace)
    home = not inside and within(real, place.home)
    where: dict[str, str | bool] = {
        "inside": inside,
        "temporary": not (inside or home) and _temporary(real, verb),
        "home": home,
        "root": within(place.workspace, real),
        "clear": False,
    }
    if verb is Verb.DELETE and where["temporary"] and _anybodys(real):
        where["label"] = "shared"
    return tuple(Effect(verb, name, _named(name, place) | where) for name in names)


def _temporary(real: str, verb: Verb) -> bool:
    """What lies in a directory for temporary files; the directory itself is not to be removed."""
    if verb is Verb.DELETE and real in _TEMPORARY:
        return False
    return any(within(real, root) for root in _TEMPORARY)


def _anybodys(path: str) -> bool:
    """Whether `path` is a pattern for whatever lies right below a directory for temporary files."""
    root = next((root for root in _TEMPORARY if path.startswith(root + "/")), "")
    return bool(root) and _ANY_NAME.match(path, len(root) + 1) is not None


def _named(path: str, place: Place) -> dict[str, str | bool]:
    folded = path.casefold()
    return {
        "name": folded.rpartition("/")[2],
        "folded": folded,
        "label": label_at(path, place),
    }


def label_at(path: str, place: Place) -> str:
    """The class of the file at a real path (`labels.toml`), "" for an ordinary one."""
    folded = path.casefold()
    at_home = within(path, place.home) and not within(path, place.workspace)
    below = folded[len(place.home.casefold().rstrip("/")) :] if at_home else ""
    return label_of(folded, below)


def within(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or below it, both being real paths."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")
