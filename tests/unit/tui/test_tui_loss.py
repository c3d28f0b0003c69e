"""Leaving, losing and ending: what the screen says."""

from __future__ import annotations

import asyncio

from textual.widget import Widget

from supervisor.errors import VersionMismatch
from supervisor.protocol import wire
from tests.support.fake_app import fake_app
from tests.support.fake_client import NOW, FakeClient, story, task_view
from tests.support.tui_driver import Driver, running
from tui.widgets.line import Line


async def test_leaving_the_workspace_tells_what_goes_on() -> None:
    async with running() as d:
        await d.lead("q")
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.farewell == "5 tasks go on. `taskpass` returns."


async def test_a_lost_supervisor_is_said_and_found_again() -> None:
    async with running() as d:
        d.client.lose()
        await d.until(lambda: "supervisor lost – reconnecting" in d.said("header"))
        await d.press("h", "i")
        await d.until(lambda: d.typed == ["h", "i"])
        d.client.down = False
        await d.until(lambda: "tier A contained" in d.said("header"))
        assert len(d.client.requests("pair")) >= 2, "it pairs with the new supervisor"


async def test_a_tile_without_its_terminal_says_why_and_is_filled_later() -> None:
    async with running(size=(80, 24)) as d:
        d.client.lose()
        await d.pilot.resize_terminal(200, 60)
        await d.until(lambda: d.app.main.query("#tile-t-2"))
        tile = d.app.main.query_one("#tile-t-2")
        await d.until(lambda: "The supervisor is not running." in _words(tile))
        assert "Task 2: its terminal cannot be shown now." in _words(tile)
        assert "`taskpass doctor` says why" in _words(tile)
        d.client.down = False
        await d.until(lambda: d.app.main.query("#pane-t-2"))
        await d.until(lambda: not _words(tile))


def _words(tile: Widget) -> str:
    return "".join(line.said for line in tile.query(Line))


async def test_another_version_ends_the_app_with_one_sentence() -> None:
    class Other(FakeClient):
        async def connect(self) -> None:
            raise VersionMismatch("The supervisor speaks protocol 2.", hint="Stop it.")

    app = fake_app(Other(story()))
    async with app.run_test() as pilot:
        while app.is_running and app.return_value is None:
            await pilot.pause(0.01)
    assert (app.return_value, app.farewell) == (125, "The supervisor speaks protocol 2. Stop it.")


async def test_the_run_screen_ends_with_the_agents_exit_code() -> None:
    async with running(shape="run", size=(80, 24)) as d:
        assert "claude-code" in d.said("status")
        assert "▲1" in d.said("status")
        other = task_view(2, "other", ended=NOW, exit_code=9, state="ended")
        d.client.send(wire.TaskChanged(task=other))
        d.client.send(
            wire.TaskChanged(task=task_view(1, "x", ended=NOW, exit_code=7, state="ended"))
        )
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value == 7


async def test_the_pane_tells_the_exit_code_when_the_supervisor_cannot() -> None:
    async with running(shape="run") as d:
        d.client.lose()
        d.client.panes["t-1"].end(3)
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value == 3
    assert any("Welcome to claude-code" in row for row in d.app.last_screen)


async def test_a_revoked_run_says_why_it_ended() -> None:
    async with running(shape="run") as d:
        await d.lead("x")
        await d.until(lambda: "✕ revoked" in d.said("status"))
        d.client.panes["t-1"].end(137)
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value == 137
    assert d.app.farewell.startswith("The task was revoked")


async def test_leaving_the_run_screen_lets_the_task_go_on() -> None:
    async with running(shape="run") as d:
        await d.lead("q")
        await asyncio.wait_for(_gone(d), 5)
    assert d.app.return_value is None
    assert "`taskpass` returns" in d.app.farewell


async def _gone(d: Driver) -> None:
    while d.app._exit is False:
        await d.pilot.pause(0.01)
