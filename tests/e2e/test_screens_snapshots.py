"""Every screen, pixel for pixel, at both sizes it is made for. Time stands still at `NOW`.

After an intended change: `pytest tests/e2e/test_screens_snapshots.py --snapshot-update`, and look
at each picture.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from supervisor.model import Effect, Verb
from supervisor.protocol import wire
from tests.support.fake_app import fake_app
from tests.support.fake_client import NOW, FakeClient, approval, change_set, story
from tui.app import TaskpassApp
from tui.screens.changes import ChangesScreen
from tui.screens.history import HistoryScreen
from tui.widgets.line import Line
from tui.widgets.terminal import TerminalPane

LEADER = "ctrl+backslash"
WIDE, NARROW = (120, 40), (80, 24)
EDIT = approval(
    1, title="Edit write /home/ana/shop/.github/workflows/deploy.yml",
    effects=(Effect(Verb.WRITE, "/home/ana/shop/.github/workflows/deploy.yml",
                    {"inside": True, "label": "ci", "content": "sensitive"}),),
    asking=("standard/ask.ci",), reason="It runs elsewhere, with the repository's secrets.",
    cwd="/home/ana/shop", change=("+ write …/deploy.yml", "has github at api.github.com (7 used)"),
    agent_note="let the deploy run on main as well",
    diff="--- a/.github/workflows/deploy.yml\n+++ b/.github/workflows/deploy.yml\n"
         "@@ -1,4 +1,5 @@\n on:\n   push:\n"
         "-    branches: [release]\n+    branches: [release, main]\n"
         "+  workflow_dispatch:\n jobs:\n   deploy:\n",
)  # fmt: skip
EMPTY = wire.Snapshot(session="s-fake", now=NOW)


@pytest.fixture(autouse=True)
def same_everywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone, one colour depth, no blinking."""
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(Input, "cursor_blink", False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


async def until(pilot: Pilot[Any], true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "it did not come true in time"
        await pilot.pause(0.01)
    await pilot.pause()


async def settled(pilot: Pilot[Any]) -> None:
    app = pilot.app
    assert isinstance(app, TaskpassApp)
    client = app.client
    assert isinstance(client, FakeClient)
    if client.state.tasks:
        await until(pilot, lambda: app.focused is not None and app.focused.id == "pane-t-1")
        await until(pilot, lambda: "Welcome" in app.focused.render_line(0).text)
        await until(pilot, lambda: all(_has_frame(app, task) for task in app.main.panes.shown))
    await until(pilot, lambda: app.main.query(Line).first().said)


SCREENS = {
    "workspace": [],
    "leader": [LEADER],
    "dock": [LEADER, "a"],
    "grants": [LEADER, "g"],
    "history": [LEADER, "h"],
    "help": [LEADER, "question_mark"],
    "new": [LEADER, "n"],
    "identity": [LEADER, "4", LEADER, "I"],
    "inbox": [LEADER, "i"],
}


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
@pytest.mark.parametrize("screen", SCREENS)
def test_workspace(screen: str, size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press(*SCREENS[screen])
        await shown(pilot)

    assert snap_compare(fake_app(FakeClient(story())), terminal_size=size, run_before=go)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
def test_edit(size: tuple[int, int], snap_compare: Any) -> None:
    """A change of a file that a person is asked about, read to its end."""

    async def go(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press(LEADER, "a")
        await until(pilot, lambda: pilot.app.focused is not None and pilot.app.focused.id is None)
        await pilot.press("end")
        await shown(pilot)

    state = msgspec.structs.replace(story(), approvals=(EDIT,))
    assert snap_compare(fake_app(FakeClient(state)), terminal_size=size, run_before=go)


@pytest.mark.parametrize("keys", [[], [LEADER, "a"]], ids=["calm", "dock"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
def test_run(keys: list[str], size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press(*keys)
        await shown(pilot)

    app = fake_app(FakeClient(story()), "run", task="t-1")
    assert snap_compare(app, terminal_size=size, run_before=go)


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["120x40", "80x24"])
def test_changes(size: tuple[int, int], snap_compare: Any) -> None:
    async def go(pilot: Pilot[Any]) -> None:
        await settled(pilot)
        await pilot.press(LEADER, "c")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChangesScreen))
        await shown(pilot)

    client = FakeClient(story())
    client.change_sets = [change_set("t-1")]
    assert snap_compare(fake_app(client), terminal_size=size, run_before=go)


def test_empty_workspace(snap_compare: Any) -> None:
    app = fake_app(FakeClient(EMPTY))
    assert snap_compare(app, terminal_size=WIDE, run_before=settled)


async def shown(pilot: Pilot[Any]) -> None:
    """Wait for what arrives after the keys: an armed dock, a pane in front, loaded records."""
    app = pilot.app
    assert isinstance(app, TaskpassApp)
    dock, top = app.main.dock, app.screen
    if dock.display:
        await until(pilot, lambda: dock.gate.end_seen and not dock.gate.arms_in(time.monotonic()))
        await until(pilot, lambda: "armed" in dock.query_one("#dock-foot", Line).said)
    if isinstance(top, HistoryScreen):
        title = top.query_one("#history-title", Line)
        await until(pilot, lambda: "11 records" in title.said and "chain ok" in title.said)
        record = top.query_one("#history-record", Line)
        await until(pilot, lambda: "verified" in record.said)
        drawn = top.query_one("#history-timeline", Line)
        await until(pilot, lambda: app.size.height < 30 or "refused" in drawn.said)
    # Their rows, too: every pane on show is attached and has its first frame.
    await until(pilot, lambda: all(_has_frame(app, task) for task in app.main.panes.shown))


def _has_frame(app: TaskpassApp, task: str) -> bool:
    panes = app.main.panes.query(TerminalPane).filter(f"#pane-{task}")
    return any("Welcome" in pane.render_line(0).text for pane in panes)
