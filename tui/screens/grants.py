"""Live grants as a list, each revocable with one key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from tui import palette, panels
from tui.lines import View
from tui.screens.listing import Listing
from tui.text import clip
from tui.widgets.line import Line


class GrantsDialog(Listing[None]):
    """Every live grant with its leases and countdowns; `x` revokes the one in focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "revoke", "Revoke", show=False),
    ]

    TITLE = "Grants"
    LIST = "grants"
    KEYS = "↑↓ grant · x revoke it · esc back"

    class Revoke(Message):
        """One grant is to end now."""

        def __init__(self, grant: str, credential: str) -> None:
            super().__init__()
            self.grant = grant
            self.credential = credential

    def compose_box(self) -> ComposeResult:
        yield Line(id="grants-owed")
        yield from super().compose_box()

    def follow(self, view: View) -> None:
        super().follow(view)
        self._show_owed(view)

    def entries(self, view: View) -> Sequence[tuple[str, Text]]:
        return [(one.id, self._prompt(view, one.id)) for one in view.world.grants_of("", view.now)]

    def empty(self, view: View) -> str:
        return (
            "No grant is live: no credential is released to any task.\n"
            "A grant appears when a call is allowed to use a credential; "
            "`taskpass credential add` adds one."
        )

    def _show_owed(self, view: View) -> None:
        """What ended here and may be live elsewhere stands above what is live here."""
        owed = view.world.owed_of("")
        line = self.query_one("#grants-owed", Line)
        line.display = bool(owed)
        width = self.room
        title = Text("Not confirmed dead", f"bold {palette.RED}")
        lines = [panels.owed(one, view.now, width) for one in owed]
        line.say(Text("\n").join([title, *lines, Text()]))

    def _prompt(self, view: View, grant: str) -> Text:
        one = view.world.grants[grant]
        task = view.world.tasks.get(one.task)
        width = self.room
        text = Text(no_wrap=True)
        name = f"task {task.called} {task.purpose}" if task else one.task
        text.append(clip(name, width) + "\n", palette.TEAL)
        return text.append_text(
            panels.grant(one, view.world.leases_of(grant), view.now, width)
        ).append("\n")

    def action_revoke(self) -> None:
        grant = self._last.world.grants.get(self.chosen)
        if grant is not None:
            self.post_message(self.Revoke(grant.id, grant.credential))
