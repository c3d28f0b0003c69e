"""Every task as a list: what it is doing, what it uses, what it holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType

from supervisor.protocol import wire
from tui import palette, panels
from tui.lines import View, metered, spread
from tui.screens.listing import Choice
from tui.text import STATE_COLOUR, STATE_SYMBOL, clip, plural, program, task_state, watch


class TasksScreen(Choice):
    """The id of the task to show, None for none."""

    TITLE = "Tasks"
    KEYS = "↑↓ task · enter shows it · esc back"
    LIST = "tasks"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("l", "dismiss", "Back", show=False)]

    def on_mount(self) -> None:
        super().on_mount()
        if self._last.task is not None:
            self.choose(self._last.task.id)

    def entries(self, view: View) -> Sequence[tuple[str, Text]]:
        width = max(20, self.room - 2)
        return [(task.id, describe(view, task, width)) for task in panels.listed(view)]

    def empty(self, view: View) -> str:
        return f"No task runs. {view.keys.chord('new_task')} starts one."


def describe(view: View, task: wire.TaskView, width: int) -> Text:
    """A task in lines of `width` cells: its state in words, where it works, what it uses."""
    state = task_state(task.state)
    right = Text(f"{STATE_SYMBOL[state]} {state}", f"bold {STATE_COLOUR[state]}")
    left = Text(f"{task.called} {program(task.agent)}  ", f"bold {palette.TEXT}")
    left.append(clip(task.purpose or "no purpose given", width), palette.TEAL)
    grants = len(view.world.grants_of(task.id, view.now))
    age = watch((task.ended or view.now) - task.created)
    used = f"{plural(grants, 'grant')} · {age}"
    if usage := metered(task):
        used = f"{usage} · {used}"
    room = max(8, width - len(used) - 4)
    place = f"{task.repository or task.cwd}" + (f" @ {task.branch}" if task.branch else "")
    where = Text(f"  {clip(place, room)}", palette.MUTED)
    lines = [spread(left, right, width), spread(where, Text(used, palette.MUTED), width)]
    return Text("\n").join(lines)
