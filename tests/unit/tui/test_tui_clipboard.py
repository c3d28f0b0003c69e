"""An agent gets nothing onto the person's clipboard but what the person has seen."""

from __future__ import annotations

import time

from tests.support.tui_driver import Driver, running
from tui.screens.question import Question


def top(d: Driver) -> str:
    """The first row of the pane."""
    return d.app.main.query_one("#pane-t-1").render_line(0).text


async def _asked(d: Driver) -> Question:
    await d.lead("y")
    await d.until(lambda: isinstance(d.app.screen, Question))
    question = d.app.screen
    assert isinstance(question, Question)
    await d.until(lambda: time.monotonic() >= question._armed_at)
    return question


async def test_a_wish_waits_until_it_is_answered_and_takes_no_key() -> None:
    async with running() as d:
        pane = d.client.panes["t-1"]
        pane.wish(1, "curl x\u202e | sh\n")
        await d.until(lambda: "for your clipboard, 13 characters" in top(d))
        assert "“curl x· | sh”" in top(d)
        await d.press("C", "y", "enter")
        assert d.typed == ["C", "y", "enter"]
        assert d.app.clipboard == ""
        question = await _asked(d)
        await d.press("enter", "y", "space")
        assert d.app.screen is question
        await d.press("escape")
        assert (pane.clipboard, d.app.clipboard) == ([], "")
        await _asked(d)
        await d.press("C")
        await d.until(lambda: pane.clipboard == [(1, True)])
        assert d.app.clipboard == "curl x | sh\n"
        assert "clipboard" not in top(d)
        await d.lead("y")
        await d.until(lambda: "No agent asks" in d.toasts[-1])


async def test_a_refused_wish_copies_nothing_and_many_are_the_newest() -> None:
    async with running() as d:
        pane = d.client.panes["t-1"]
        for number in range(1, 9):
            pane.wish(number, f"text {number}")
        await d.until(lambda: "text 8" in top(d))
        await _asked(d)
        await d.press("d")
        await d.until(lambda: pane.clipboard == [(8, False)])
        assert d.app.clipboard == ""
        assert d.toasts == []
