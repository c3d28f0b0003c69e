"""Tasks in panes."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from textual import events

from supervisor.errors import Denied
from supervisor.protocol import wire
from tests.support.fake_client import NOW, approval, task_view
from tests.support.tui_driver import running
from tui.widgets.line import Line
from tui.widgets.panes import Tile


async def test_digits_and_tab_show_other_tasks() -> None:
    async with running() as d:
        await d.lead("2")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")
        assert "upgrade pg14→16" in d.said("header")
        await d.lead("tab")
        await d.until(lambda: "docs" in d.said("header"))
        await d.lead("9")
        await d.until(lambda: "There is no task 9." in d.toasts)


async def test_panes_are_tiled_where_there_is_room_and_the_focus_moves_among_them() -> None:
    async with running(size=(120, 40)) as d:
        panes = d.app.main.panes
        assert panes.shown == ["t-1", "t-2"]
        await d.until(lambda: {"t-1", "t-2"} <= d.client.panes.keys())
        await d.until(lambda: d.tile("t-2").region.y > d.tile("t-1").region.y)
        assert "flaky checkout" in str(d.tile("t-1").border_title)
        await d.lead("2")
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")
        assert panes.shown == ["t-1", "t-2"], "the panes stay where they are"
        await d.press("x")
        assert [key for key, _ in d.client.panes["t-2"].keys] == ["x"]
        assert d.typed == []
        await d.lead("3")
        await d.until(lambda: panes.shown == ["t-3", "t-4"])


async def test_what_is_typed_before_a_pane_is_attached_reaches_it_and_no_other() -> None:
    async with running(size=(80, 24)) as d:
        d.client.attachable.clear()
        await d.lead("2")
        await d.until(lambda: "t-2" in d.client.requests("attach"))
        await d.press("l", "s")
        d.client.attachable.set()
        keys = [f"f{n % 9 + 1}" for n in range(60)]
        for key in keys:  # and while it is being put in its place
            d.app.post_message(events.Key(key, None))
            await asyncio.sleep(0)
        await d.until(lambda: len(d.client.panes["t-2"].keys) == len(keys) + 2)
        assert [key for key, _ in d.client.panes["t-2"].keys] == ["l", "s", *keys]
        assert d.typed == []


async def test_a_click_into_another_pane_goes_there() -> None:
    async with running() as d:
        await d.until(lambda: "t-2" in d.client.panes and d.tile("t-2").children)
        await d.until(lambda: d.tile("t-2").region.height > 5)
        await d.pilot.click("#pane-t-2")
        await d.until(lambda: "upgrade pg14→16" in d.said("header"))
        assert d.app.view().task is not None
        await d.lead("f")
        await d.until(lambda: d.client.requests("freeze_task"))
        assert d.client.requests("freeze_task") == ["t-2"]


async def test_zoom_gives_one_pane_the_room_and_keeps_the_identity() -> None:
    async with running() as d:
        before = d.tile("t-1").size
        await d.lead("z")
        await d.until(lambda: d.app.main.panes.shown == ["t-1"])
        await d.until(lambda: d.tile("t-1").size.height > before.height)
        assert d.app.focused is not None
        assert d.app.focused.id == "pane-t-1"
        header = d.app.main.query_one("#header", Line)
        assert header.display
        assert "ana@laptop › claude-code 2.1.330 › laptop › flaky checkout" in header.said
        await d.lead("z")
        await d.until(lambda: d.app.main.panes.shown == ["t-1", "t-2"])


async def test_a_task_that_waits_for_an_answer_says_so_whatever_else_it_does() -> None:
    task = task_view(1, "flaky checkout", state="waiting for you")
    async with running(
        wire.Snapshot(session="s", now=NOW, tasks=(task,), approvals=(approval(1),))
    ) as d:
        await d.until(lambda: "▲ waiting for approval" in str(d.tile("t-1").border_title))
        d.client.send(wire.ApprovalAnswered(id="a-1", answer="denied", by="ana"))
        await d.until(lambda: "◐ waiting for you" in str(d.tile("t-1").border_title))


async def test_a_pane_that_could_not_be_attached_is_tried_again() -> None:
    async with running(size=(80, 24)) as d:
        d.client.refuse = Denied("The holder is busy.")
        await d.lead("2")
        await d.until(lambda: "The holder is busy." in d.toasts)
        d.client.refuse = None
        await d.until(lambda: d.app.focused is not None and d.app.focused.id == "pane-t-2")


async def test_a_second_that_changes_nothing_draws_no_tile_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Tile] = []
    async with running() as d:
        await d.until(lambda: d.app.main.query(Tile))
        monkeypatch.setattr(Tile, "refresh", lambda self, *_, **__: drawn.append(self) or self)
        d.app.draw()
        assert drawn == []
        task = msgspec.structs.replace(d.client.state.tasks[0], purpose="another one")
        d.client.send(wire.TaskChanged(task=task))
        await d.until(lambda: drawn)
