"""A recording's content: the screen's cells over time, never the agent's bytes.

A frame has the rows that differ from the frame before. Frames are kept in chunks; the first frame
of each chunk has every row, so that a chunk is understood without those before it. At most ten
frames a second are kept: what a person would have seen, whatever an agent printed in between.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import msgspec

from supervisor.protocol.holder_wire import RunTuple, Screen
from supervisor.protocol.recording import FrameView

Row = tuple[RunTuple, ...]

_MOST = 64 * 1024 * 1024  # bytes of a chunk when it is opened out
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(tuple[FrameView, ...])


def pack(frames: Sequence[FrameView]) -> bytes:
    """A chunk, compressed."""
    return zlib.compress(_encoder.encode(frames), 6)


def unpack(data: bytes) -> tuple[FrameView, ...]:
    """The frames of a chunk.

    Raises:
        ValueError: it holds none.
    """
    opened = zlib.decompressobj()
    try:
        raw = opened.decompress(data, _MOST)
        if not opened.eof:
            raise ValueError("it is not in our format, or too large")
        return _decoder.decode(raw)
    except (zlib.error, msgspec.MsgspecError) as error:
        raise ValueError("it is not in our format") from error


class Pane:
    """The rows of a terminal as its holder tells them."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self.cols, self.height = 0, 0
        self.cursor = (0, 0, True)  # column, row, shown

    def take(self, screen: Screen) -> None:
        """A frame of the holder's."""
        if screen.full:
            self.rows = {}
        self.rows.update(screen.rows)
        self.cols, self.height = screen.cols or self.cols, screen.height or self.height
        self.cursor = (screen.x, screen.y, screen.cursor)
        for y in [y for y in self.rows if y >= self.height]:
            del self.rows[y]


class Film:
    """Turns states of a terminal into frames."""

    def __init__(self) -> None:
        self._rows: dict[int, Row] = {}
        self._size = (0, 0)
        self._cursor = (0, 0, True)

    def frame(self, at: float, pane: Pane, rows: dict[int, Row], *, full: bool) -> FrameView | None:
        """What is to be kept of a state; None where nothing has changed since the last frame.

        Args:
            at: POSIX seconds.
            rows: of the pane, with secrets masked.
            full: this frame begins a chunk.
        """
        size = (pane.cols, pane.height)
        full = full or size != self._size
        changed = {y: row for y, row in rows.items() if full or self._rows.get(y) != row}
        if not full:
            changed |= {y: () for y in self._rows if y not in rows}
        if not (full or changed or pane.cursor != self._cursor):
            return None
        self._rows, self._size, self._cursor = dict(rows), size, pane.cursor
        x, y, shown = pane.cursor
        return FrameView(
            at=round(at, 3), rows=changed, x=x, y=y, cursor=shown, cols=pane.cols,
            height=pane.height, full=full,
        )  # fmt: skip
