"""Selecting in a pane with the mouse: a drag, a word by two clicks, lines by three."""

from __future__ import annotations

from collections.abc import Callable

from tui.copymode import CopyMode
from tui.selection import Spot, word_at
from tui.widgets.reading import Reader


class MouseSelection:
    """Turns presses and moves into a selection of the pane's reading, and has it copied.

    `read` does something with the reading, and begins one where there is none: what the person
    has pressed on stays where it is. x and y are cells of the pane.
    """

    def __init__(self, reader: Reader, read: Callable[[Callable[[CopyMode], None]], None]) -> None:
        self._reader = reader
        self._read = read
        self._pressed: tuple[int, int] | None = None
        self._moved = False
        self._anchor: Spot | None = None  # where a drag began
        self._own = False  # the reading was begun for this

    @property
    def pressed(self) -> bool:
        return self._pressed is not None

    def press(self, x: int, y: int) -> None:
        self._pressed, self._moved, self._anchor = (x, y), False, None
        self._own = not self._reader.active
        self._read(self._drop)

    def _drop(self, mode: CopyMode) -> None:
        mode.anchor = None

    def move(self, x: int, y: int) -> None:
        pressed = self._pressed
        if pressed is not None and (self._moved or (x, y) != pressed):
            self._moved = True
            self._read(lambda mode: self._drag(mode, pressed, x, y))

    def _drag(self, mode: CopyMode, pressed: tuple[int, int], x: int, y: int) -> None:
        if self._anchor is None:
            self._anchor = self._reader.spot(*pressed)
        if y < 0:
            mode.scroll(-1)
        elif y >= mode.height:
            mode.scroll(1)
        mode.select(self._anchor, self._reader.spot(x, min(max(y, 0), mode.height - 1)))

    def release(self) -> None:
        """Copy what was dragged over."""
        self._pressed = None
        if self._moved:
            self._read(self._finish)
        elif self._own:
            self._reader.close()

    def _finish(self, mode: CopyMode) -> None:
        if mode.selection is not None:
            self._reader.copy(mode.selection)
        if self._own:
            self._reader.close()

    def click(self, x: int, y: int, chain: int) -> None:
        """Copy a word (`chain` 2) or a line (3)."""
        own = not self._reader.active

        def take(mode: CopyMode) -> None:
            line = self._reader.spot(x, y)[0]
            word = word_at(self._reader.text(line), x)
            if chain == 3:
                mode.select((line, 0), (line, x), whole=True)
            elif word is not None:
                mode.select((line, word[0]), (line, word[1] - 1))
            if mode.selection is not None:
                self._reader.copy(mode.selection)
            if own:
                self._reader.close()

        if chain in (2, 3):
            self._read(take)
