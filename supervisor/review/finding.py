"""Records that match a query: a page of them, or a picture of when they were.

A page is found from the newest record back, until it is full or some time has gone by: the answer
then says where to go on, so that a rare word among a million records makes nobody wait in silence.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from typing import Any

from supervisor.ledger.chain import Row
from supervisor.ledger.reading import Reading
from supervisor.protocol.review import PageView, TimelineView
from supervisor.review import words
from supervisor.review.query import Query

_PATIENCE = 0.25  # seconds that one page is looked for
_LOOK = 64  # records between two looks at the clock
BUCKETS = 60


def page(
    source: Reading,
    query: Query,
    *,
    before: int = 0,
    after: int = 0,
    limit: int = 500,
    patience: float = _PATIENCE,
) -> PageView:
    """The newest records that match, with numbers between the two (0: no bound)."""
    deadline = time.monotonic() + patience
    found: list[dict[str, Any]] = []
    head, seen = source.head, 0
    rows = source.rows(
        after=after,
        before=before,
        tasks=_family(source, query.exactly("task")),
        kinds=query.exactly("kind"),
        newest_first=True,
    )
    for row in rows:
        seen += 1
        record = _match(row, query)
        if record is not None:
            found.append(record)
        full = len(found) >= limit
        if full or (seen % _LOOK == 0 and time.monotonic() > deadline):
            further = row.seq if row.seq > after + 1 else 0
            return PageView(records=tuple(found), next=further, head=head, seen=seen)
    return PageView(records=tuple(found), head=head, seen=seen)


def matching(
    source: Reading, query: Query, kinds: Sequence[str] = ()
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Every record that matches, oldest first; of `kinds` only, where any are given."""
    tasks = _family(source, query.exactly("task"))
    for row in source.rows(tasks=tasks, kinds=kinds or query.exactly("kind")):
        record = _match(row, query)
        if record is not None:
            yield row, record


def _family(source: Reading, tasks: Sequence[str]) -> tuple[str, ...]:
    """These tasks and those of their subagents."""
    if not tasks:
        return ()
    tops = [f'"top":{json.dumps(task)}'.encode() for task in tasks]
    started = source.rows(kinds=("task.started",))
    # Canonical, so that what a name holds cannot look like it: quotes in it are escaped.
    return *tasks, *(row.task for row in started if any(top in row.canonical for top in tops))


def timeline(source: Reading, query: Query) -> TimelineView:
    """When the records that match were written."""
    times: list[tuple[float, str]] = [
        (record["time"], words.decision(record)) for _, record in matching(source, query)
    ]
    if not times:
        return TimelineView()
    start, end = min(times)[0], max(times)[0]
    counts = {what: [0] * BUCKETS for what in ("all", "ask", "refused", "incident")}
    width = max((end - start) / BUCKETS, 1e-6)
    for at, decision in times:
        bucket = min(int((at - start) / width), BUCKETS - 1)
        counts["all"][bucket] += 1
        what = "refused" if decision in ("deny", "denied") else decision
        if what in counts:
            counts[what][bucket] += 1
    return TimelineView(
        start=start,
        end=end,
        records=tuple(counts["all"]),
        asked=tuple(counts["ask"]),
        refused=tuple(counts["refused"]),
        incidents=tuple(counts["incident"]),
    )


def _match(row: Row, query: Query) -> dict[str, Any] | None:
    if query.words and not _may_hold(row.canonical, query.words):
        return None
    record = row.record()
    return record if query.matches(record) else None


def _may_hold(canonical: bytes, wanted: tuple[str, ...]) -> bool:
    """Whether words may stand in a record: most are not worth reading. Errs on the side of yes."""
    if not canonical.isascii():  # letters may fold to others
        return True
    folded = canonical.lower()
    return all(
        word.encode() in folded
        for word in wanted
        if word.isascii() and '"' not in word and "\\" not in word
    )
