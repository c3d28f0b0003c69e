"""Wrapped text that knows whether its last line has been on the screen."""

from __future__ import annotations

from collections.abc import Sequence

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Size
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui import palette
from tui.text import hang

GUTTER = "│ "  # label of a text of somebody else's: no line of it begins where labels do


class Paper(Widget):
    """A text to read before answering. Scrolls by whole lines, on its own and without focus.

    That the end was shown is known from drawing its last line, not from sizes: nothing that was
    covered, cut off or not yet laid out counts as shown.
    """

    class EndShown(Message):
        """The last line of the text numbered `edition` has been drawn."""

        def __init__(self, edition: int) -> None:
            super().__init__()
            self.edition = edition

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._rows: Sequence[tuple[str, Text]] = ()
        self._indent = 0
        self._lines: list[Text] = []
        self._wrapped_to = -1
        self._top = 0
        self._told = False
        self.edition = 0  # counts the texts shown here

    def read(self, rows: Sequence[tuple[str, Text]], indent: int) -> None:
        """Show new labelled rows from their top.

        One labelled "" uses the whole width; its further lines, and all of one labelled `GUTTER`,
        begin with that.
        """
        self._rows = rows
        self._indent = indent
        self.edition += 1
        self._wrapped_to = -1
        self._top = 0
        self._told = False
        self.refresh(layout=True)

    def scroll_lines(self, by: int) -> None:
        last = max(0, len(self._lines) - self.size.height)
        top = min(last, max(0, self._top + by))
        if top != self._top:
            self._top = top
            self.refresh()

    @property
    def below(self) -> int:
        """Lines that are still below the edge."""
        return max(0, len(self._lines) - self._top - self.size.height)

    def _wrap(self, width: int) -> list[Text]:
        if width != self._wrapped_to:
            self._wrapped_to = width
            self._lines = [
                line
                for label, value in self._rows
                for line in _lines(label, value, max(1, width), self._indent)
            ]
        return self._lines

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return len(self._wrap(width))

    def render_line(self, y: int) -> Strip:
        lines = self._wrap(self.size.width)
        self._top = min(self._top, max(0, len(lines) - self.size.height))
        index = self._top + y
        style = self.rich_style
        if index >= len(lines):
            return Strip.blank(self.size.width, style)
        if index == len(lines) - 1 and not self._told:
            self._told = True
            self.post_message(self.EndShown(self.edition))
        segments = Segment.apply_style(lines[index].render(self.app.console), style)
        strip = Strip([segment for segment in segments if segment.text != "\n"])
        return strip.adjust_cell_length(self.size.width, style)


def _lines(label: str, value: Text, width: int, indent: int) -> list[Text]:
    if label not in ("", GUTTER):
        return hang(label, value, width, indent)
    lines = hang("", value, max(1, width - len(GUTTER)), 0)
    flush = lines[:1] if not label else []
    return flush + [Text(GUTTER, palette.MUTED) + line for line in lines[len(flush) :]]
