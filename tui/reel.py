"""A recording at one moment: which rows its terminal shows then. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from supervisor.protocol.holder_wire import RunTuple
from supervisor.protocol.recording import ChunkView

QUIET: Final = 2.0  # seconds without a change; longer ones are skipped while it plays

Row = tuple[RunTuple, ...]


@dataclass(slots=True)
class Reel:
    """The chunk that is played, and what of it has been shown."""

    at: float = 0.0  # POSIX seconds
    rows: dict[int, Row] = field(default_factory=dict)
    cols: int = 0
    height: int = 0
    cursor: tuple[int, int, bool] = (0, 0, False)
    chunk: ChunkView | None = None
    _shown: int = 0  # frames of it

    @property
    def over(self) -> bool:
        """Whether all of the recording has been shown."""
        chunk = self.chunk
        return chunk is not None and not chunk.next and self._shown >= len(chunk.frames)

    @property
    def wanted(self) -> float:
        """When the chunk starts that is needed to go on; 0 while this one is enough."""
        chunk = self.chunk
        if chunk is None or self._shown < len(chunk.frames):
            return 0.0
        return chunk.next

    def load(self, chunk: ChunkView, at: float) -> None:
        """Show another chunk, at a time in it."""
        self.chunk, self._shown = chunk, 0
        self.at = max(at, chunk.start)
        self._show()

    def advance(self, seconds: float) -> bool:
        """Go on; quiet times are passed over. Whether something else is to be seen."""
        chunk = self.chunk
        if chunk is None or self.over:
            return False
        upcoming = chunk.frames[self._shown].at if self._shown < len(chunk.frames) else chunk.next
        if upcoming - self.at > QUIET:
            self.at = upcoming - QUIET / 2
        self.at += seconds
        return self._show()

    def _show(self) -> bool:
        assert self.chunk is not None
        before = self._shown
        for frame in self.chunk.frames[before:]:
            # The first frame of a chunk is shown whatever the time: something has to be.
            if frame.at > self.at and self._shown:
                break
            if frame.full:
                self.rows = {}
            self.rows.update(frame.rows)
            self.cols, self.height = frame.cols, frame.height
            self.cursor = (frame.x, frame.y, frame.cursor)
            self._shown += 1
        return self._shown != before
