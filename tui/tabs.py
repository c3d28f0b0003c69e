"""Tasks by the project that they work on: one tab for each, when there are several. Pure.

A supervisor has one session, so its tasks would all be under one tab; what tells a person's tasks
apart is where they work. A work tree made for a task belongs to the project it was made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from rich.text import Text

from supervisor.model import TaskState
from supervisor.protocol import wire
from tui import palette
from tui.text import STATE_COLOUR, STATE_SYMBOL, clip, task_state
from tui.world import World, is_gone

_WORKTREES = ".worktrees"  # of `tui.worktree`
_URGENT = (TaskState.WAITING_APPROVAL, TaskState.WAITING_YOU)
_LONGEST = 24  # cells of a name


@dataclass(frozen=True, slots=True)
class Tab:
    """The tasks of one project, in their order. `key`: who runs them, and where."""

    key: tuple[str, str]
    tasks: tuple[wire.TaskView, ...]

    @property
    def name(self) -> str:
        return PurePosixPath(self.key[1]).name or "/"

    @property
    def first(self) -> wire.TaskView:
        """The one to go to: who waits for the person, else who lives, else the first."""
        waiting = [task for task in self.tasks if task_state(task.state) in _URGENT]
        alive = [task for task in self.tasks if not is_gone(task)]
        return [*waiting, *alive, *self.tasks][0]


def key_of(task: wire.TaskView) -> tuple[str, str]:
    """Of the tab that a task belongs to."""
    place = PurePosixPath(task.repository or task.cwd)
    for folder in (place, *place.parents):
        if folder.name.endswith(_WORKTREES) and folder != place:
            place = folder.with_name(folder.name.removesuffix(_WORKTREES))
            break
    return task.user, str(place)


def tabs(world: World) -> list[Tab]:
    """All tabs, in the order of their first tasks."""
    found: dict[tuple[str, str], list[wire.TaskView]] = {}
    for task in world.in_order():
        parent = world.tasks.get(task.parent)
        found.setdefault(key_of(parent or task), []).append(task)
    return [Tab(key, tuple(tasks)) for key, tasks in found.items()]


def beside(world: World, task: wire.TaskView | None) -> list[wire.TaskView]:
    """The tasks of the tab that `task` is in; all without one."""
    for tab in tabs(world):
        if task is not None and any(one.id == task.id for one in tab.tasks):
            return list(tab.tasks)
    return world.in_order()


def bar(every: list[Tab], focused: str, width: int) -> tuple[Text, list[tuple[int, int, str]]]:
    """The line of tabs, and from and to which column each leads to which task."""
    users = {tab.key[0] for tab in every}
    text = Text(" ", no_wrap=True)
    places = []
    for tab in every:
        here = any(task.id == focused for task in tab.tasks)
        start = text.cell_len
        name = f"{tab.key[0]}:{tab.name}" if len(users) > 1 else tab.name
        text.append(
            f" {clip(name, _LONGEST)} ", f"bold reverse {palette.TEAL}" if here else palette.TEXT
        )
        # Told by mark and number, whatever the colour.
        for state in _URGENT:
            count = sum(task_state(task.state) is state for task in tab.tasks)
            if count:
                text.append(f"{STATE_SYMBOL[state]}{count} ", STATE_COLOUR[state])
        places.append((start, text.cell_len, tab.first.id))
        text.append(" ")
    text.truncate(width, overflow="ellipsis")
    return text, places
