"""A question about something that comes from elsewhere, shown in full; one key answers it."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content

from tui.gate import ARM_SECONDS
from tui.screens.dialog import Dialog
from tui.widgets.line import Line


class Question(Dialog[str]):
    """Dismissed with the key that answered.

    `answers`: what each key does, in words. Keys typed before the question could be read answer
    nothing; neither do Enter, Space and keys that are not among the answers.
    """

    def __init__(self, title: str, page: Text, answers: Mapping[str, str]) -> None:
        super().__init__()
        self._title = title
        self._page = page
        self._answers = answers
        self._armed_at = float("inf")

    def compose_box(self) -> ComposeResult:
        with VerticalScroll():
            yield Line(id="page")

    def on_mount(self) -> None:
        box = self.query_one(Vertical)
        box.border_title = Content(self._title)
        keys = [f"{key} {words}" for key, words in self._answers.items()]
        box.border_subtitle = Content(" · ".join([*keys, "esc back"]))
        self.query_one("#page", Line).say(self._page)
        self._armed_at = time.monotonic() + ARM_SECONDS

    def on_key(self, event: events.Key) -> None:
        if event.character in self._answers and event.time >= self._armed_at:
            event.stop()
            self.dismiss(event.character)
