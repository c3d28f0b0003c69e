"""The dialog that starts an agent."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, Label

from supervisor import places
from supervisor.errors import TaskpassError, UsageError
from supervisor.protocol import wire
from tui import palette
from tui.lines import View
from tui.screens.dialog import Dialog
from tui.text import one_line
from tui.widgets.line import Line

if TYPE_CHECKING:
    from supervisor.client import AsyncClient


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person typed, read."""

    argv: tuple[str, ...]
    purpose: str
    cwd: str


def read(command: str, purpose: str, directory: str) -> Wanted:
    """Read the three fields.

    Raises:
        UsageError: no command, quotes that do not close, or no such directory.
    """
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(
            "The command has a quote that does not close.", hint="Close it, or write \\' for one."
        ) from error
    if not argv:
        raise UsageError("There is no command.", hint="Type one, such as: claude")
    cwd = Path(directory.strip() or ".").expanduser()
    if not cwd.is_dir():
        raise UsageError(f"There is no directory {cwd}.", hint="Choose one that exists.")
    return Wanted(argv, purpose.strip(), str(cwd.resolve()))


class NewTaskDialog(Dialog[wire.Started | None]):
    """Agent, purpose, directory; enter starts it and answers with what was started."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "app.focus_next", show=False, priority=True),
        Binding("up", "app.focus_previous", show=False, priority=True),
    ]

    TITLE = "New task"
    KEYS = "tab next field · enter start · esc back"

    def __init__(self, client: AsyncClient, cwd: str, cols: int, rows: int) -> None:
        super().__init__()
        self._client = client
        self._cwd = cwd
        self._size_wanted = (cols, rows)
        self._starting = False

    def compose_box(self) -> ComposeResult:
        yield Label("Agent or command", classes="label")
        yield Input("claude", id="new-command", select_on_focus=True)
        yield Label("Purpose, as the history will show it", classes="label")
        yield Input(id="new-purpose", placeholder="fix the flaky checkout test")
        yield Label("Directory", classes="label")
        yield Input(self._cwd, id="new-cwd", select_on_focus=False)
        yield Line(id="new-say")

    def on_mount(self) -> None:
        self.query_one("#new-command").focus()

    def follow(self, view: View) -> None:
        """Nothing here depends on the world."""

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if self._starting:
            return
        try:
            wanted = read(*(self.query_one(f"#new-{name}", Input).value
                            for name in ("command", "purpose", "cwd")))  # fmt: skip
        except UsageError as error:
            self._say(str(error), palette.RED)
            return
        self._start(wanted)

    @work(group="start")
    async def _start(self, wanted: Wanted) -> None:
        self._starting = True
        self._say(f"starting {wanted.argv[0]}…", palette.TEAL)
        cols, rows = self._size_wanted
        try:
            started = await self._client.start_task(
                wire.StartTask(
                    argv=wanted.argv,
                    cwd=wanted.cwd,
                    environ=dict(os.environ),
                    purpose=wanted.purpose,
                    cols=cols,
                    rows=rows,
                    umask=places.umask(),
                )
            )
        except TaskpassError as error:
            self._say(str(error), palette.RED)
        else:
            self.dismiss(started)
        finally:
            self._starting = False

    def _say(self, sentence: str, colour: str) -> None:
        self.query_one("#new-say", Line).say(Text(one_line(sentence), colour))
