"""Which task has the screen, and starting another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from textual import work

from supervisor.protocol import wire
from tui.screens.main import WorkspaceScreen
from tui.screens.new_task import NewTaskDialog
from tui.screens.tasks import TasksScreen
from tui.tabs import tabs
from tui.trunk import OURS, Trunk
from tui.widgets.panes import Panes
from tui.widgets.side import Side
from tui.widgets.tabs import TabLine

if TYPE_CHECKING:
    from tui.widgets.terminal import TerminalPane

_HOLDER_GONE_SECONDS = 3.0


class Tasks(Trunk):
    """Moving between tasks, and their beginning and end."""

    last_screen: tuple[str, ...] = ()  # what the agent of a run screen left, as text

    def action_next_task(self) -> None:
        self._step(1)

    def action_previous_task(self) -> None:
        self._step(-1)

    def _step(self, by: int) -> None:
        ordered = self.world.agents()
        if ordered and self.shape == "workspace":
            ids = [task.id for task in ordered]
            at = ids.index(self.focused_task) if self.focused_task in ids else -1
            self.show_task(ids[(at + by) % len(ids)])

    def action_next_tab(self) -> None:
        self._turn_tab(1)

    def action_previous_tab(self) -> None:
        self._turn_tab(-1)

    def _turn_tab(self, by: int) -> None:
        every = tabs(self.world)
        if len(every) < 2 or self.shape == "run":
            self.say("All tasks work on one project: there are no other tabs.")
            return
        at = next(n for n, tab in enumerate(every)
                  if any(task.id == self.focused_task for task in tab.tasks))  # fmt: skip
        self.show_task(every[(at + by) % len(every)].first.id)

    @work(group="tasks", exclusive=True)
    async def action_tasks(self) -> None:
        chosen = await self.push_screen_wait(TasksScreen(self.view()))
        if chosen is not None and self.shape == "workspace":
            self.show_task(chosen)

    def on_tab_line_chosen(self, message: TabLine.Chosen) -> None:
        self.show_task(message.task)

    def action_zoom(self) -> None:
        if isinstance(self.main, WorkspaceScreen):
            self.main.toggle_zoom()
            self.draw()

    def action_new_task(self) -> None:
        if self.shape == "run":
            self.say("Start another task from the workspace: run `taskpass` in a new terminal.")
            return
        view = self.view()
        cwd = view.task.cwd if view.task else str(Path.cwd())
        size = self.main.panes.content_size
        cols, rows = max(20, size.width), max(5, size.height)
        dialog = NewTaskDialog(self.client, self.agents, cwd, cols, rows)
        self.push_screen(dialog, self._started)

    def _started(self, started: wire.Started | None) -> None:
        if started is not None:
            self.world.tasks.setdefault(started.task.id, started.task)
            self.show_task(started.task.id)

    def on_side_chosen(self, message: Side.Chosen) -> None:
        self.show_task(message.task)

    def on_panes_entered(self, message: Panes.Entered) -> None:
        if self.shape == "workspace":
            self.focused_task = message.task
            self.draw()

    def on_panes_failed(self, message: Panes.Failed) -> None:
        self.say(str(message.error), bad=True)

    def on_terminal_pane_ended(self, message: TerminalPane.Ended) -> None:
        """A pane has nothing more to show: in the run shape that is the end."""
        if not self.own_task:
            return
        rows = (message.pane.render_line(y).text for y in range(message.pane.size.height))
        # It goes to the person's own terminal: no control character of a pane does.
        self.last_screen = tuple("".join(filter(str.isprintable, row)).rstrip() for row in rows)
        if message.code is not None:
            self.leave_ended(message.code)
        else:
            # The holder is gone without a word. The supervisor knows more, unless it is gone too.
            self.set_timer(_HOLDER_GONE_SECONDS, self._holder_gone)

    def _holder_gone(self) -> None:
        self.leave(OURS, "The task's holder is gone without the agent's exit code.")
