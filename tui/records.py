"""Ledger records as lines for people. Pure.

A record is the dict that `LedgerStore.read` gives: `seq`, `time`, `kind`, `hash` and the keys
of its body. This screen may be newer or older than the supervisor that wrote it, so nothing but
these four is taken for granted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from supervisor.review import words
from tui import palette

# Steps of a call that only the full history shows.
_QUIET: Final = frozenset(
    {"call.settled", "doors.closed", "lease.closed", "lease.revoked"}
    | {"use.intent", "use.minted", "use.delivered"}
)

_WORDS: Final[dict[str, str]] = {
    "allow": "allow",
    "ask": "ASK",
    "deny": "DENY",
    "approved": "approved",
    "denied": "DENIED",
    "expired": "expired",
    "revoked": "REVOKED",
    "unconfirmed": "UNCONFIRMED",
    "irrevocable": "IRREVOCABLE",
    "frozen": "FROZEN",
    "lost": "LOST",
    words.INCIDENT: "INCIDENT",
}

_COLOURS: Final[dict[str, str]] = {
    "allow": palette.GREEN,
    "approved": palette.GREEN,
    "ASK": palette.AMBER,
    "expired": palette.AMBER,
    "DENY": palette.RED,
    "DENIED": palette.RED,
    "REVOKED": palette.RED,
    "LOST": palette.RED,
    "UNCONFIRMED": palette.RED,
    "IRREVOCABLE": palette.RED,
    "INCIDENT": palette.RED,
    "FROZEN": palette.ICE,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One record, short."""

    seq: int
    time: float
    kind: str
    task: str  # id, "" where it is about no task
    sentence: str  # what it is about; not yet safe to show: see `text.one_line`
    decision: str  # "allow", "ASK", "DENY", … or ""
    lease: str
    expected: bool = False  # it went as the record before it said

    @property
    def notable(self) -> bool:
        """Whether a person who glances at the events wants to see it."""
        return self.kind not in _QUIET and not self.expected

    @property
    def colour(self) -> str:
        return _COLOURS.get(self.decision, palette.MUTED)


def line(record: Mapping[str, Any]) -> Line:
    """The short form of a record."""
    return Line(
        seq=_number(record.get("seq"), 0),
        time=float(_number(record.get("time"), 0.0)),
        kind=str(record.get("kind", "")),
        task=str(record.get("task", "") or ""),
        sentence=words.sentence(record),
        decision=_WORDS.get(words.decision(record), ""),
        lease=str(record.get("lease", "") or ""),
        expected=record.get("kind") == "task.killed" and not record.get("processes_left"),
    )


def fields(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All of a record as (name, value), nested objects one level down as `name.inner`."""
    rows: list[tuple[str, Any]] = []
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            rows += [(f"{name}.{inner}", part) for inner, part in value.items()]
        else:
            rows.append((name, value))
    return [(name, words.local_time(name, value) or _plain(value)) for name, value in rows]


def _number(value: Any, default: float) -> Any:
    return value if isinstance(value, int | float) else default


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
