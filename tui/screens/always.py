"""What an answer for good would write, and what it would have decided."""

from __future__ import annotations

import time
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from supervisor.protocol import wire
from tui import palette
from tui.gate import ARM_SECONDS
from tui.screens.dialog import Dialog
from tui.text import clip, visible
from tui.widgets.line import Line

_SHOWN = 20  # decisions of the past that are listed


class AlwaysScreen(Dialog[bool]):
    """True when the person wants the rule written: read to its end, by a key pressed after it
    was shown for as long as the dock takes to arm.
    """

    TITLE = "Approve for good"
    KEYS = "W write the rule and approve · esc back"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("W", "write", "Write", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
    ]

    def __init__(self, proposed: wire.AlwaysView) -> None:
        super().__init__()
        self._proposed = proposed
        self._armed_at = float("inf")

    def compose_box(self) -> ComposeResult:
        with VerticalScroll():
            yield Line(id="page")

    def on_mount(self) -> None:
        self.query_one("#page", Line).say(self._text())
        self._armed_at = time.monotonic() + ARM_SECONDS

    @property
    def armed(self) -> bool:
        return time.monotonic() >= self._armed_at

    def action_write(self) -> None:
        page = self.query_one(VerticalScroll)
        if page.scroll_y < page.max_scroll_y:
            self.action_scroll(page.size.height)
        elif self.armed:
            self.dismiss(True)

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def _text(self) -> Text:
        proposed = self._proposed
        text = Text()
        text.append(
            "Written to your own rules, for every task that starts later:\n\n", palette.MUTED
        )
        for line in proposed.rule.strip().splitlines():
            text.append_text(visible(line, palette.TEXT)).append("\n")
        text.append("\nOver the past: ", f"bold {palette.TEAL}")
        count = len(proposed.changed)
        text.append(
            f"{count} of {proposed.judged} calls would have been decided otherwise", palette.TEXT
        )
        if proposed.unreadable:
            text.append(f"; {proposed.unreadable} cannot be judged again", palette.MUTED)
        text.append("\n")
        for change in proposed.changed[:_SHOWN]:
            text.append("  ").append_text(visible(clip(change, 100), palette.AMBER)).append("\n")
        if count > _SHOWN:
            text.append(f"  and {count - _SHOWN} more\n", palette.MUTED)
        return text
