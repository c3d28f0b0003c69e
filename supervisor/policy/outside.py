"""What a change of the person's policy files from outside means: what it tightens and loosens.

Policies are compared one by one, by what they say: neither their file, their place in it nor their
id counts. What tightens can only refuse more or ask more, whatever else is in force:

- a forbid that is new,
- a permit without `@ask` that is gone,
- a permit with `@ask` that is new, taken as a project's: it turns allow into ask and nothing else.

All else loosens, as far as can be told.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from supervisor.policy.files import policy_schema
from supervisor.policy.source import Layer, Policy, PolicySource, load_each, spoken

_ID = re.compile(r'@id\s*\(\s*"(?:\\.|[^"\\])*"\s*\)')
_CHANGED = " (as changed)"  # after a file's name


@dataclass(frozen=True, slots=True)
class _Piece:
    """One policy in its file."""

    source: PolicySource
    offset: int
    text: str
    policy: Policy

    @property
    def says(self) -> str:
        return spoken(_ID.sub("", self.text))

    @property
    def plain(self) -> bool:
        """It allows without asking."""
        return self.policy.permits and self.policy.ask is None


def tighter(
    sources: Sequence[PolicySource], files: Sequence[PolicySource]
) -> tuple[PolicySource, ...]:
    """`sources`, which are in force, with what `files` tighten of them; as they are for nothing.

    Args:
        sources: of every layer.
        files: the person's own files as they are now.

    Raises:
        PolicyError: `files` cannot be used.
    """
    own = list(_pieces(source for source in sources if source.layer is Layer.USER))
    now = list(_pieces(files))
    lost = _beyond(own, now)
    new = _beyond(now, own)
    given = {piece.says for piece in _pieces(s for s in sources if s.layer is Layer.PROJECT)}
    dropped = {piece for piece in lost if piece.plain}
    refused = {piece for piece in new if not piece.policy.permits}
    asked = {p for p in new if p.policy.permits and not p.plain and p.says not in given}
    if not (dropped or refused or asked):
        return tuple(sources)
    kept = [
        _only(source, own, lambda piece: piece not in dropped)
        if source.layer is Layer.USER
        else source
        for source in sources
    ]
    taken = {piece.policy.id for piece in own} | {
        piece.policy.id for piece in _pieces(s for s in sources if s.layer is not Layer.USER)
    }
    for layer, chosen in ((Layer.USER, refused), (Layer.PROJECT, asked)):
        for source in files:
            added = _only(source, now, chosen.__contains__)
            if added.text.strip():
                text = _renamed(added.text, taken)
                kept.append(PolicySource(source.name + _CHANGED, text, layer))
    return tuple(sorted(kept, key=lambda source: source.layer))


def loosened(sources: Sequence[PolicySource], files: Sequence[PolicySource]) -> tuple[str, ...]:
    """What `files` loosen of the person's `sources`, one line each; () for nothing.

    Raises:
        PolicyError: `files` cannot be used.
    """
    own, now = list(_pieces(sources)), list(_pieces(files))
    found = [
        f"allows: {_named(piece)}"
        if piece.plain
        else f"asks, where it may be refused: {_named(piece)}"
        for piece in _beyond(now, own)
        if piece.policy.permits
    ]
    found += [
        f"no longer refuses: {_named(piece)}"
        if not piece.policy.permits
        else f"no longer asks: {_named(piece)}"
        for piece in _beyond(own, now)
        if not piece.plain
    ]
    return tuple(found)


def difference(sources: Sequence[PolicySource], files: Sequence[PolicySource]) -> str:
    """The change as a unified diff, file by file."""
    before = {source.name: source.text for source in sources}
    after = {source.name: source.text for source in files}
    lines: list[str] = []
    for name in sorted(before.keys() | after.keys()):
        lines += difflib.unified_diff(
            before.get(name, "").splitlines(),
            after.get(name, "").splitlines(),
            name if name in before else "/dev/null",
            name if name in after else "/dev/null",
            lineterm="",
        )
    return "\n".join(lines)


def _pieces(sources: Iterable[PolicySource]) -> Iterator[_Piece]:
    for source in sources:
        for offset, text, policy in load_each(source, policy_schema()):
            yield _Piece(source, offset, text, policy)


def _beyond(these: Sequence[_Piece], others: Sequence[_Piece]) -> list[_Piece]:
    """Those of `these` that are not among `others`; equal ones are counted."""
    left = Counter(piece.says for piece in others)
    found: list[_Piece] = []
    for piece in these:
        if left[piece.says] > 0:
            left[piece.says] -= 1
        else:
            found.append(piece)
    return found


def _only(
    source: PolicySource, pieces: Sequence[_Piece], wanted: Callable[[_Piece], bool]
) -> PolicySource:
    """`source` with the wanted policies alone, each on the line where it was."""
    text, at = "", 0
    for piece in pieces:
        if piece.source is source:
            text += _blank(source.text[at : piece.offset])
            text += piece.text if wanted(piece) else _blank(piece.text)
            at = piece.offset + len(piece.text)
    return replace(source, text=text)


def _blank(text: str) -> str:
    return "\n" * text.count("\n") + " "


def _renamed(text: str, taken: set[str]) -> str:
    """`text` with ids that are not among `taken`."""

    def other(match: re.Match[str]) -> str:
        name = match[0].partition('"')[2].rpartition('"')[0]
        while name in taken:
            name += _CHANGED
        return f'@id("{name}")'

    return _ID.sub(other, text)


def _named(piece: _Piece) -> str:
    policy = piece.policy
    return f"{policy.ask or policy.description or policy.id} ({policy.location})"
