"""The first run's screen: one question, nothing before its key, and readable without colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from textual.widgets import OptionList

from tests.support.first_run import ROWS, SHEET, press_b
from tui.first_run import Choice, FirstRunApp, Sheet, Told
from tui.widgets.line import Line


@pytest.fixture(autouse=True)
def soon_armed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FirstRunApp, "ARMED_AFTER", 0.01)


class Broker:
    """Writes down what it was asked to broker."""

    def __init__(self, *told: Told) -> None:
        self.asked: list[list[int]] = []
        self._told = told

    async def __call__(self, rows: Sequence[int]) -> Sequence[Told]:
        self.asked.append(list(rows))
        return self._told or [Told(True, f"row {row} is lent") for row in rows]


async def after(
    *keys: str, sheet: Sheet = SHEET, broker: Broker | None = None, armed: bool = True
) -> tuple[FirstRunApp, Broker]:
    """The app after these keys."""
    broker = broker or Broker()
    app = FirstRunApp(sheet, broker)
    async with app.run_test(size=(80, 24)) as pilot:
        if armed:
            await press_b(pilot, ())
        for key in keys:
            await pilot.press(key)
        await pilot.pause()
        app.screen_text = shown(app)  # type: ignore[attr-defined]
    return app, broker


def shown(app: FirstRunApp) -> str:
    lines = [line.said for line in app.query(Line)] if app.is_running else []
    rows = app.query_one(OptionList)
    return "\n".join([*lines, *(str(rows.get_option_at_index(n).prompt) for n in range(len(ROWS)))])


async def test_one_key_brokers_what_is_chosen_and_goes_on() -> None:
    app, broker = await after("b")
    assert (broker.asked, app.return_value) == ([[0, 1]], Choice.BROKER)
    assert [told.words for told in app.told] == ["row 0 is lent", "row 1 is lent"]


async def test_a_row_can_be_left_out_and_one_that_cannot_be_lent_is_not_chosen() -> None:
    app, broker = await after("space", "down", "down", "space", "b")
    assert (broker.asked, app.return_value) == ([[1]], Choice.BROKER)


async def test_with_nothing_chosen_nothing_is_brokered() -> None:
    app, broker = await after("space", "down", "space", "b")
    assert (broker.asked, app.return_value) == ([], Choice.BROKER)


@pytest.mark.parametrize(
    ("key", "choice"), [("s", Choice.SKIP), ("d", Choice.DEMO), ("ctrl+c", Choice.LEAVE)]
)
async def test_other_keys_broker_nothing(key: str, choice: Choice) -> None:
    app, broker = await after(key)
    assert (broker.asked, app.return_value) == ([], choice)


async def test_what_was_typed_before_the_screen_decides_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(FirstRunApp, "ARMED_AFTER", 60.0)
    app, broker = await after("b", "s", "enter", "y", armed=False)
    assert (broker.asked, app.return_value) == ([], None)


async def test_a_failure_is_shown_and_waits_for_the_person() -> None:
    broker = Broker(Told(False, "gh says: log in first"), Told(True, "row 1 is lent"))
    app, _ = await after("b", "b", "s", broker=broker)
    assert "! gh says: log in first" in app.screen_text  # type: ignore[attr-defined]
    assert (len(broker.asked), app.return_value) == (1, None)
    app, _ = await after("b", "enter", broker=broker)
    assert app.return_value is Choice.BROKER


async def test_what_stays_readable_says_so_without_colours_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app, _ = await after()
    text = app.screen_text  # type: ignore[attr-defined]
    assert "! with it too" in text
    assert "! stays readable" in text
    assert "[x] github.com" in text


async def test_a_name_in_a_file_plays_no_tricks_on_the_screen() -> None:
    tricky = replace(ROWS[0], title="a\x1b[2Jb\u202ec", about="x\ny", more="\x9b2J")
    app, _ = await after(sheet=replace(SHEET, rows=(tricky, *ROWS[1:])))
    text = app.screen_text  # type: ignore[attr-defined]
    assert not {"\x1b", "\u202e", "\x9b"} & set(text)
    assert "a·[2Jb·c" in text


async def test_without_anything_found_there_is_still_one_key() -> None:
    app = FirstRunApp(replace(SHEET, rows=()), Broker())
    async with app.run_test(size=(80, 24)) as pilot:
        await press_b(pilot)
    assert app.return_value is Choice.BROKER


async def test_every_row_of_a_long_list_can_be_reached() -> None:
    rows = tuple(replace(ROWS[0], title=f"host-{n}", chosen=False) for n in range(40))
    _, broker = await after("end", "space", "b", sheet=replace(SHEET, rows=rows))
    assert broker.asked == [[39]]
