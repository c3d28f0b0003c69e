"""The first run's screen, pixel for pixel, at both sizes it is made for.

After an intended change: `pytest tests/e2e/test_first_run_screen.py --snapshot-update`, and look at
each picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.support.first_run import ROWS, SHEET, press_b
from tui.first_run import FirstRunApp, Sheet, Told

SIZES = {"80x24": (80, 24), "120x40": (120, 40)}


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(FirstRunApp, "ARMED_AFTER", 0.01)


async def one_fails(rows: Sequence[int]) -> Sequence[Told]:
    return [
        Told(True, "github: gh's log-in at github.com is lent to tasks, by use"),
        Told(False, ".env was changed meanwhile; it is left as it is. Run `taskpass setup`."),
    ]


def compared(snap_compare: Any, sheet: Sheet, size: str, *keys: str) -> bool:
    async def go(pilot: Pilot[Any]) -> None:
        await press_b(pilot, keys)

    app = FirstRunApp(sheet, one_fails)
    return bool(snap_compare(app, terminal_size=SIZES[size], run_before=go))


@pytest.mark.parametrize("size", SIZES)
def test_as_it_opens(size: str, snap_compare: Any) -> None:
    assert compared(snap_compare, SHEET, size)


@pytest.mark.parametrize("size", SIZES)
def test_a_choice_and_a_row_in_focus(size: str, snap_compare: Any) -> None:
    assert compared(snap_compare, SHEET, size, "space", "down", "down", "down", "down")


def test_what_went_wrong(snap_compare: Any) -> None:
    assert compared(snap_compare, SHEET, "80x24", "b")


def test_uncontained(snap_compare: Any) -> None:
    rows = tuple(
        row if row.choosable else replace(row, does="stays readable", exposed=True) for row in ROWS
    )
    sheet = replace(
        SHEET,
        contained=False,
        containment="uncontained: an agent can read and do what you can",
        rows=rows,
    )
    assert compared(snap_compare, sheet, "80x24")


def test_nothing_found(snap_compare: Any) -> None:
    assert compared(snap_compare, replace(SHEET, rows=(), agents=()), "80x24")
