"""What a task changed in its overlay, before a person applies or drops it."""

from __future__ import annotations

from typing import ClassVar, Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from supervisor.protocol import wire
from tui import palette
from tui.screens.dialog import Dialog
from tui.text import plural, visible
from tui.widgets.line import Line

_MARKS = {"added": "A", "modified": "M", "deleted": "D"}
_MOST_LISTED = 500
_MOST = 2000  # lines of a diff; all of it is in `taskpass changes --diff`
Decided = Literal["apply", "safe", "drop"]


class ChangesScreen(Dialog[Decided | None]):
    """The person's decision; None when they leave it for later."""

    TITLE = "Changes to review"
    KEYS = "A apply · S apply all but the red · D D drop · ↑↓ read · esc later"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("A", "decide('apply')", "Apply", show=False),
        Binding("S", "decide('safe')", "Apply what is safe", show=False),
        Binding("D", "drop", "Drop", show=False),
        Binding("up,k", "scroll(-1)", show=False),
        Binding("down,j", "scroll(1)", show=False),
        Binding("pageup", "scroll(-20)", show=False),
        Binding("pagedown,space", "scroll(20)", show=False),
    ]

    def __init__(self, found: wire.ChangeSetView) -> None:
        super().__init__()
        self._found = found
        self._sure = False

    def compose_box(self) -> ComposeResult:
        yield Line(id="decision")
        with VerticalScroll():
            yield Line(id="page")

    def on_mount(self) -> None:
        self.query_one("#decision", Line).say(self._head())
        self.query_one("#page", Line).say(self._text())

    def action_decide(self, decided: Decided) -> None:
        self.dismiss(decided)

    def action_drop(self) -> None:
        """The second time: what is dropped is gone for good."""
        if self._sure:
            self.dismiss("drop")
            return
        self._sure = True
        words = Text("D again drops them for good.", f"bold {palette.RED}")
        self.query_one("#decision", Line).say(words)

    def action_scroll(self, by: int) -> None:
        self.query_one(VerticalScroll).scroll_relative(y=by, animate=False)

    def _head(self) -> Text:
        found = self._found
        text = visible(found.workspace, f"bold {palette.TEXT}")
        counts = f"  {found.added} added, {found.modified} modified, {found.deleted} deleted"
        return text.append(counts, palette.MUTED)

    def _text(self) -> Text:
        text = Text()
        for change in self._found.changes[:_MOST_LISTED]:
            note = "; ".join(each for each in (change.risk, change.conflict) if each)
            colour = palette.RED if note else palette.TEXT
            text.append(f"{_MARKS.get(change.kind, '?')}  ", palette.MUTED)
            text.append_text(visible(change.path, colour))
            if note:
                text.append("  ").append_text(visible(note, palette.RED))
            text.append("\n")
        if len(self._found.changes) > _MOST_LISTED:
            more = len(self._found.changes) - _MOST_LISTED
            text.append(f"and {plural(more, 'change')} more: taskpass changes\n", palette.AMBER)
        text.append("\n")
        lines = self._found.diff.split("\n")
        for line in lines[:_MOST]:
            text.append_text(visible(line, _COLOURS.get(line[:1], palette.MUTED))).append("\n")
        if len(lines) > _MOST:
            text.append(f"and {plural(len(lines) - _MOST, 'line')} more\n", palette.MUTED)
        return text


_COLOURS = {"+": palette.GREEN, "-": palette.RED, "@": palette.TEAL}
