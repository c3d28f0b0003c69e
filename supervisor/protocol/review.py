"""What is asked about the past, on the supervisor's socket: `GET /v1/review/…`.

`q` is a filter line (`review.query`) everywhere.
"""

from __future__ import annotations

from typing import Any

from supervisor.protocol.wire import Wire


class PageView(Wire, frozen=True, kw_only=True):
    """GET /v1/review/records?q=&before=&after=&limit="""

    records: tuple[dict[str, Any], ...] = ()  # newest first
    next: int = 0  # go on before this number; 0: there is no more
    head: int = 0  # number of the newest record there is
    seen: int = 0  # records that were looked at


class TimelineView(Wire, frozen=True, kw_only=True):
    """GET /v1/review/timeline?q=: counts in equal spans from start to end (POSIX seconds)."""

    start: float = 0.0
    end: float = 0.0
    records: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()
    incidents: tuple[int, ...] = ()


class HeadView(Wire, frozen=True, kw_only=True):
    """A signed head of the chain."""

    number: int
    seq: int
    time: float
    signature: str  # Ed25519, hex


class ProofView(Wire, frozen=True, kw_only=True):
    """GET /v1/review/records/{seq}"""

    record: dict[str, Any]
    standing: str  # "verified" | "not signed yet" | "broken"
    message: str
    prev: str  # hash of the record before, hex
    broken_at: int = 0
    head: HeadView | None = None  # the first at or behind it
    key: str = ""  # fingerprint of the key that signs


class ReplayView(Wire, frozen=True, kw_only=True):
    """GET /v1/review/replay?seq=1,2,3: one each, as `review.replaying.Replayed`."""

    seq: int
    title: str
    then: str
    then_rules: tuple[str, ...] = ()
    then_reason: str = ""
    now: str = ""
    now_rules: tuple[str, ...] = ()
    now_reason: str = ""
    now_hint: str = ""
    explained: tuple[str, ...] = ()
    policy_changed: bool = False
    problem: str = ""

    @property
    def same(self) -> bool:
        return self.then == self.now


class RuleView(Wire, frozen=True, kw_only=True):
    rule: str
    asked: int
    approved: int
    denied: int
    hasty: int
    p50: float


class FiguresView(Wire, frozen=True, kw_only=True):
    """GET /v1/review/figures?q=: as `review.figures.Figures`."""

    calls: int = 0
    asked: int = 0
    approved: int = 0
    denied: int = 0
    expired: int = 0
    withdrawn: int = 0
    waiting: int = 0
    per_100_calls: float = 0.0
    approve_p50: float = 0.0
    approve_p95: float = 0.0
    hasty: int = 0
    rubber_stamps: float = 0.0
    high_risk: int = 0
    by_rule: tuple[RuleView, ...] = ()
