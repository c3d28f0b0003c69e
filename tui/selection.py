"""Places, words and ranges in rows of cells. Pure.

A place is (line, cell): lines counted from the oldest, cells from the left edge.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

Spot = tuple[int, int]  # line, cell

# What a double click takes: paths, addresses and options are one word.
_WORD: Final = re.compile(r"[^\s\"'`()\[\]{}<>|,;\u2500-\u259f]+")


@dataclass(frozen=True, slots=True)
class Selection:
    """From `anchor` to `head`, both included, in either order; `whole`: all of their lines."""

    anchor: Spot
    head: Spot
    whole: bool = False

    def span(self, line: int, width: int) -> tuple[int, int] | None:
        """Cells [start, end) of `line` that are selected; None where none are."""
        first, last = sorted((self.anchor, self.head))
        if not first[0] <= line <= last[0]:
            return None
        start = first[1] if line == first[0] and not self.whole else 0
        end = last[1] + 1 if line == last[0] and not self.whole else width
        return (start, min(end, width)) if start < min(end, width) else None


def words(text: str) -> list[tuple[int, int]]:
    """Cells [start, end) of each word in a row."""
    return [
        (cell_len(text[: match.start()]), cell_len(text[: match.end()]))
        for match in _WORD.finditer(text)
    ]


def word_at(text: str, x: int) -> tuple[int, int] | None:
    """Cells [start, end) of the word that covers cell `x`."""
    return next(((start, end) for start, end in words(text) if start <= x < end), None)


def next_word(text: str, x: int) -> int | None:
    """First cell of the next word that begins right of `x`."""
    return next((start for start, _ in words(text) if start > x), None)


def word_end(text: str, x: int) -> int | None:
    """Last cell of the word that ends right of `x`."""
    return next((end - 1 for _, end in words(text) if end - 1 > x), None)


def previous_word(text: str, x: int) -> int | None:
    """First cell of the nearest word that begins left of `x`."""
    return next((start for start, _ in reversed(words(text)) if start < x), None)
