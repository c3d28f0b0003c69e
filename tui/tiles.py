"""How many panes fit beside each other, and which. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

MOST: Final = 6
# Cells of a tile with its border: below this an agent's screen is no use to anybody.
_LEAST_WIDTH, _LEAST_HEIGHT = 60, 14
# More than this many are shown only where each still has the height of a small terminal.
_FEW: Final = 4
_ROOMY_HEIGHT: Final = 24
_GOOD_WIDTH: Final = 82  # eighty columns and the border: what agents are drawn for


@dataclass(frozen=True, slots=True)
class Grid:
    """`count` tiles in `columns` and `rows`."""

    count: int
    columns: int
    rows: int

    def spans(self) -> list[int]:
        """How many columns each tile takes: the last one takes what is left of its row."""
        spans = [1] * self.count
        spans[-1] += self.columns * self.rows - self.count
        return spans


ONE: Final = Grid(1, 1, 1)


def arrange(wanted: int, width: int, height: int) -> Grid:
    """The grid that shows most of `wanted` panes in an area, and of those the best to read."""
    best, best_worth = ONE, (1, width >= _GOOD_WIDTH, 0)
    for count in range(2, min(wanted, MOST) + 1):
        for columns in range(1, count + 1):
            rows = ceil(count / columns)
            if columns * rows - count >= columns:
                continue  # a whole row would be empty
            tile_width, tile_height = width // columns, height // rows
            least = _LEAST_HEIGHT if count <= _FEW else _ROOMY_HEIGHT
            if tile_width < _LEAST_WIDTH or tile_height < least:
                continue
            worth = (count, tile_width >= _GOOD_WIDTH, min(tile_width, 3 * tile_height))
            if worth > best_worth:
                best, best_worth = Grid(count, columns, rows), worth
    return best


def page(tasks: Sequence[str], focused: str, size: int) -> list[str]:
    """The `size` tasks that are shown together with the focused one.

    Tasks keep their neighbours: the focus moves between the same panes until it leaves them.
    """
    if focused not in tasks:
        return list(tasks[:size])
    start = tasks.index(focused) // size * size
    # A last page that is not full is filled from the page before it.
    start = max(0, min(start, len(tasks) - size))
    return list(tasks[start : start + size])
