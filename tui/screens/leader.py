"""Choosing the leader by pressing it."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult

from supervisor.errors import UsageError
from tui import palette
from tui.keymap import SECOND_LEADER, Keymap, leader_named, shown
from tui.lines import View
from tui.screens.dialog import Dialog
from tui.widgets.line import Line


class LeaderDialog(Dialog[str | None]):
    """The key that was pressed twice; None when the person leaves it as it is.

    Twice, because that shows that the terminal sends it, and that it was meant.
    """

    TITLE = "Another leader"
    KEYS = "press the key twice · esc leave it as it is"

    def __init__(self, keys: Keymap) -> None:
        super().__init__()
        self._keys = keys
        self._pressed = ""

    def compose_box(self) -> ComposeResult:
        yield Line(id="page")

    def on_mount(self) -> None:
        self._say(f"Press the key that is to begin every command. Now it is {self._shown()}.")

    def follow(self, view: View) -> None:
        """Nothing here depends on the world."""

    def captures(self, key: str) -> bool:
        """Take one key; whether it was taken. Asked before the leader in force is looked at."""
        if key == "escape":
            return False
        try:
            leader_named(key)
        except UsageError as error:
            self._pressed = ""
            self._say(str(error), palette.RED)
        else:
            if key == self._pressed:
                self.dismiss(key)
                return True
            self._pressed = key
            self._say(f"That is {shown(key)}. Press it again to keep it.", palette.TEAL)
        return True

    def on_key(self, event: events.Key) -> None:
        event.stop()

    def _shown(self) -> str:
        leader = self._keys.leader_shown
        return leader if self._keys.leader == SECOND_LEADER else f"{leader}, and F12 always"

    def _say(self, sentence: str, colour: str = palette.TEXT) -> None:
        self.query_one("#page", Line).say(Text(sentence, colour))
