"""How many panes fit, and which of them are shown together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.tiles import MOST, ONE, Grid, arrange, page


@pytest.mark.parametrize(
    ("wanted", "area", "grid"),
    [
        (0, (82, 38), ONE),
        (1, (200, 60), ONE),
        (2, (82, 38), Grid(2, 1, 2)),  # a terminal of 120×40, beside the side column
        (6, (82, 38), Grid(2, 1, 2)),
        (2, (166, 50), Grid(2, 2, 1)),  # two terminals of eighty columns beside each other
        (3, (166, 50), Grid(3, 2, 2)),  # the last takes the rest of its row
        (3, (122, 45), Grid(3, 1, 3)),
        (4, (162, 50), Grid(4, 2, 2)),
        (6, (164, 56), Grid(4, 2, 2)),  # a terminal of 200×60
        (6, (216, 76), Grid(6, 2, 3)),  # … of 300×80, with two side columns
        (9, (400, 100), Grid(6, 3, 2)),
        (4, (100, 20), ONE),
        (4, (0, 0), ONE),
    ],
)
def test_as_many_as_can_be_read(wanted: int, area: tuple[int, int], grid: Grid) -> None:
    assert arrange(wanted, *area) == grid


@given(wanted=st.integers(0, 12), width=st.integers(0, 500), height=st.integers(0, 200))
def test_every_tile_has_a_place_and_no_row_is_empty(wanted: int, width: int, height: int) -> None:
    grid = arrange(wanted, width, height)
    assert 1 <= grid.count <= MOST
    assert grid.count <= max(1, wanted)
    assert sum(grid.spans()) == grid.columns * grid.rows
    assert all(1 <= span <= grid.columns for span in grid.spans())


@given(count=st.integers(1, 12), size=st.integers(1, 4), data=st.data())
def test_a_page_holds_the_focused_task_and_its_neighbours(
    count: int, size: int, data: st.DataObject
) -> None:
    tasks = [f"t-{n}" for n in range(count)]
    at = data.draw(st.integers(0, count - 1))
    shown = page(tasks, tasks[at], size)
    assert tasks[at] in shown
    assert len(shown) == min(size, count)
    assert shown == tasks[tasks.index(shown[0]) :][: len(shown)], "in their order, without gaps"
    if at % size and at + 1 < count:
        assert shown == page(tasks, tasks[at - 1], size), "the panes stay where they are"
