"""Every task as a list: what it is doing, what it uses, what it holds."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from supervisor.protocol import wire
from tui import palette, panels
from tui.lines import View, metered, spread
from tui.screens.dialog import Dialog
from tui.text import STATE_COLOUR, STATE_SYMBOL, clip, one_line, plural, program, task_state, watch
from tui.widgets.line import Line


class TasksScreen(Dialog[str | None]):
    """The id of the task to show, None for none."""

    TITLE: ClassVar[str] = "Tasks"
    KEYS: ClassVar[str] = "↑↓ task · enter shows it · esc back"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("q,l", "dismiss", "Back", show=False)]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._last = view
        self._ids: list[str] = []

    def compose_box(self) -> ComposeResult:
        yield Line(id="tasks-empty")
        yield OptionList(id="tasks-list")

    def on_mount(self) -> None:
        self.follow(self._last)
        if self._last.task is not None and self._last.task.id in self._ids:
            self.query_one(OptionList).highlighted = self._ids.index(self._last.task.id)

    def on_resize(self) -> None:
        self.follow(self._last)

    def follow(self, view: View) -> None:
        self._last = view
        width = max(20, min(84, int(self.size.width * 0.96)) - 10)
        tasks = view.world.in_order()
        prompts = [describe(view, task, width) for task in tasks]
        ids = [task.id for task in tasks]
        rows = self.query_one(OptionList)
        if ids == self._ids:
            for index, prompt in enumerate(prompts):
                rows.replace_option_prompt_at_index(index, prompt)
        else:
            at = self._ids[rows.highlighted] if rows.highlighted is not None else ""
            self._ids = ids
            rows.clear_options()
            rows.add_options([Option(prompt) for prompt in prompts])
            if ids:
                rows.highlighted = ids.index(at) if at in ids else 0
        rows.display = bool(ids)
        empty = self.query_one("#tasks-empty", Line)
        empty.display = not ids
        empty.say(Text("No task runs. ^\\ n starts one.", palette.MUTED))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._ids[event.option_index])


def describe(view: View, task: wire.TaskView, width: int) -> Text:
    """A task in lines of `width` cells: its state in words, where it works, what it uses."""
    state = task_state(task.state)
    right = Text(f"{STATE_SYMBOL[state]} {state}", f"bold {STATE_COLOUR[state]}")
    left = Text(f"{task.number} {program(task.agent)}  ", f"bold {palette.TEXT}")
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
    names = [
        one_line(f"{one.kind or 'subagent'} {one.id}") for one in panels.subagents(task, view.now)
    ]
    lines += [Text(f"  └ {clip(name, width - 4)}", palette.MUTED) for name in names]
    return Text("\n").join(lines)
