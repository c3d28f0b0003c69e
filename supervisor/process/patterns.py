"""What a path pattern stands for on this disk now, found within a time.

As a shell has it: `*`, `?` and `[…]` within a name, `**` for any directories. A project may have
written the pattern, so the time is bounded whatever it says.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase

_MAGIC = re.compile(r"[*?\[]")


def expand(pattern: str, base: str, seconds: float) -> list[str]:
    """The paths that a pattern matches below the directory `base`, links not followed below `**`.

    Raises:
        TimeoutError: there is more to look through than the time allows.
    """
    until = time.monotonic() + seconds
    found = {base}
    deep = False
    for part in pattern.split("/"):
        if part == "**":
            deep = True
        elif part:
            found = _below(found, until) if deep else found
            found = _named(part, found, until)
            deep = False
    # Whatever lies below x is in x: "x/**" is x.
    return sorted(found)


def _named(part: str, folders: Iterable[str], until: float) -> set[str]:
    if not _MAGIC.search(part):
        paths = (os.path.join(folder, part) for folder in folders)
        return {path for path in paths if os.path.lexists(path)}
    found = set()
    for folder in folders:
        _check(until)
        found |= {os.path.join(folder, name) for name in _names(folder) if fnmatchcase(name, part)}
    return found


def _below(folders: Iterable[str], until: float) -> set[str]:
    """These directories with all in them."""
    found: set[str] = set()
    waiting = [folder for folder in folders if os.path.isdir(folder)]
    while waiting:
        _check(until)
        folder = waiting.pop()
        if folder in found:
            continue
        found.add(folder)
        try:
            with os.scandir(folder) as entries:
                waiting += [e.path for e in entries if e.is_dir(follow_symlinks=False)]
        except OSError:
            continue
    return found


def _names(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _check(until: float) -> None:
    if time.monotonic() > until:
        raise TimeoutError
