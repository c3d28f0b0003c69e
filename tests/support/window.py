"""The person's terminal, resized, and what stands in it outside one pane."""

from __future__ import annotations

import fcntl
import re
import struct
import termios

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from supervisor.ports import Run
from tests.support.terminal import Terminal

_CLOCK = re.compile(r"\d+(?=:)|(?<=:)\d\d")  # the time of day, and how long something waits
# What the tasks use, once it was measured, in a row that ends with what was asked.
_METER = re.compile(r"\d+ % cpu · [\d.]+ [KMG]?B · \d+ process(es)? · ")
_METERED = " · denied "
# Whether a program computes, by which its row is longer or shorter.
_TELLS_STATE = re.compile(r"[●○] .*\b(working|idle)\b")
_STATE = re.compile(r"● working|○ idle|^ *(working|idle|[●○]) *$")
_STATED = "as it may be"
_ROOM = re.compile(r"([ ─])\1+")


class Window(Terminal):
    """A terminal window that knows no grapheme clusters (DEC mode 2027 is off), as most do not.

    What is as wide as its pane only when clusters are joined runs over the pane's edge here.
    """

    async def __aenter__(self) -> Window:
        self._output = bytearray()  # what the screen has written since it was last asked for
        self._take = self._emulator.feed
        self._take(b"\x1b[?2027l")
        self._emulator.feed = self._kept  # type: ignore[method-assign]
        await super().__aenter__()
        return self

    def _kept(self, data: bytes) -> bytes:
        self._output += data
        return self._take(data)

    def text(self) -> str:
        """What the person sees now; nothing in the middle of an update."""
        return "" if self._emulator.held else super().text()

    def updates(self) -> str:
        """The whole updates that the screen has written since it was last asked for them."""
        end = self._output.rfind(b"\x1b[?2026l")
        whole = self._output[: end + 8] if end >= 0 else bytearray()
        del self._output[: len(whole)]
        return whole.decode()

    def resize(self, cols: int, rows: int) -> None:
        """As when the person pulls at the window's corner."""
        self._emulator.resize(cols, rows)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def outside(self, tile: str) -> list[tuple[str, ...]]:
        """Every row without the inside of the tile whose title holds `tile`; times aside."""
        lines = self.text().split("\n")
        top = next(y for y, line in enumerate(lines) if tile in line)
        left = lines[top].index("╭")
        right = lines[top].index("╮", lines[top].index(tile))
        bottom = next(y for y in range(top + 1, len(lines)) if lines[y][left] == "╰")
        cols = self._emulator.size[0]
        kept: list[tuple[str, ...]] = []
        for y, runs in sorted(self._emulator.snapshot().items()):
            row = Strip([Segment(run.text, _style(run)) for run in runs]).extend_cell_length(cols)
            if top < y < bottom:
                kept.append((*_cells(row.crop(0, left + 1)), *_cells(row.crop(right, cols))))
            else:
                kept.append(_cells(row))
        return kept


def _style(run: Run) -> Style:
    """A style of its own for each look; what it looks like matters to nobody."""
    return Style(link=f"{run.fg} {run.bg} {run.attrs}")


def _cells(strip: Strip) -> tuple[str, ...]:
    """Text with its style, as things to compare and to read in a failure."""
    metered = _METERED in strip.text
    stated = _TELLS_STATE.search(strip.text) is not None
    return tuple(
        _STATED
        if stated and _STATE.search(segment.text)
        else f"{_timeless(segment.text, moved=metered or stated, metered=metered)} "
        f"{segment.style and segment.style.link}"
        for segment in strip.simplify()
    )


def _timeless(text: str, *, moved: bool, metered: bool) -> str:
    """Without what changes by itself; `moved`: it stands in a row that other things move."""
    text = _CLOCK.sub("0", text)
    if metered:
        text = _METER.sub("", text)
    return _ROOM.sub(r"\1", text) if moved else text
