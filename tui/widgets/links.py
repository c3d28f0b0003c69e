"""The links (OSC 8) that a pane shows: where they stand, which one the mouse is over."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.style import Style
from textual.strip import Strip

from tui.widgets.reading import over

_LINK = Style(underline=True)


@dataclass(frozen=True, slots=True)
class Link:
    """`text` is what the agent shows for it; `target` as the agent gave it: never drawn raw."""

    text: str
    target: str


class Links:
    """Of one pane, by rows of the terminal."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[tuple[int, int, str], ...]] = {}
        self._texts: dict[tuple[int, int], str] = {}
        self.under: Link | None = None  # the mouse

    def clear(self) -> None:
        self._rows.clear()

    def mark(self, y: int, strip: Strip, found: tuple[tuple[int, int, str], ...]) -> Strip:
        """Take the links of a row; the row with them underlined."""
        if not found:
            self._rows.pop(y, None)
            return strip
        self._rows[y] = found
        for x, cells, _ in found:
            self._texts[y, x] = strip.crop(x, x + cells).text
            strip = over(strip, x, x + cells, _LINK)
        return strip

    def at(self, x: int, y: int) -> Link | None:
        for start, cells, target in self._rows.get(y, ()):
            if start <= x < start + cells:
                return Link(self._texts[y, start], target)
        return None

    def point(self, x: int, y: int) -> bool:
        """The mouse is at this cell now; whether that changes what is under it."""
        before, self.under = self.under, self.at(x, y)
        return before != self.under

    def all(self, rows: Mapping[int, Strip]) -> list[Link]:
        """Each target once, from the top."""
        shown = ((y, start, target) for y in sorted(rows) for start, _, target in self._row(y))
        found = {target: Link(self._texts[y, start], target) for y, start, target in shown}
        return list(found.values())

    def _row(self, y: int) -> Iterable[tuple[int, int, str]]:
        return self._rows.get(y, ())


def has_browser() -> bool:
    """Whether a browser with a window can be opened; one of text would take this terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
