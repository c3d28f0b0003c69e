"""What a pane shows while the person reads back in it: lines of a still that the holder keeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from supervisor.protocol import reading
from tui import palette
from tui.copymode import Ask, CopyMode
from tui.selection import Selection, Spot
from tui.text import clip
from tui.widgets.rows import PLAIN

if TYPE_CHECKING:
    from supervisor.client_pane import PaneConnection

_LABEL = Style(reverse=True, bold=True)
_SELECTED = Style(reverse=True)
_CURSOR = Style(reverse=True, bold=True)
_CURSOR_IN_SELECTION = Style(reverse=False, bold=True, underline=True)
# Told apart without colour: a place that was found is underlined, the one that one is at reversed.
_FOUND = Style(bold=True, underline=True, color=palette.AMBER)
_FOUND_HERE = Style(bold=True, underline=True, reverse=True, color=palette.AMBER)
_PAGES = 3  # screenfuls of lines that are asked for at once
_STATUS_ROWS = 1  # below the window of a reading that has the keys


class Reader:
    """The reading of one pane, from its first still to its end.

    `changed` is called when another picture is due, `copied` with text that was asked for.
    """

    def __init__(
        self,
        connection: PaneConnection,
        draw: Callable[[reading.Row], Strip],
        ground: Style,
        changed: Callable[[], object],
        copied: Callable[[str, bool], None],
    ) -> None:
        self._connection = connection
        self._draw = draw
        self._ground = ground
        self._changed = changed
        self._copied = copied
        self._size, self._row = (0, 0), 0
        self._then: list[Callable[[CopyMode], None]] = []  # what waits for the still
        self._number = 0  # of the still that was asked for last
        self._live_top = 0  # the line of the still that was the terminal's first row
        self._strips: dict[int, Strip] = {}
        self._asked: set[int] = set()  # pages that are under way
        self.mode: CopyMode | None = None
        self.keyed = False  # the keys are the reading's, not the agent's

    @property
    def active(self) -> bool:
        """Whether one reads back, or is about to."""
        return self.mode is not None or bool(self._then) or self.keyed

    def open(self, size: tuple[int, int], row: int, then: Callable[[CopyMode], None]) -> None:
        """Do `then` with the reading; begin one where there is none.

        `size`: cells a row of the terminal has, and rows that there is room for; `row`: the
        first of the terminal's rows that is shown.
        """
        self._size, self._row = size, row
        if self.mode is not None:
            then(self.mode)
            self._shown()
            return
        self._then.append(then)
        if len(self._then) == 1:
            self._number += 1
            start = reading.StartReading(count=_PAGES * size[1], number=self._number)
            self._connection.read(start)

    def take_keys(self) -> None:
        """From now on the keys are the reading's."""
        self.keyed = True
        self.resize(self._size[1])

    def resize(self, height: int) -> None:
        """Another number of rows for the reading; what is read keeps its width."""
        self._size = self._size[0], height
        if self.mode is not None:
            self.mode.resize(self._window)
            self._shown()

    @property
    def _window(self) -> tuple[int, int]:
        width, height = self._size
        return width, max(height - _STATUS_ROWS * self.keyed, 1)

    def close(self) -> None:
        """Back to what the agent shows now."""
        if not self.active:
            return
        self._connection.read(reading.StopReading())
        self.mode, self.keyed = None, False
        self._then.clear()
        self._strips.clear()
        self._asked.clear()
        self._changed()

    def _do(self, then: Callable[[CopyMode], None]) -> None:
        self.open(self._size, self._row, then)

    # ── What the holder answers ─────────────────────────────────────────────────────────

    def take(self, frame: reading.Answer) -> None:
        match frame:
            case reading.Reading():
                if self._then and frame.number == self._number:
                    self._begin(frame)
            case reading.Taken():
                self._copied(frame.text, frame.cut)
            case _ if self.mode is None:
                return  # it was closed meanwhile
            case reading.Lines():
                self._keep(frame.first, frame.rows)
                self._asked.discard(frame.first)
            case reading.Found():
                self.mode.took(frame.text, frame.count, frame.places)
        if self.mode is not None:
            self._shown()

    def _begin(self, frame: reading.Reading) -> None:
        self._live_top = frame.count - frame.height
        self._keep(frame.count - len(frame.last), frame.last)
        top = self._live_top + self._row  # what was shown stays where it is
        self.mode = CopyMode(frame.count, self._window, (frame.y, frame.x), top, self.text)
        then, self._then = self._then, []
        for do in then:
            do(self.mode)

    def _keep(self, first: int, rows: Iterable[reading.Row]) -> None:
        for number, row in enumerate(rows, start=first):
            self._strips[number] = self._draw(row)

    def _shown(self) -> None:
        """Ask for the lines that are missing or soon will be, and draw."""
        mode = self.mode
        if mode is None:
            return
        page = max(self._size[1], 1)
        for first in range((mode.top // page - 1) * page, mode.top + 2 * page, page):
            start = max(first, 0)
            wanted = range(start, min(start + page, mode.count))
            if start not in self._asked and any(line not in self._strips for line in wanted):
                self._asked.add(start)
                self._connection.read(reading.ReadLines(first=start, count=page))
        self._changed()

    # ── What the person does ────────────────────────────────────────────────────────────

    def spot(self, x: int, y: int) -> Spot:
        """The place at row `y` of the window."""
        assert self.mode is not None
        return self.mode.top + y, x

    def press(self, key: str, character: str | None) -> None:
        """A key while the keys are the reading's; one that comes too early waits for it."""
        self._do(lambda mode: self._obey(mode, mode.press(key, character)))

    def type(self, text: str) -> None:
        """Text for the search that is being typed."""
        if self.mode is not None and self.mode.prompting:
            self._obey(self.mode, self.mode.type(text))

    def _obey(self, mode: CopyMode, ask: Ask) -> None:
        match ask:
            case Ask.LEAVE:
                self.close()
            case Ask.FIND:
                self._connection.read(reading.Find(text=mode.query))
            case Ask.COPY if mode.selection is not None:
                self.copy(mode.selection)
                self.close()
        self._changed()

    def copy(self, selection: Selection) -> None:
        """Ask for the text of a selection; it comes by `copied`."""
        self._connection.read(
            reading.TakeText(anchor=selection.anchor, head=selection.head, whole=selection.whole)
        )

    # ── Drawing ─────────────────────────────────────────────────────────────────────────

    def text(self, line: int) -> str:
        strip = self._strips.get(line)
        return strip.text.rstrip(" ") if strip is not None else ""

    def line(self, y: int, width: int) -> Strip:
        """Row `y` of the pane."""
        mode = self.mode
        assert mode is not None
        if y >= mode.height:
            return self._fit(Strip([Segment(status(mode), self._ground + _LABEL)]), width)
        line = mode.top + y
        strip = self._strips.get(line) or Strip.blank(mode.width, self._ground)
        for start, end, here in mode.marks(line):
            strip = over(strip, start, end, _FOUND_HERE if here else _FOUND)
        selected = mode.selection.span(line, mode.width) if mode.selection is not None else None
        if selected is not None:
            strip = over(strip, *selected, _SELECTED)
        if self.keyed and line == mode.cursor[0]:
            x = mode.cursor[1]
            inside = selected is not None and selected[0] <= x < selected[1]
            strip = over(strip, x, x + 1, _CURSOR_IN_SELECTION if inside else _CURSOR)
        strip = self._fit(strip, width)
        if y == 0 and not self.keyed:
            return labelled(strip, f"↑ {mode.offset}", self._ground)
        return strip

    def _fit(self, strip: Strip, width: int) -> Strip:
        return strip.crop_extend(0, width, self._ground)


def labelled(strip: Strip, label: str, ground: Style) -> Strip:
    """A row with words of ours over its right end."""
    words = f" {clip(label, max(strip.cell_length - 2, 0))} "
    at = max(strip.cell_length - cell_len(words), 0)
    return over(
        Strip.join([strip.crop(0, at), Strip([Segment(words, ground)])]),
        at,
        at + len(words),
        _LABEL,
    )


def status(mode: CopyMode) -> str:
    """The line below a reading that has the keys: what one is at, and what the keys do."""
    at = f"{mode.top + mode.height:,}/{mode.count:,}"
    if mode.query or mode.prompting:
        found = f"{mode.rank:,} of {mode.found:,}" if mode.found else "not found"
        keys = "enter keeps  ↑ older  ↓ newer  esc drops" if mode.prompting else (
            "n older  N newer  v select  y copy  esc back"
        )  # fmt: skip
        bar = "▏" if mode.prompting else ""
        said = found if mode.query else "type what to find"
        return f" / {mode.query}{bar}  {said}  ·  {keys}  ·  {at} "
    if mode.anchor is not None:
        what = "lines" if mode.whole else "text"
        return f" SELECT {what}  ·  y copy  v V change  esc drop  ·  {at} "
    return f" COPY  ·  v select  V lines  y copy  / search  g G ends  esc back  ·  {at} "


def over(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """`strip` with `style` above its own in the cells [start, end)."""
    # `Strip.apply_style` would put it below what is there.
    part = [Segment(s.text, (s.style or PLAIN) + style) for s in strip.crop(start, end)]
    return Strip.join([strip.crop(0, start), Strip(part), strip.crop(end)])
