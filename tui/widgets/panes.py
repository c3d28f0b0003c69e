"""The panes of all tasks, one shown at a time; each is attached when it is first looked at."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.containers import Container
from textual.message import Message
from textual.widget import Widget
from textual.widgets import ContentSwitcher

from supervisor import wire
from supervisor.errors import TaskpassError
from tui import palette
from tui.widgets.line import Line
from tui.world import is_gone

if TYPE_CHECKING:
    from supervisor.client import AsyncClient, PaneConnection

_WELCOME = "welcome"
_RETRY_SECONDS = 1.0


class Panes(Container):
    """Holds one terminal a task, and a text where there is none."""

    class Failed(Message):
        """A pane could not be attached."""

        def __init__(self, error: TaskpassError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, client: AsyncClient, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._client = client
        self._shown = ""
        self._attached: dict[str, Widget] = {}
        self._asked: set[str] = set()
        self._failed: set[str] = set()
        self._connections: dict[str, PaneConnection] = {}

    def compose(self) -> ComposeResult:
        with ContentSwitcher(initial=_WELCOME):
            yield Line(id=_WELCOME)

    def on_mount(self) -> None:
        self.query_one(f"#{_WELCOME}", Line).say(_welcome())

    @property
    def shown(self) -> str:
        """Id of the task that is shown, "" for none."""
        return self._shown

    def terminal(self) -> Widget | None:
        """The pane that is shown and can take keys."""
        pane = self._attached.get(self._shown)
        return pane if pane is not None and pane.can_focus else None

    def press(self, key: str) -> None:
        """Send a key to the pane that is shown: for the leader, which no pane ever sees."""
        connection = self._connections.get(self._shown)
        if connection is not None:
            connection.key(key)

    def show(self, task: wire.TaskView | None) -> None:
        """Bring a task's pane to the front, attaching it if need be."""
        self._shown = task.id if task else ""
        if task is None:
            self.query_one(ContentSwitcher).current = _WELCOME
        elif task.id in self._attached:
            self._front(task.id)
        elif task.id not in self._asked:
            self._asked.add(task.id)
            self._connect(task)

    def _front(self, task: str) -> None:
        if task != self._shown:
            return
        pane = self._attached[task]
        self.query_one(ContentSwitcher).current = pane.id
        # Focus moves with the pane, but is never taken from a dock or a dialog.
        if pane.can_focus and (self.screen.focused is None or self._has(self.screen.focused)):
            pane.focus()

    def _has(self, widget: Widget) -> bool:
        return self in widget.ancestors

    @work(group="attach")
    async def _connect(self, task: wire.TaskView) -> None:
        from tui.widgets.terminal import TerminalPane

        pane: Widget
        size = self.content_size
        if not task.pane:
            pane = self._text(task, "It was started with --headless: it has no terminal.")
        else:
            try:
                connection = await self._client.attach(
                    task.id, max(20, size.width), max(5, size.height)
                )
            except TaskpassError as error:
                if not is_gone(task):
                    await self._later(task, error)
                    return
                pane = self._text(task, "It has ended: its terminal is gone.")
            else:
                self._connections[task.id] = connection
                pane = TerminalPane(connection, id=f"pane-{task.id}")
        await self.query_one(ContentSwitcher).mount(pane)
        self._attached[task.id] = pane
        self._front(task.id)

    def _text(self, task: wire.TaskView, sentence: str) -> Line:
        pane = Line(id=f"pane-{task.id}", classes="no-pane")
        pane.say(Text(f"Task {task.number}: {sentence}", palette.MUTED))
        return pane

    async def _later(self, task: wire.TaskView, error: TaskpassError) -> None:
        """Say once that the pane cannot be attached; the next drawing tries again."""
        if task.id not in self._failed:
            self._failed.add(task.id)
            self.post_message(self.Failed(error))
        await asyncio.sleep(_RETRY_SECONDS)
        self._asked.discard(task.id)


def _welcome() -> Text:
    text = Text()
    text.append("No task runs.\n\n", f"bold {palette.TEXT}")
    text.append("^\\ n", f"bold {palette.AMBER}")
    text.append("  starts an agent here\n", palette.TEXT)
    text.append("taskpass run -- claude", f"bold {palette.TEAL}")
    text.append("  starts one in another terminal\n\n", palette.TEXT)
    text.append("^\\ ?", f"bold {palette.AMBER}")
    text.append("  tells the keys", palette.TEXT)
    return text
