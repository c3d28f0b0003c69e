"""The two shapes of the main screen: one agent in a terminal, and the workspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Container, Horizontal
from textual.screen import Screen

from tui import lines
from tui.lines import View
from tui.tabs import beside
from tui.widgets.dock import ApprovalDock
from tui.widgets.line import Line
from tui.widgets.panes import Panes
from tui.widgets.side import Side
from tui.widgets.tabs import TabLine

if TYPE_CHECKING:
    from supervisor.client import AsyncClient


class MainScreen(Screen[None], inherit_bindings=False):
    """What both shapes share. It has no key bindings: every key belongs to the focused pane."""

    # Focus goes where the app puts it: never to a dock or a field by itself.
    AUTO_FOCUS = ""

    def __init__(self, client: AsyncClient, clock: Callable[[], float]) -> None:
        super().__init__()
        # Classes by width in columns. From 200 on, two panes of eighty columns stand side by side.
        self.HORIZONTAL_BREAKPOINTS = [
            (0, "-narrow"), (120, "-wide"), (160, "-broad"), (248, "-vast"),
        ]  # fmt: skip
        self._client = client
        self._clock = clock

    @property
    def panes(self) -> Panes:
        return self.query_one(Panes)

    @property
    def dock(self) -> ApprovalDock:
        return self.query_one(ApprovalDock)

    @property
    def one_pane(self) -> bool:
        """Whether the focused pane has all the room."""
        return True

    def show(self, view: View) -> None:
        """Draw what is known now."""
        if view.task is not None or not view.world.tasks:
            self.panes.keys = view.keys
            # A subagent has no pane of its own: it works in its agent's.
            shown = view.world.agent_of(view.task) if view.task is not None else None
            self.panes.show(beside(view.world, shown), shown, one=self.one_pane)
            self.panes.welcome(view.known)
        self.dock.show(view)

    def show_keys(self, text: Text | None) -> None:
        """Show what may follow the leader, above the last line; None hides it."""
        line = self.query_one("#which-key", Line)
        if text is not None:
            line.say(text)
        line.display = text is not None

    def on_key(self, event: events.Key) -> None:
        """Reached only while nothing has the focus."""
        self.panes.type_ahead(event.key, event.character or "")

    def back_to_pane(self) -> None:
        """Give the keys to the pane that is shown."""
        pane = self.panes.terminal()
        if pane is not None:
            self.set_focus(pane)
        else:
            self.set_focus(None)


class RunScreen(MainScreen):
    """`taskpass run -- X`: the agent has the terminal, but for one line."""

    def compose(self) -> ComposeResult:
        with Container(id="stage"):
            yield Panes(self._client, framed=False)
            yield ApprovalDock(self._clock)
        yield Line(id="status")
        yield Line(id="which-key")

    def show(self, view: View) -> None:
        super().show(view)
        self.query_one("#status", Line).say(lines.status(view, self.size.width))


class WorkspaceScreen(MainScreen):
    """`taskpass`: all tasks, and what they hold beside their panes."""

    @property
    def one_pane(self) -> bool:
        return self.has_class("-zoom") or self.has_class("-narrow")

    def compose(self) -> ComposeResult:
        yield Line(id="header")
        yield TabLine(id="tabs")
        with Container(id="stage"):
            with Horizontal(id="body"):
                yield Panes(self._client, framed=True)
                yield Side()
            yield ApprovalDock(self._clock)
        yield Line(id="attention")
        yield Line(id="strip")
        yield Line(id="which-key")

    def show(self, view: View) -> None:
        super().show(view)
        width = self.size.width
        self.query_one("#header", Line).say(lines.header(view, width))
        self.query_one(TabLine).show(view, width)
        self.query_one("#attention", Line).say(lines.attention(view, width))
        self.query_one("#strip", Line).say(
            lines.strip(view, width) if self.has_class("-narrow") else lines.hints(view.keys, width)
        )
        side = self.query_one(Side)
        if side.size.width:
            side.show(view)

    def toggle_zoom(self) -> None:
        self.toggle_class("-zoom")
