"""One inbox for all that waits."""

from __future__ import annotations

import pytest
from textual.widgets import OptionList

from supervisor.model import Risk
from supervisor.protocol import wire
from tests.support.fake_client import approval
from tests.support.tui_driver import Driver, asking, running
from tests.unit.tui.test_tui_mouse import click
from tui.screens.inbox import InboxScreen
from tui.widgets.line import Line

THREE = (
    approval(1, title="npm install left-pad"),
    approval(2, task="t-2", title="cargo publish\nand more", risk=Risk.HIGH, code="K7"),
    approval(3, title="npm install left-pad"),
)


async def inbox(d: Driver) -> InboxScreen:
    await d.lead("i")
    await d.until(lambda: isinstance(d.app.screen, InboxScreen))
    assert isinstance(d.app.screen, InboxScreen)
    return d.app.screen


def rows(screen: InboxScreen) -> list[str]:
    return [str(option.prompt) for option in screen.query_one(OptionList).options]


async def test_it_lists_every_task_oldest_first_with_what_waits_how_long() -> None:
    async with running(asking(*THREE)) as d:
        first, second = rows(await inbox(d))
        assert "1 claude  flaky checkout" in first
        assert "waits 0:18  denied in 9:49" in first
        assert "npm install left-pad" in first
        assert "×2  medium risk" in first
        assert "2 codex  upgrade pg14→16" in second
        assert "cargo publish" in second
        assert "and more" not in second
        assert "HIGH risk" in second


async def test_enter_opens_one_and_answers_nothing() -> None:
    async with running(asking(*THREE)) as d:
        await inbox(d)
        await d.press("down", "enter", "enter", "O")
        await d.until(lambda: d.dock.display and d.dock.has_focus)
        assert "cargo publish" in d.paper
        assert "APPROVAL 2 of 2" in str(d.dock.border_title)
        assert d.answers == []


async def test_it_works_by_mouse_and_a_double_click_answers_nothing() -> None:
    async with running(asking(*THREE)) as d:
        await inbox(d)
        await d.pilot.click("#inbox-list", offset=(4, 2), times=2)
        await d.until(lambda: d.dock.display and d.dock.has_focus)
        assert "cargo publish" in d.paper
        assert d.answers == []


@pytest.mark.parametrize(("shape", "before"), [("workspace", "wants"), ("run", "ana@laptop")])
async def test_the_line_that_tells_what_waits_opens_it_by_a_click(shape: str, before: str) -> None:
    async with running(asking(*THREE), shape=shape) as d:
        await click(d, "a answer", after=before)
        await d.until(lambda: d.dock.display and d.dock.has_focus)
        assert "npm install" in d.paper
        assert d.answers == []


async def test_it_follows_the_queue_and_keeps_its_place() -> None:
    async with running(asking(*THREE)) as d:
        screen = await inbox(d)
        await d.press("down")
        d.client.send(wire.ApprovalAnswered(id="a-1", answer="denied", by="another screen"))
        d.client.send(wire.ApprovalAnswered(id="a-3", answer="denied", by="another screen"))
        await d.until(lambda: len(rows(screen)) == 1)
        assert screen.query_one(OptionList).highlighted == 0
        assert "cargo publish" in rows(screen)[0]
        d.client.send(wire.ApprovalAnswered(id="a-2", answer="denied", by="another screen"))
        await d.until(lambda: "Nothing waits" in screen.query_one("#inbox-empty", Line).said)


async def test_what_was_answered_meanwhile_is_not_opened() -> None:
    async with running(asking(approval(1))) as d:
        await inbox(d)
        d.app.world.approvals.clear()
        await d.press("enter")
        await d.until(lambda: "It waits no more." in d.toasts)
        assert not d.dock.display


async def test_an_agents_text_plays_no_tricks_in_it() -> None:
    async with running(asking(approval(1, title="ls \u202e\x1b[2J[red]x"))) as d:
        assert "ls ··[2J[red]x" in rows(await inbox(d))[0]
