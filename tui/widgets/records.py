"""A list of records of any length: only the rows on show are made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui import palette

_PLAIN = Style()
_HERE = Style(bgcolor=palette.LINE, bold=True)
_WHEEL = 3


class RecordList(ScrollView, can_focus=True):
    """Rows are moved through as in a pager. The one in focus is marked `▸`, not by colour alone.

    Args:
        row: one record's line for a width, by its number.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("home,g", "first", show=False),
        Binding("end,G", "last", show=False),
        Binding("enter", "select", show=False),
    ]

    DEFAULT_CSS = """
    RecordList { height: 1fr; scrollbar-size-vertical: 1; overflow-x: hidden; }
    """

    class Moved(Message):
        """Another record is in focus."""

    class Chosen(Message):
        """The record in focus was asked for."""

    def __init__(self, row: Callable[[int, int], Text], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._row = row
        self._seqs: Sequence[int] = ()
        self._at = 0

    @property
    def current(self) -> int:
        """Number of the record in focus, 0 for none."""
        return self._seqs[self._at] if self._seqs else 0

    @property
    def at_end(self) -> bool:
        """Whether the last row is in focus or on show."""
        return self._at >= len(self._seqs) - 1

    def show(self, seqs: Sequence[int]) -> None:
        """Newest first. The focus stays on its record, or at the top if it is there."""
        here, at_top = self.current, self._at == 0
        self._seqs = seqs
        self.virtual_size = Size(self.size.width, len(seqs))
        self._at = 0 if at_top else _place(seqs, here, min(self._at, max(0, len(seqs) - 1)))
        self._reveal()
        self.refresh()
        if self.current != here:
            self.post_message(self.Moved())

    def go_to(self, seq: int) -> None:
        """Put a record in focus, if it is here."""
        self._move_to(_place(self._seqs, seq, self._at))

    def render_line(self, y: int) -> Strip:
        index = y + self.scroll_offset.y
        width = self.size.width
        ground = self.rich_style
        if not 0 <= index < len(self._seqs):
            return Strip.blank(width, ground)
        here = index == self._at
        text = Text("▸" if here else " ", palette.TEAL if here else "", no_wrap=True)
        text.append_text(self._row(self._seqs[index], width - 1))
        ground += _HERE if here and self.has_focus else _PLAIN
        segments = [
            Segment(part.text, ground + part.style)
            for part in text.render(self.app.console)
            if part.text != "\n"
        ]
        return Strip(segments).adjust_cell_length(width, ground)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._seqs))
        self._reveal()

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_click(self, event: events.Click) -> None:
        index = event.y + self.scroll_offset.y
        if index < len(self._seqs):
            again = index == self._at
            self._move_to(index)
            if again:
                self.action_select()

    def action_move(self, rows: int) -> None:
        self._move_to(self._at + rows)

    def action_page(self, pages: int) -> None:
        self._move_to(self._at + pages * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self._move_to(0)

    def action_last(self) -> None:
        self._move_to(len(self._seqs) - 1)

    def action_select(self) -> None:
        if self._seqs:
            self.post_message(self.Chosen())

    def _move_to(self, index: int) -> None:
        if not self._seqs:
            return
        self._at = min(max(index, 0), len(self._seqs) - 1)
        self._reveal()
        self.refresh()
        self.post_message(self.Moved())

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if not top <= self._at < top + height:
            y = self._at if self._at < top else self._at - height + 1
            self.scroll_to(y=y, animate=False, force=True)


def _place(seqs: Sequence[int], seq: int, otherwise: int) -> int:
    """Where a number stands among falling ones."""
    low, high = 0, len(seqs)
    while low < high:
        middle = (low + high) // 2
        if seqs[middle] > seq:
            low = middle + 1
        else:
            high = middle
    return low if low < len(seqs) and seqs[low] == seq else otherwise
