"""What is opened from the history, pixel for pixel. Time stands still at `NOW`."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot

from supervisor.protocol.review import ReplayView
from tests.e2e.test_screens_snapshots import LEADER, NARROW, WIDE, settled, shown, until
from tests.e2e.test_screens_snapshots import same_everywhere as same_everywhere
from tests.support.fake_app import fake_app
from tests.support.fake_client import NOW, FakeClient, story
from tests.support.fake_recording import recording
from tui.screens.history import HistoryScreen
from tui.screens.past import ExportDialog, FiguresPage
from tui.screens.player import PlayerScreen
from tui.widgets.line import Line

OTHERWISE = ReplayView(
    seq=0, title="", then="allow", then_rules=("standard/git.push.task-branch",), now="deny",
    now_rules=("mine/no-pushes-on-fridays",), now_reason="nothing is pushed on a Friday",
    now_hint="push on Monday", policy_changed=True,
)  # fmt: skip
SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])


async def opened(pilot: Pilot[Any]) -> None:
    await settled(pilot)
    await pilot.press(LEADER, "h")
    await shown(pilot)


@SIZES
def test_replay(size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("down", "r")
        record = pilot.app.screen.query_one("#history-record", Line)
        await until(pilot, lambda: "ANOTHER" in record.said and "verified" in record.said)

    client = FakeClient(story())
    client.today = OTHERWISE
    assert snap_compare(fake_app(client), terminal_size=size, run_before=go)


@SIZES
def test_broken(size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press(LEADER, "h")
        await until(pilot, lambda: isinstance(pilot.app.screen, HistoryScreen))
        heading = pilot.app.screen.query_one("#history-title", Line)
        await until(pilot, lambda: "11 records" in heading.said)
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen.has_class("-detail"))
        await until(pilot, lambda: pilot.app.screen.query_one("#history-detail").size.width)
        record = pilot.app.screen.query_one("#history-record", Line)
        await until(pilot, lambda: "BROKEN" in record.said)
        await until(pilot, lambda: "chain ok" in heading.said)
        drawn = pilot.app.screen.query_one("#history-timeline", Line)
        await until(pilot, lambda: size == NARROW or "refused" in drawn.said)
        await pilot.pause()

    client = FakeClient(story())
    client.broken_at = 4109
    assert snap_compare(fake_app(client), terminal_size=size, run_before=go)


@SIZES
def test_figures(size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("f")
        await until(pilot, lambda: isinstance(pilot.app.screen, FiguresPage))
        await pilot.pause()

    assert snap_compare(fake_app(FakeClient(story())), terminal_size=size, run_before=go)


@SIZES
def test_export(size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(pilot.app.screen, ExportDialog))
        await pilot.pause()

    assert snap_compare(fake_app(FakeClient(story())), terminal_size=size, run_before=go)


@SIZES
def test_player(size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("down", "p")
        await until(pilot, lambda: isinstance(pilot.app.screen, PlayerScreen))
        title = pilot.app.screen.query_one("#player-title", Line)
        await until(pilot, lambda: "0:07 of" in title.said)
        record = pilot.app.screen.query_one("#player-record", Line)
        await until(pilot, lambda: "git push" in record.said)

    client = FakeClient(story())
    client.recorded["t-1"] = recording(NOW - 35)
    assert snap_compare(fake_app(client), terminal_size=size, run_before=go)
