"""Known secrets taken out of what a screen shows, before it is kept.

On a screen a secret may be wrapped, boxed, coloured in the middle, or half scrolled away. So the
cells are looked at without spaces and frames between them, and not only for whole secrets: any
eight characters in a row of one are masked.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

from supervisor.recording.frames import Row
from supervisor.vault.redact import Redactor

PIECE = 8  # characters of a secret that are enough to be masked
_BOX = range(0x2500, 0x25A0)  # box drawing and block elements
_MARK = "•"


def mask_rows(rows: Mapping[int, Row], redactor: Redactor) -> dict[int, Row]:
    """The rows without what `redactor` knows."""
    pieces = redactor.pieces(PIECE)
    texts = {y: "".join(run[0] for run in rows[y]) for y in sorted(rows)}
    compact: list[str] = []
    places: list[tuple[int, int]] = []  # of each character of the compact text: row, index in it
    for y, text in texts.items():
        for index, character in enumerate(text):
            if not (character.isspace() or ord(character) in _BOX):
                compact.append(character)
                places.append((y, index))
    whole = "".join(compact)
    hit: set[tuple[int, int]] = set()
    if pieces:
        for at in range(len(whole) - PIECE + 1):
            if whole[at : at + PIECE] in pieces:
                hit.update(places[at : at + PIECE])
    for start, end in _found(whole, redactor):
        hit.update(places[start:end])
    for y, text in texts.items():  # of secrets with spaces in them
        for start, end in _found(text, redactor):
            hit.update((y, index) for index in range(start, end))
    if not hit:
        return dict(rows)
    masked = dict(rows)
    for y in {y for y, _ in hit}:
        masked[y] = _masked(rows[y], {index for row, index in hit if row == y})
    return masked


def _found(text: str, redactor: Redactor) -> list[tuple[int, int]]:
    """Where secrets stand in it, in characters."""
    findings = redactor.find(text)
    if text.isascii():
        return [(each.start, each.end) for each in findings]
    raw = text.encode("utf-8", "surrogatepass")
    return [
        (len(raw[: each.start].decode("utf-8", "replace")),
         len(raw[: each.end].decode("utf-8", "replace")))
        for each in findings
    ]  # fmt: skip


def _masked(row: Row, hit: set[int]) -> Row:
    runs, index = [], 0
    for text, fg, bg, attrs in row:
        shown = "".join(
            _MARK * (2 if unicodedata.east_asian_width(character) in "WF" else 1)
            if index + place in hit
            else character
            for place, character in enumerate(text)
        )
        runs.append((shown, fg, bg, attrs))
        index += len(text)
    return tuple(runs)
