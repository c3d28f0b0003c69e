"""Recordings of terminals, on the supervisor's socket."""

from __future__ import annotations

from supervisor.protocol.holder_wire import RunTuple
from supervisor.protocol.wire import Wire


class FrameView(Wire, frozen=True, kw_only=True):
    """Rows of a terminal that have changed, by their number from the top."""

    at: float  # POSIX seconds
    rows: dict[int, tuple[RunTuple, ...]]
    x: int = 0
    y: int = 0
    cursor: bool = True
    cols: int = 0
    height: int = 0
    full: bool = False  # every row that is not empty is here


class RecordingView(Wire, frozen=True, kw_only=True):
    """GET /v1/recordings: one task's."""

    task: str
    began: float  # POSIX seconds
    ended: float  # of the last chunk so far
    size: int  # bytes on the disk
    running: bool = False
    whole: bool = True  # False: it stops without its end, since the supervisor did, or it was cut
    problem: str = ""  # why it cannot be read, in words


class ChunkView(Wire, frozen=True, kw_only=True):
    """GET /v1/recordings/{task}?at=SECONDS: what was shown then, and from then on."""

    frames: tuple[FrameView, ...]
    start: float  # POSIX seconds
    next: float = 0.0  # when the chunk behind it starts, 0 for none
    began: float = 0.0  # of the whole recording
    ended: float = 0.0
    whole: bool = True
