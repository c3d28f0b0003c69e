"""The client's part about the past."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

if TYPE_CHECKING:
    from supervisor.protocol import recording as wire_recording
    from supervisor.protocol import review as wire_review

_T = TypeVar("_T")


class ReviewCalls:
    """What `AsyncClient` asks about records. Every method raises TaskpassError on failure."""

    @abstractmethod
    async def _call(
        self, method: str, target: str, body: Any = None, *, answer: type[_T], screen: bool = False
    ) -> _T: ...

    @abstractmethod
    def _parts(self, target: str) -> AsyncIterator[bytes]: ...

    async def find(
        self, query: str = "", *, before: int = 0, after: int = 0, limit: int = 500
    ) -> wire_review.PageView:
        """A page of the records that match, newest first. It may be short, or empty, though there
        is more: then `next` says where to go on."""
        from supervisor.protocol.review import PageView

        asked = {"q": query, "before": before, "after": after, "limit": limit}
        target = f"/v1/review/records?{urlencode(asked)}"
        return await self._call("GET", target, answer=PageView)

    async def proof(self, seq: int) -> wire_review.ProofView:
        """One record, with what backs it."""
        from supervisor.protocol.review import ProofView

        return await self._call("GET", f"/v1/review/records/{seq}", answer=ProofView)

    async def replay(self, seqs: Sequence[int]) -> list[wire_review.ReplayView]:
        """What would be decided today about these records."""
        from supervisor.protocol.review import ReplayView

        target = f"/v1/review/replay?seq={','.join(map(str, seqs))}"
        return await self._call("GET", target, answer=list[ReplayView])

    async def timeline(self, query: str = "") -> wire_review.TimelineView:
        from supervisor.protocol.review import TimelineView

        target = f"/v1/review/timeline?{urlencode({'q': query})}"
        return await self._call("GET", target, answer=TimelineView)

    async def figures(self, query: str = "") -> wire_review.FiguresView:
        from supervisor.protocol.review import FiguresView

        target = f"/v1/review/figures?{urlencode({'q': query})}"
        return await self._call("GET", target, answer=FiguresView)

    async def recordings(self) -> list[wire_recording.RecordingView]:
        """What terminals showed, where that was kept; the newest first."""
        from supervisor.protocol.recording import RecordingView

        return await self._call("GET", "/v1/recordings", answer=list[RecordingView])

    async def recording(self, task: str, at: float = 0.0) -> wire_recording.ChunkView:
        """What a task's terminal showed at a time (POSIX seconds), and for some time after it."""
        from supervisor.protocol.recording import ChunkView

        return await self._call("GET", f"/v1/recordings/{task}?at={at}", answer=ChunkView)

    def cast(self, task: str) -> AsyncIterator[bytes]:
        """A recording in asciicast v2, as it is written."""
        return self._parts(f"/v1/recordings/{task}/cast")

    async def remove_recording(self, task: str) -> None:
        await self._call("DELETE", f"/v1/recordings/{task}", answer=dict)

    def export(self, query: str, form: str) -> AsyncIterator[bytes]:
        """An export (`review.exporting`) as it is written; it is whole when the iterator ends."""
        return self._parts(f"/v1/review/export?{urlencode({'q': query, 'format': form})}")
