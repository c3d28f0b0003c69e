"""An app over a fake supervisor, driven by keys."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from textual.pilot import Pilot

from supervisor.protocol import wire
from tests.support.fake_app import fake_app
from tests.support.fake_client import FakeClient, story
from tui.app import TaskpassApp
from tui.widgets.dock import ApprovalDock
from tui.widgets.line import Line
from tui.widgets.panes import Tile
from tui.widgets.paper import Paper

LEADER = "ctrl+backslash"


class Driver:
    """One running app, its pilot and its supervisor."""

    def __init__(self, app: TaskpassApp, client: FakeClient, pilot: Pilot[int]) -> None:
        self.app, self.client, self.pilot = app, client, pilot

    async def until(self, true: Callable[[], object], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < deadline, "it did not come true in time"
            await self.pilot.pause(0.01)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def lead(self, key: str) -> None:
        await self.press(LEADER, key)

    @property
    def dock(self) -> ApprovalDock:
        return self.app.main.dock

    async def open_dock(self) -> None:
        """Open the dock and wait until it takes answers."""
        await self.lead("a")
        await self.until(lambda: self.dock.has_focus)
        await self.until(lambda: not self.dock.gate.arms_in(time.monotonic()))

    def stop_the_clock(self) -> None:
        """Time stands still for the gate of approvals from here on."""
        now = self.dock.ticks()
        self.dock.ticks = lambda: now

    async def approvable(self) -> None:
        await self.open_dock()
        await self.until(lambda: self.dock.gate.may_approve(time.monotonic()))

    async def click(self, name: str, words: str) -> None:
        """Click on `words` in a line of chrome."""
        for row, line in enumerate(self.said(name).split("\n")):
            if words in line:
                await self.pilot.click(f"#{name}", offset=(line.index(words), row))
                return
        raise AssertionError(f"{words!r} is not in {self.said(name)!r}")

    def said(self, name: str) -> str:
        return self.app.main.query_one(f"#{name}", Line).said

    @property
    def paper(self) -> str:
        """What the dock shows of a request."""
        paper = self.dock.query_one(Paper)
        return "\n".join(paper.render_line(row).text for row in range(paper.size.height))

    def tile(self, task: str) -> Tile:
        return self.app.main.query_one(f"#tile-{task}", Tile)

    @property
    def toasts(self) -> list[str]:
        return [notice.message for notice in self.app._notifications]

    @property
    def answers(self) -> list[tuple[str, wire.AnswerApproval]]:
        return self.client.requests("answer")

    @property
    def typed(self) -> list[str]:
        return [key for key, _ in self.client.panes["t-1"].keys]


@asynccontextmanager
async def running(
    snapshot: wire.Snapshot | None = None,
    *,
    size: tuple[int, int] = (120, 40),
    client: FakeClient | None = None,
    **more: Any,
) -> AsyncIterator[Driver]:
    client = client or FakeClient(snapshot or story())
    more.setdefault("task", "t-1")
    app = fake_app(client, **more)
    async with app.run_test(size=size, notifications=True) as pilot:
        driver = Driver(app, client, pilot)
        if any(task.id == "t-1" for task in client.state.tasks) and not client.down:
            await driver.until(lambda: app.focused is not None and app.focused.id == "pane-t-1")
        yield driver


def asking(*requests: Any) -> wire.Snapshot:
    return msgspec.structs.replace(story(), approvals=requests)
