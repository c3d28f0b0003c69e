"""The two shapes of the main screen: one agent in a terminal, and the workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.content import Content
from textual.screen import Screen

from supervisor import wire
from tui import lines
from tui.lines import View
from tui.text import STATE_SYMBOL, clip, one_line, task_state
from tui.widgets.dock import ApprovalDock
from tui.widgets.line import Line
from tui.widgets.panes import Panes
from tui.widgets.side import Side

if TYPE_CHECKING:
    from supervisor.client import AsyncClient


class MainScreen(Screen[None], inherit_bindings=False):
    """What both shapes share. It has no key bindings: every key belongs to the focused pane."""

    # Focus goes where the app puts it: never to a dock or a field by itself.
    AUTO_FOCUS = ""

    def __init__(self, client: AsyncClient, clock: Callable[[], float]) -> None:
        super().__init__()
        # Classes by width in columns.
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]
        self._client = client
        self._clock = clock

    @property
    def panes(self) -> Panes:
        return self.query_one(Panes)

    @property
    def dock(self) -> ApprovalDock:
        return self.query_one(ApprovalDock)

    def show(self, view: View) -> None:
        """Draw what is known now."""
        self.dock.show(view)

    def show_keys(self, text: Text | None) -> None:
        """Show what may follow the leader, above the last line; None hides it."""
        line = self.query_one("#which-key", Line)
        if text is not None:
            line.say(text)
        line.display = text is not None

    def back_to_pane(self) -> None:
        """Give the keys to the pane that is shown."""
        pane = self.panes.terminal()
        if pane is not None:
            pane.focus()
        else:
            self.set_focus(None)


class RunScreen(MainScreen):
    """`taskpass run -- X`: the agent has the terminal, but for one line."""

    def compose(self) -> ComposeResult:
        with Container(id="stage"):
            yield Panes(self._client)
            yield ApprovalDock(self._clock)
        yield Line(id="status")
        yield Line(id="which-key")

    def show(self, view: View) -> None:
        super().show(view)
        self.query_one("#status", Line).say(lines.status(view, self.size.width))


class WorkspaceScreen(MainScreen):
    """`taskpass`: all tasks, one pane at a time, and what they hold beside it."""

    def compose(self) -> ComposeResult:
        yield Line(id="header")
        with Container(id="stage"):
            with Horizontal(id="body"):
                yield Panes(self._client)
                yield Side()
            yield ApprovalDock(self._clock)
        yield Line(id="attention")
        yield Line(id="strip")
        yield Line(id="which-key")

    def show(self, view: View) -> None:
        super().show(view)
        width = self.size.width
        self.query_one("#header", Line).say(lines.header(view, width))
        self.query_one("#attention", Line).say(lines.attention(view, width))
        self.query_one("#strip", Line).say(
            lines.hints(width) if self.has_class("-wide") else lines.strip(view, width)
        )
        side = self.query_one(Side)
        if side.size.width:
            side.show(view)
        panes = self.panes
        panes.border_title = Content(_title(view.task)) if view.task else Content("")
        panes.border_subtitle = Content(_exposed(view.task)) if view.task else Content("")

    def toggle_zoom(self) -> None:
        self.toggle_class("-zoom")


def _title(task: wire.TaskView) -> str:
    place = one_line(task.repository or task.cwd).rstrip("/").rpartition("/")[2] or "/"
    branch = f" @ {clip(task.branch, 30)}" if task.branch else ""
    state = task_state(task.state)
    return (
        f"{task.number} {one_line(task.profile)} · {place}{branch} · {STATE_SYMBOL[state]} {state}"
    )


def _exposed(task: wire.TaskView) -> str:
    if task.tier != "uncontained":
        return ""
    if not task.exposed:
        return "uncontained: this agent can read what you can read"
    shown = ", ".join(clip(path, 24) for path in task.exposed[:3])
    more = f" +{len(task.exposed) - 3}" if len(task.exposed) > 3 else ""
    return f"uncontained, can read {shown}{more}"
