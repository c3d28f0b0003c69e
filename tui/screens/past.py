"""What is opened from the history: the figures, and taking it along."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.widgets import Input

from supervisor.client_export import save
from supervisor.errors import TaskpassError
from supervisor.protocol.review import FiguresView
from tui import palette
from tui.screens import history_text
from tui.screens.dialog import Dialog, Page
from tui.text import one_line
from tui.widgets.line import Line

if TYPE_CHECKING:
    from supervisor.client import AsyncClient


class FiguresPage(Page):
    """How well questions are answered."""

    TITLE = "How it is asked and answered"

    def __init__(self, told: FiguresView, query: str) -> None:
        super().__init__()
        self._told = told
        self._query = query

    def text(self, width: int) -> Text:
        about = f"of the records that match: {one_line(self._query)}" if self._query else "all time"
        text = Text(about + "\n\n", palette.MUTED)
        return text.append_text(history_text.figures(self._told, width))


class ExportDialog(Dialog[None]):
    """Where to write the records that match."""

    TITLE = "Export"
    KEYS = "enter write · esc back"

    def __init__(self, client: AsyncClient, query: str, now: float) -> None:
        super().__init__()
        self._now = now
        self._client = client
        self._query = query

    def compose_box(self) -> ComposeResult:
        yield Line(id="export-about")
        day = time.strftime("%Y-%m-%d", time.localtime(self._now))
        yield Input(f"~/taskpass-{day}.md", id="export-file")
        yield Line(id="export-said")

    def on_mount(self) -> None:
        what = f"the records that match {self._query}" if self._query else "every record"
        about = Text(f"Writes {one_line(what)}. The ending decides: ", palette.TEXT)
        about.append(".md is a report, .jsonl and .csv are tables.\n", palette.TEXT)
        about.append("Each ends with a proof: `taskpass verify FILE` checks it anywhere.\n",
                     palette.MUTED)  # fmt: skip
        self.query_one("#export-about", Line).say(about)
        self.query_one(Input).focus()

    def on_input_submitted(self) -> None:
        self._write(self.query_one(Input).value.strip())

    @work(group="export", exclusive=True)
    async def _write(self, target: str) -> None:
        said = self.query_one("#export-said", Line)
        said.say(Text("writing…", palette.MUTED))
        try:
            path = await save(self._client, self._query, target)
        except (TaskpassError, OSError) as error:
            said.say(Text(one_line(str(error)), palette.RED))
            return
        self.app.notify(f"Written: {path}", markup=False)
        self.dismiss()
