"""A dialog that is a list: it follows the world, and keeps its place while that changes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from tui import palette
from tui.lines import View
from tui.screens.dialog import Dialog
from tui.widgets.line import Line

Result = TypeVar("Result")


class Listing(Dialog[Result]):
    """`LIST` names its widgets: `#LIST-empty`, `#LIST-list`."""

    LIST: ClassVar[str]
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "dismiss", "Back", show=False),
        Binding("j", "move('down')", show=False),
        Binding("k", "move('up')", show=False),
    ]

    def __init__(self, view: View) -> None:
        super().__init__()
        self._last = view
        self._ids: list[str] = []

    @abstractmethod
    def entries(self, view: View) -> Sequence[tuple[str, Text]]:
        """What stands in it: the id of each row, and how it looks."""

    @abstractmethod
    def empty(self, view: View) -> str:
        """What stands there instead of no rows."""

    def compose_box(self) -> ComposeResult:
        yield Line(id=f"{self.LIST}-empty")
        yield OptionList(id=f"{self.LIST}-list")

    def on_mount(self) -> None:
        self.follow(self._last)

    def on_resize(self) -> None:
        self.follow(self._last)

    def follow(self, view: View) -> None:
        self._last = view
        entries = self.entries(view)
        ids = [entry for entry, _ in entries]
        rows = self.query_one(OptionList)
        if ids == self._ids:
            for index, (_, prompt) in enumerate(entries):
                rows.replace_option_prompt_at_index(index, prompt)
        else:
            at = self.chosen
            self._ids = ids
            rows.clear_options()
            rows.add_options([Option(prompt) for _, prompt in entries])
            if ids:
                rows.highlighted = ids.index(at) if at in ids else 0
        rows.display = bool(ids)
        nothing = self.query_one(f"#{self.LIST}-empty", Line)
        nothing.display = not ids
        nothing.say(Text(self.empty(view), palette.MUTED))

    @property
    def chosen(self) -> str:
        """The id of the row in focus, "" for none."""
        at = self.query_one(OptionList).highlighted
        return self._ids[at] if at is not None and at < len(self._ids) else ""

    def choose(self, entry: str) -> None:
        """Put the focus on a row, where there is such a one."""
        if entry in self._ids:
            self.query_one(OptionList).highlighted = self._ids.index(entry)

    def action_move(self, to: str) -> None:
        rows = self.query_one(OptionList)
        rows.action_cursor_down() if to == "down" else rows.action_cursor_up()


class Choice(Listing[str | None]):
    """Answered with the id of the row that was entered, None for none."""

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._ids[event.option_index])
