"""What a pane shows and has shown, kept still while a person reads, searches and copies it.

The agent goes on printing; what is read does not move.
"""

from __future__ import annotations

import asyncio
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence

from rich.cells import cell_len

from supervisor.ports import Emulator, Line, Run, Still
from supervisor.protocol import reading

_MOST_LINES = 1000  # sent at once
_MOST_PLACES = 5000  # of a search that are sent: the newest
_MOST_QUERY = 200  # characters searched for
_MOST_TEXT = 1024 * 1024  # characters of a copy; terminals take far less
Row = tuple[str, int]  # text, and `ports.Line.wraps_at`
_FAR = 1 << 16  # beyond any row's last cell
_SLICE = 100  # lines read before the agent and other screens have their turn


class Reader:
    """Answers one screen from its still. `send` takes an answer; lives on the running loop."""

    def __init__(self, emulator: Emulator, send: Callable[[reading.Answer], None]) -> None:
        self._emulator = emulator
        self._send = send
        self._still: Still | None = None
        self._read: list[Row] = []  # its first lines
        self._finding: asyncio.Task[None] | None = None

    def take(self, message: reading.Request) -> None:
        match message:
            case reading.StartReading():
                self._start(message.count, message.number)
            case reading.StopReading():
                self.stop()
            case _ if self._still is None:
                return  # a screen asks for lines only of what it has been told of
            case reading.ReadLines(first=first, count=count):
                lines = self._still.lines(max(first, 0), min(count, _MOST_LINES))
                self._send(reading.Lines(first=max(first, 0), rows=_rows(lines)))
            case reading.Find(text=text):
                self._drop_search()
                self._finding = asyncio.create_task(self._find(self._still, text[:_MOST_QUERY]))
            case reading.TakeText():
                self._take_text(self._still, message)

    def stop(self) -> None:
        """Let go of the still."""
        self._drop_search()
        self._still, self._read = None, []

    def _start(self, count: int, number: int) -> None:
        self.stop()
        still = self._still = self._emulator.still()
        cursor, (_, height) = self._emulator.cursor(), self._emulator.size
        count = min(max(count, 0), _MOST_LINES, still.count)
        self._send(
            reading.Reading(
                count=still.count,
                height=height,
                x=cursor.x,
                y=still.count - height + cursor.y,
                number=number,
                last=_rows(still.lines(still.count - count, count)),
            )
        )

    def _drop_search(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            self._finding = None

    async def _find(self, still: Still, query: str) -> None:
        while len(self._read) < still.count:
            lines = still.lines(len(self._read), _SLICE)
            self._read += [(line.text, line.wraps_at) for line in lines]
            await asyncio.sleep(0)
        found = tuple(places(self._read, query))
        self._send(reading.Found(text=query, count=len(found), places=found[-_MOST_PLACES:]))

    def _take_text(self, still: Still, message: reading.TakeText) -> None:
        (first, x), (last, end) = sorted((message.anchor, message.head))
        lines = still.lines(first, min(last - first + 1, still.count))
        if message.whole:
            x, end = 0, _FAR
        text = between([(line.text, line.wraps_at) for line in lines], x, end)
        self._send(reading.Taken(text=text[:_MOST_TEXT], cut=len(text) > _MOST_TEXT))


def _rows(lines: Sequence[Line]) -> tuple[reading.Row, ...]:
    return tuple(_row(line.runs) for line in lines)


def _row(runs: tuple[Run, ...]) -> reading.Row:
    return tuple((run.text, run.fg, run.bg, run.attrs) for run in runs)


def places(lines: Sequence[Row], query: str) -> Iterator[reading.Place]:
    """Where `query` stands in `lines`; what the terminal wrapped is found too.

    Case counts once the query has a capital letter.
    """
    if not query:
        return
    flags = re.NOFLAG if query != query.lower() else re.IGNORECASE
    wanted = re.compile(re.escape(query), flags)
    number = 0
    while number < len(lines):
        first, starts, whole = number, [0], _filled(*lines[number])
        while lines[number][1] and number + 1 < len(lines):
            number += 1
            starts.append(len(whole))
            whole += _filled(*lines[number])
        number += 1
        for match in wanted.finditer(whole):
            row = bisect_right(starts, match.start()) - 1
            x = cell_len(whole[starts[row] : match.start()])
            yield first + row, x, cell_len(match.group())


def between(lines: Sequence[Row], x: int, end: int) -> str:
    """Text of `lines` from cell `x` of the first to cell `end` of the last, inclusive.

    Rows that are one line of the agent's are joined as it printed them; blanks at the end of a
    line are nobody's text.
    """
    pieces: list[str] = []
    for number, (text, wraps_at) in enumerate(lines):
        is_last = number + 1 == len(lines)
        text = _filled(text, wraps_at)
        text = cells(text, x if number == 0 else 0, end + 1 if is_last else _FAR)
        if is_last:
            pieces.append(text.rstrip(" "))
        else:
            pieces.append(text if wraps_at else text.rstrip(" ") + "\n")
    return "".join(pieces)


def _filled(text: str, wraps_at: int) -> str:
    """A row with the blanks that its line has at the place where it was wrapped."""
    return text + " " * (wraps_at - cell_len(text)) if wraps_at else text


def cells(text: str, start: int, end: int) -> str:
    """What of `text` begins in the cells [start, end)."""
    if text.isascii():
        return text[start:end]
    kept: list[str] = []
    at = 0
    for character in text:
        width = cell_len(character)
        # A mark belongs to the character before it, and is kept with that one.
        if start <= at < end if width else kept and start < at <= end:
            kept.append(character)
        at += width
    return "".join(kept)
