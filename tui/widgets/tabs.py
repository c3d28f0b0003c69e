"""The line of tabs: not there while all tasks work on one project."""

from __future__ import annotations

from textual import events
from textual.message import Message

from tui import tabs
from tui.lines import View
from tui.widgets.line import Line


class TabLine(Line):
    """A click on a tab leads to it."""

    class Chosen(Message):
        """A tab's task was clicked."""

        def __init__(self, task: str) -> None:
            super().__init__()
            self.task = task

    def show(self, view: View, width: int) -> None:
        every = tabs.tabs(view.world)
        self.display = len(every) > 1
        text, self._places = tabs.bar(every, view.task.id if view.task else "", width)
        self.say(text)

    _places: list[tuple[int, int, str]] = []  # noqa: RUF012 - replaced, never changed

    def on_click(self, event: events.Click) -> None:
        for start, end, task in self._places:
            if start <= event.x < end:
                self.post_message(self.Chosen(task))
