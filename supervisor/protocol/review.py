"""What is asked about the past, on the supervisor's socket: `GET /v1/review/…`.

`q` is a filter line (`review.query`) everywhere.
"""

from __future__ import annotations

from typing import Any, Final

from supervisor.protocol.wire import Wire

FORMATS: Final = ("jsonl", "csv", "md")  # of an export
HASTE: Final = 3.0  # seconds; a yes that comes sooner is a rubber stamp


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
    """GET /v1/review/replay?seq=1,2,3: one each; what was decided then, and what would be now.

    Attributes:
        then, now: "allow", "ask" or "deny"; `now` is "" where `problem` says why.
        then_rules, now_rules: ids of the rules that decided.
        explained: today's verdict, line by line.
        policy_changed: whether the rules that applied then are not those of today.
    """

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
    """The questions that one rule asked."""

    rule: str
    asked: int
    approved: int
    denied: int
    hasty: int
    p50: float  # seconds to a yes; 0 where there was none


class FiguresView(Wire, frozen=True, kw_only=True):
    """GET /v1/review/figures?q=: see `review.figures`. Times in seconds; shares from 0 to 1."""

    calls: int = 0
    asked: int = 0
    approved: int = 0
    denied: int = 0
    expired: int = 0
    withdrawn: int = 0  # the task ended, or its access, before there was an answer
    waiting: int = 0
    per_100_calls: float = 0.0
    approve_p50: float = 0.0
    approve_p95: float = 0.0
    hasty: int = 0
    rubber_stamps: float = 0.0
    high_risk: int = 0  # of those asked
    by_rule: tuple[RuleView, ...] = ()  # the one that asked most first
