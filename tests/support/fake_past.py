"""The past of the fake supervisor: records found, proved, judged again and counted as by a real
one, without a file."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from supervisor.errors import NotFound
from supervisor.protocol.recording import ChunkView, RecordingView
from supervisor.protocol.review import (
    FiguresView,
    HeadView,
    PageView,
    ProofView,
    ReplayView,
    TimelineView,
)
from supervisor.review import words
from supervisor.review.figures import figures
from supervisor.review.query import parse

_BUCKETS = 60


class FakePast:
    """Needs `past()`, oldest first, and `numbers()`: task ids by the number that is shown."""

    broken_at = 0  # what proofs say, where it is not 0
    today: ReplayView | None = None  # what every record is judged today

    def __init__(self) -> None:
        self.recorded: dict[str, list[ChunkView]] = {}

    @abstractmethod
    def past(self) -> list[dict[str, Any]]: ...

    @abstractmethod
    def numbers(self) -> dict[str, str]: ...

    @abstractmethod
    def now(self) -> float: ...

    @abstractmethod
    def _ask(self, name: str, body: Any = None) -> None: ...

    def _matching(self, query: str) -> list[dict[str, Any]]:
        wanted = parse(query, self.now(), lambda shown: self.numbers().get(shown, shown))
        return [record for record in self.past() if wanted.matches(record)]

    async def find(
        self, query: str = "", *, before: int = 0, after: int = 0, limit: int = 500
    ) -> PageView:
        self._ask("find", (query, before, after))
        every = self.past()
        found = [r for r in self._matching(query) if after < r["seq"] < (before or 10**9)]
        page = found[::-1][:limit]
        more = len(found) > limit
        return PageView(
            records=tuple(page),
            next=page[-1]["seq"] if more else 0,
            head=every[-1]["seq"] if every else 0,
            seen=len(every),
        )

    async def proof(self, seq: int) -> ProofView:
        self._ask("proof", seq)
        record = next((each for each in self.past() if each["seq"] == seq), None)
        if record is None:
            raise NotFound(f"There is no record {seq}.")
        head = HeadView(number=17, seq=seq + 3, time=self.now() - 5, signature="5a" * 64)
        return ProofView(
            record=record,
            standing="broken" if self.broken_at else "verified",
            message=f"Record {self.broken_at} was altered: its hash does not match."
            if self.broken_at
            else f"Checkpoint 17, signed over record {seq + 3}, covers it.",
            prev="00" * 32,
            broken_at=self.broken_at,
            head=head,
            key="SHA256:q7dXyN0s3bq0mD5lXoAh1x0x9oW4f4c2Yb8m1r0KJ6E",
        )

    async def replay(self, seqs: Sequence[int]) -> list[ReplayView]:
        self._ask("replay", list(seqs))
        views = []
        for seq in seqs:
            record = next(each for each in self.past() if each["seq"] == seq)
            then = str(record.get("outcome", "ask"))
            view = self.today or ReplayView(
                seq=seq, title=words.sentence(record), then=then, now=then,
                then_rules=tuple(record.get("policies", ())),
                now_rules=tuple(record.get("policies", ())), now_reason="as before",
            )  # fmt: skip
            views.append(msgspec.structs.replace(view, seq=seq))
        return views

    async def timeline(self, query: str = "") -> TimelineView:
        self._ask("timeline", query)
        found = self._matching(query)
        if not found:
            return TimelineView()
        start, end = found[0]["time"], found[-1]["time"]
        counts = [[0] * _BUCKETS for _ in range(4)]
        for record in found:
            at = min(int((record["time"] - start) / max(end - start, 1) * _BUCKETS), _BUCKETS - 1)
            counts[0][at] += 1
            decision = words.decision(record)
            for row, decisions in ((1, ("ask",)), (2, ("deny", "denied")), (3, ("incident",))):
                counts[row][at] += decision in decisions
        rows = [tuple(each) for each in counts]
        return TimelineView(
            start=start, end=end, records=rows[0], asked=rows[1], refused=rows[2], incidents=rows[3]
        )

    async def figures(self, query: str = "") -> FiguresView:
        self._ask("figures", query)
        return figures(self._matching(query))

    async def recordings(self) -> list[RecordingView]:
        self._ask("recordings")
        return [
            RecordingView(task=task, began=chunks[0].began, ended=chunks[0].ended, size=4096)
            for task, chunks in self.recorded.items()
        ]

    async def recording(self, task: str, at: float = 0.0) -> ChunkView:
        self._ask("recording", (task, at))
        if task not in self.recorded:
            raise NotFound("Nothing of this task was recorded.")
        chunks = self.recorded[task]
        return next((each for each in reversed(chunks) if each.start <= at), chunks[0])

    async def export(self, query: str, form: str) -> AsyncIterator[bytes]:
        self._ask("export", (query, form))
        for record in self._matching(query):
            yield msgspec.json.encode(record) + b"\n"
