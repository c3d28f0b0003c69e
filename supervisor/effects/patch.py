"""The patch format of agents (`*** Begin Patch`): which files it changes, and what it adds."""

from __future__ import annotations

import re
from dataclasses import dataclass

from supervisor.model import Verb

_HEADING = re.compile(r"^\*\*\* (Add File|Update File|Delete File|Move to): (.+?)\s*$")


@dataclass(frozen=True, slots=True)
class Change:
    """One file of a patch."""

    verb: Verb  # WRITE or DELETE
    path: str  # as written
    added: str = ""  # the added lines


def changes(text: str) -> tuple[Change, ...]:
    """What the patch in `text` does, in order; () when there is no patch in it.

    A file that is moved is deleted where it was and written where it goes.
    """
    if "*** Begin Patch" not in text:
        return ()
    verbs: list[tuple[Verb, str]] = []
    added: list[list[str]] = []
    for line in text.splitlines():
        found = _HEADING.match(line)
        if found is None:
            if added and line.startswith("+"):
                added[-1].append(line[1:])
            continue
        kind, path = found.groups()
        if kind == "Move to" and verbs:
            verbs[-1] = (Verb.DELETE, verbs[-1][1])
        verbs.append((Verb.DELETE if kind == "Delete File" else Verb.WRITE, path))
        added.append([])
    return tuple(
        Change(verb, path, "\n".join(lines))
        for (verb, path), lines in zip(verbs, added, strict=True)
    )
