"""The passphrase of locked secrets, asked for on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.widgets import Input, Label

from supervisor.errors import TaskpassError
from tui import palette
from tui.screens.dialog import Dialog
from tui.text import one_line
from tui.widgets.line import Line

if TYPE_CHECKING:
    from supervisor.client_setup import SetupClient


class UnlockScreen(Dialog[bool]):
    """True once they are unlocked. What is typed is shown to nobody and kept nowhere here."""

    TITLE: ClassVar[str] = "Secrets are locked"
    KEYS: ClassVar[str] = "enter unlock · esc back"

    def __init__(self, client: SetupClient) -> None:
        super().__init__()
        self._client = client

    def compose_box(self) -> ComposeResult:
        yield Label("Passphrase, kept in the supervisor's memory until it ends", classes="label")
        yield Input(password=True, id="unlock-passphrase")
        yield Line(id="unlock-say")

    def on_mount(self) -> None:
        self.query_one("#unlock-passphrase").focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value:
            self._unlock(event.value)
            event.input.value = ""

    @work(group="unlock", exclusive=True)
    async def _unlock(self, passphrase: str) -> None:
        try:
            await self._client.unlock(passphrase)
        except TaskpassError as error:
            self.query_one("#unlock-say", Line).say(Text(one_line(str(error)), palette.RED))
        else:
            self.dismiss(True)
