"""A line of chrome that redraws only when what it says has changed."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """Shows one Rich text; the same text again costs nothing."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__("", id=id, classes=classes, markup=False)
        self._said = Text()

    def say(self, text: Text) -> None:
        if text != self._said or text.spans != self._said.spans:
            self._said = text
            self.update(text)

    @property
    def said(self) -> str:
        """What stands there, without its colours."""
        return self._said.plain
