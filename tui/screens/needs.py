"""What a project says that its tasks need, asked once before the first of them starts."""

from __future__ import annotations

import secrets
from typing import ClassVar, Final

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import Input

from supervisor.protocol.setup import NeedsView
from tui import palette
from tui.screens.dialog import Dialog
from tui.text import hang, visible
from tui.widgets.line import Line

_CODE: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # nothing that looks like another


class NeedsScreen(Dialog[bool | None]):
    """True: accepted. False: left out. None: not answered.

    Accepting loosens, so it takes a code that nobody can have typed ahead.
    """

    # Escape decides nothing: the next start asks again.
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+d", "leave_out", "Leave out", show=False, priority=True),
    ]

    TITLE: ClassVar[str] = "This project says what it needs"
    KEYS: ClassVar[str] = "the code accepts · ctrl+d leave it out · esc back"

    def __init__(self, needs: NeedsView) -> None:
        super().__init__()
        self._needs = needs
        self.code = "".join(secrets.choice(_CODE) for _ in range(3))

    def compose_box(self) -> ComposeResult:
        with VerticalScroll():
            yield Line(id="needs-list")
        yield Line(id="needs-ask")
        yield Input(id="needs-code", max_length=len(self.code), placeholder="the code")

    def on_mount(self) -> None:
        self.query_one("#needs-code").focus()

    def on_resize(self) -> None:
        width = self.room
        # It came with the repository: whoever can write there wrote it.
        lines = hang("", Text("Untrusted, as the project's file says it:", palette.AMBER), width, 0)
        for need in self._needs.needs:
            lines += hang("  + ", visible(need, palette.TEXT), width, 4)
        self.query_one("#needs-list", Line).say(Text("\n").join(lines))
        ask = Text("\nAccepted, its tasks may use this without a question. Type ", palette.MUTED)
        ask.append(f" {self.code} ", f"bold {palette.INK} on {palette.AMBER}")
        self.query_one("#needs-ask", Line).say(ask.append(" to accept.", palette.MUTED))

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if event.value.strip().upper() == self.code:
            self.dismiss(True)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()

    def action_leave_out(self) -> None:
        self.dismiss(False)
