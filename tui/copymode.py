"""Reading back in a pane: where one is, what is selected, what was found. Pure; no widget.

The keys are those of tmux's copy mode (vi). A search goes upwards from where one is, since what
is looked for in a terminal lies above: `n` goes on to what is older, `N` comes back.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from rich.cells import cell_len

from supervisor.protocol.reading import Place
from tui.selection import Selection, Spot, next_word, previous_word, word_end

_MOST_QUERY: Final = 200  # characters; the holder searches for no more


class Ask(Enum):
    """What a key asks for that cannot be done here."""

    NOTHING = auto()
    LEAVE = auto()
    COPY = auto()
    FIND = auto()  # `query` has changed


class CopyMode:
    """One reading of `count` lines in a window of `height` rows and `width` cells.

    `text_of` gives a line's text, "" for one that is not at hand.
    """

    def __init__(
        self,
        count: int,
        size: tuple[int, int],
        cursor: Spot,
        top: int,
        text_of: Callable[[int], str],
    ) -> None:
        self.count = count
        self.width, self.height = size
        self.top = top
        self.cursor = cursor
        self.anchor: Spot | None = None
        self.whole = False
        self.query = ""
        self.prompting = False  # the query is being typed
        self.found = 0  # places in all
        self.places: tuple[Place, ...] = ()  # the newest of them, oldest first
        self.at = -1  # which of `places` one is at
        self._origin = cursor  # where the search began
        self._text_of = text_of
        self._clamp()
        self._follow()

    # ── What is shown ───────────────────────────────────────────────────────────────────

    @property
    def offset(self) -> int:
        """Lines below the window."""
        return max(self.count - self.height - self.top, 0)

    @property
    def selection(self) -> Selection | None:
        if self.anchor is None:
            return None
        return Selection(self.anchor, self.cursor, self.whole)

    def marks(self, line: int) -> list[tuple[int, int, bool]]:
        """Cells [start, end) of `line` that a search found, and whether one is at that place."""
        marked: list[tuple[int, int, bool]] = []
        # One that goes on over the edge began in a line above.
        number = bisect_left(self.places, (line - _MOST_QUERY // max(self.width, 1) - 1, 0, 0))
        while number < len(self.places) and self.places[number][0] <= line:
            row, x, cells = self.places[number]
            start = x - (line - row) * self.width
            end = start + cells
            if end > 0 and start < self.width:
                marked.append((max(start, 0), min(end, self.width), number == self.at))
            number += 1
        return marked

    @property
    def rank(self) -> int:
        """The number of the place one is at, from the newest; 0 for none."""
        return len(self.places) - self.at if self.at >= 0 else 0

    def resize(self, size: tuple[int, int]) -> None:
        self.width, self.height = size
        self._clamp()
        self._follow()

    def scroll(self, rows: int) -> None:
        """Move the window, up when `rows` is negative; the cursor stays inside it."""
        self.top += rows
        self._clamp()
        line, x = self.cursor
        self.cursor = min(max(line, self.top), self.top + self.height - 1), x
        self._clamp()

    def select(self, anchor: Spot, head: Spot, *, whole: bool = False) -> None:
        """Select by the mouse."""
        self.anchor, self.cursor, self.whole = anchor, head, whole
        self._clamp()

    # ── Searching ───────────────────────────────────────────────────────────────────────

    def prompt(self) -> None:
        """Begin to type what is searched for."""
        self.prompting, self.query = True, ""
        self._forget()
        self._origin = self.cursor

    def took(self, text: str, found: int, places: tuple[Place, ...]) -> None:
        """The holder has searched. Stale answers are passed over."""
        if text != self.query:
            return
        self.found, self.places = found, places
        above = [n for n, (line, x, _) in enumerate(places) if (line, x) <= self._origin]
        self.at = above[-1] if above else len(places) - 1
        self._to_place()

    def type(self, text: str) -> Ask:
        """Add to the query."""
        self.query = (self.query + text)[:_MOST_QUERY]
        return self._changed()

    def _changed(self) -> Ask:
        if not self.query:
            self._forget()
            self._go(*self._origin)
        return Ask.FIND

    def _forget(self) -> None:
        self.found, self.places, self.at = 0, (), -1

    def _step(self, by: int) -> None:
        if self.places:
            self.at = (self.at + by) % len(self.places)
            self._to_place()

    def _to_place(self) -> None:
        if self.at >= 0:
            line, x, _ = self.places[self.at]
            self._go(line, x)

    # ── Keys ────────────────────────────────────────────────────────────────────────────

    def press(self, key: str, character: str | None) -> Ask:
        """Take one key, by Textual's name and what it types."""
        if self.prompting:
            return self._press_prompt(key, character)
        line, x = self.cursor
        half, page = max(self.height // 2, 1), max(self.height - 2, 1)
        match key:
            case "q" | "ctrl+c":
                return Ask.LEAVE
            case "escape":
                if self.anchor is None:
                    return Ask.LEAVE
                self.anchor = None
            case "y" | "enter":
                return Ask.COPY
            case "v" | "space":
                self._mark(whole=False)
            case "V":
                self._mark(whole=True)
            case "slash" | "question_mark":
                self.prompt()
            case "n":
                self._step(-1)
            case "N":
                self._step(1)
            case "h" | "left":
                self._go(line, x - 1)
            case "l" | "right":
                self._go(line, x + 1)
            case "k" | "up" | "ctrl+p":
                self._go(line - 1, x)
            case "j" | "down" | "ctrl+n":
                self._go(line + 1, x)
            case "0" | "home":
                self._go(line, 0)
            case "dollar_sign" | "end":
                self._go(line, self._end(line))
            case "circumflex_accent":
                text = self._text_of(line)
                self._go(line, len(text) - len(text.lstrip(" ")))
            case "w":
                self._to_word(next_word, 1)
            case "e":
                self._to_word(word_end, 1)
            case "b":
                self._to_word(previous_word, -1)
            case "H":
                self._go(self.top, x)
            case "M":
                self._go(self.top + self.height // 2, x)
            case "L":
                self._go(self.top + self.height - 1, x)
            case "g":
                self._go(0, 0)
            case "G":
                self._go(self.count - 1, x)
            case "pageup" | "ctrl+b":
                self._page(-page)
            case "pagedown" | "ctrl+f":
                self._page(page)
            case "ctrl+u":
                self._page(-half)
            case "ctrl+d":
                self._page(half)
        return Ask.NOTHING

    def _press_prompt(self, key: str, character: str | None) -> Ask:
        match key:
            case "escape" | "ctrl+c":
                self.prompting, self.query = False, ""
                return self._changed()
            case "enter":
                self.prompting = False
            case "backspace":
                self.query = self.query[:-1]
                return self._changed()
            case "ctrl+u":
                self.query = ""
                return self._changed()
            case "up" | "ctrl+p":
                self._step(-1)
            case "down" | "ctrl+n":
                self._step(1)
            case _ if character and character.isprintable():
                return self.type(character)
        return Ask.NOTHING

    def _mark(self, *, whole: bool) -> None:
        """Begin to select; the same key again ends it, the other one changes what is taken."""
        if self.anchor is None:
            self.anchor = self.cursor
        elif self.whole == whole:
            self.anchor = None
        self.whole = whole

    def _to_word(self, find: Callable[[str, int], int | None], way: int) -> None:
        line, x = self.cursor
        found = find(self._text_of(line), x)
        if found is None and 0 <= line + way < self.count:
            line += way
            found = find(self._text_of(line), -1 if way > 0 else self.width)
            found = 0 if found is None else found
        if found is not None:
            self._go(line, found)

    def _end(self, line: int) -> int:
        """Last cell of a line that holds anything."""
        return max(cell_len(self._text_of(line).rstrip(" ")) - 1, 0)

    def _page(self, rows: int) -> None:
        self.top += rows
        line, x = self.cursor
        self.cursor = line + rows, x
        self._clamp()
        self._follow()

    def _go(self, line: int, x: int) -> None:
        self.cursor = line, x
        self._clamp()
        self._follow()

    def _follow(self) -> None:
        """Bring the cursor's line into the window."""
        line = self.cursor[0]
        if line < self.top:
            self.top = line
        elif line >= self.top + self.height:
            self.top = line - self.height + 1

    def _clamp(self) -> None:
        line, x = self.cursor
        self.cursor = min(max(line, 0), self.count - 1), min(max(x, 0), max(self.width - 1, 0))
        self.top = min(max(self.top, 0), max(self.count - self.height, 0))
