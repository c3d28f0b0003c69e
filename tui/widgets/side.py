"""The side column of the workspace: TASKS, GRANTS, EVENTS."""

from __future__ import annotations

from itertools import islice

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message

from tui import palette, panels, records
from tui.lines import View
from tui.widgets.line import Line

_GAP = 2  # cells between two columns
_FEWEST = 6  # rows of tasks that are always shown


class Side(Vertical):
    """What stands beside the panes. Takes no focus; a click on a task shows it."""

    class Chosen(Message):
        """A task was clicked."""

        def __init__(self, task: str) -> None:
            super().__init__()
            self.task = task

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: list[str] = []

    def compose(self) -> ComposeResult:
        yield Line(id="side-tasks")
        yield Line(id="side-grants")
        yield Line(id="side-events")

    def show(self, view: View) -> None:
        """Draw what is known; sections that do not fit are cut at their ends."""
        width = max(20, self.content_size.width)
        height = self.content_size.height
        grants = self.query_one("#side-grants", Line)
        apart = grants.styles.dock == "right"  # in a column of its own
        grants_width = width
        if apart:
            grants_width = max(20, grants.content_size.width)
            width = max(20, width - grants_width - _GAP)
        tasks = _part(panels.tasks(view, width), view, height if apart else height * 2 // 5)
        self._rows = [task for task, _ in tasks]
        none = Text(f"none yet: {view.keys.chord('new_task')} starts one", palette.MUTED)
        self.query_one("#side-tasks", Line).say(
            _section("TASKS", "1-9" if tasks else "", [line for _, line in tasks] or [none], width)
        )
        grants.say(self._grants(view, grants_width))
        room = max(3, height - 3 - len(tasks) - (0 if apart else self._grant_lines))
        events = self.query_one("#side-events", Line)
        events.styles.width = width if apart else "1fr"
        events.say(self._events(view, width, room))

    def _grants(self, view: View, width: int) -> Text:
        task = view.task
        grants = view.world.grants_of(task.id, view.now) if task else []
        lines = [
            panels.grant(grant, view.world.leases_of(grant.id), view.now, width) for grant in grants
        ]
        owed = view.world.owed_of(task.id) if task else []
        lines += [panels.owed(one, view.now, width) for one in owed]
        title = f"GRANTS  task {task.called}" if task else "GRANTS"
        text = _section(
            title,
            f"{len(grants)} live",
            lines or [Text("none: no credential is released", palette.MUTED)],
            width,
        )
        self._grant_lines = text.plain.count("\n") + 2
        return text

    _grant_lines = 3

    def _events(self, view: View, width: int, room: int) -> Text:
        notable = (record for record in reversed(view.world.records) if _notable(record))
        lines = [panels.event(record, view, width) for record in islice(notable, room)]
        return _section("EVENTS", "", lines or [Text("nothing yet", palette.MUTED)], width)

    def on_click(self, event: events.Click) -> None:
        if event.widget is not None and event.widget.id == "side-tasks":
            row = event.y - 1
            if 0 <= row < len(self._rows) and self._rows[row]:
                self.post_message(self.Chosen(self._rows[row]))


def _part(rows: list[tuple[str, Text]], view: View, room: int) -> list[tuple[str, Text]]:
    """As many rows as there is room for, the focused task's among them."""
    room = max(_FEWEST, room)
    if len(rows) <= room:
        return rows
    focused = view.task.id if view.task else ""
    at = next((n for n, (task, _) in enumerate(rows) if task == focused), 0)
    start = max(0, min(at - room // 2, len(rows) - room + 1))
    part = rows[start : start + room - 1]
    said = f"  {len(rows) - len(part)} more: {view.keys.chord('tasks')} lists all"
    return [*part, ("", Text(said, palette.MUTED))]


def _notable(record: dict[str, object]) -> bool:
    return records.line(record).notable


def _section(title: str, aside: str, lines: list[Text], width: int) -> Text:
    return Text("\n").join([panels.heading(title, aside, width), *lines])
