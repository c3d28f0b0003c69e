"""A line of chrome that redraws only when what it says has changed."""

from __future__ import annotations

from rich.cells import cell_len
from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """Shows one Rich text; the same text again costs nothing."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self.auto_links = False  # what can be clicked is a key, and looks like one
        self._said = Text()

    def say(self, text: Text) -> None:
        if text != self._said or text.spans != self._said.spans:
            # A clock that ticks must not have the whole screen laid out anew each second.
            width = self.content_size.width
            height = _height(text, width)
            same = height > 0 and height == _height(self._said, width)
            self._said = text
            self.update(text, layout=not same)

    @property
    def said(self) -> str:
        """What stands there, without its colours."""
        return self._said.plain


def _height(text: Text, width: int) -> int:
    """How many rows it takes; 0 where only a layout can tell: it is empty, or has to be wrapped."""
    rows = text.plain.split("\n")
    fits = text.plain and all(cell_len(row) <= width for row in rows)
    return len(rows) if fits else 0
