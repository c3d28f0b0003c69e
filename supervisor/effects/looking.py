"""Looks for files that a pattern or a search would find, within one budget for each command."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

_WILD = re.compile(r"[*?\[]")


@dataclass(slots=True)
class Looks:
    """How much of the file system may still be looked at for one call.

    `entries` of directories are read and `files` of those told. At 0 the rest is not seen, which
    `spent` tells.
    """

    entries: int = 6_000
    files: int = 600

    @property
    def spent(self) -> bool:
        return self.entries <= 0 or self.files <= 0


def matches(pattern: str, looks: Looks, most: int) -> Iterator[str]:
    """Files that the absolute `pattern` matches now, `most` of them; as the shell, without `**`.

    A name with a leading dot is only matched by a pattern with one. The order is that of the
    directories.
    """
    for path in _below("/", [part for part in pattern.split("/") if part], looks):
        if most <= 0 or looks.spent:
            return
        most -= 1
        looks.files -= 1
        yield path


def _below(base: str, parts: list[str], looks: Looks) -> Iterator[str]:
    plain = 0
    while plain < len(parts) and not _WILD.search(parts[plain]):
        plain += 1
    base = os.path.join(base, *parts[:plain])
    if plain == len(parts):
        looks.entries -= 1
        if os.path.lexists(base):
            yield base
        return
    part, rest = parts[plain], parts[plain + 1 :]
    for entry in entries(base, looks):
        if entry.name.startswith(".") and not part.startswith("."):
            continue
        if not fnmatch.fnmatchcase(entry.name, part):
            continue
        if rest:
            yield from _below(entry.path, rest, looks)
        else:
            yield entry.path


def entries(directory: str, looks: Looks) -> Iterator[os.DirEntry[str]]:
    """What lies in `directory`, as far as may be looked; nothing where it is none."""
    try:
        with os.scandir(directory) as found:
            for entry in found:
                if looks.spent:
                    return
                looks.entries -= 1
                yield entry
    except (OSError, ValueError):
        return
