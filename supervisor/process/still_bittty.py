"""A still of bittty's terminal: its rows of cells, made into runs as far as they are looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.cells import cell_len

from supervisor.ports import Line, Still
from supervisor.process.emulator_bittty import Cells, runs_of


class BitttyStill(Still):
    """`rows` are cells that nobody changes; `wrapped` says which ones go on in the next."""

    def __init__(self, rows: Sequence[Cells], wrapped: Sequence[bool]) -> None:
        self._rows, self._wrapped = rows, wrapped

    @property
    def count(self) -> int:
        return len(self._rows)

    def lines(self, first: int, count: int) -> list[Line]:
        wanted = range(max(first, 0), min(first + count, self.count))
        return [Line(runs_of(self._rows[n]), self._wraps_at(n)) for n in wanted]

    def _wraps_at(self, number: int) -> int:
        if not self._wrapped[number] or number + 1 == self.count:
            return 0
        row, following = self._rows[number], self._rows[number + 1]
        # The engine leaves a blank where a wide character did not fit.
        unfit = row[-1][1] == " " and cell_len(following[0][1]) == 2
        return len(row) - unfit


def starts(counts: Sequence[int], evicted: int) -> set[int]:
    """The rows that begin a line of the scrollback, from its `row_counts`."""
    return {count - counts[evicted] for count in counts[evicted:]}


def still(board: Any, lines: Any, history: int) -> BitttyStill:
    """Of what `board` shows, below the `history` rows of `lines` at its width."""
    page, view = board.display.page, lines.width(board.width)
    begins = starts(lines.row_counts(board.width), lines.first - lines._base)
    rows = [tuple(view[n]) for n in range(history)] + [tuple(row) for row in page.grid]
    wrapped = [n + 1 not in begins for n in range(history)] + list(page.wrapped_lines)
    return BitttyStill(rows, wrapped)
