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

from tui import palette
from tui.text import plural

# Where a record says what it is about, best first.
_SUBJECT: Final = (
    "preview",
    "title",
    "effect",
    "effects",
    "credential",
    "tool",
    "detail",
    "reason",
)

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
}
_INCIDENT: Final = "INCIDENT"

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
    _INCIDENT: palette.RED,
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
        sentence=_sentence(record),
        decision=_decision(record),
        lease=str(record.get("lease", "") or ""),
        expected=record.get("kind") == "task.killed" and not record.get("processes_left"),
    )


def fields(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """All of a record as (name, value), nested objects one level down as `name.inner`."""
    rows: list[tuple[str, str]] = []
    for name, value in record.items():
        if isinstance(value, Mapping) and value:
            rows += [(f"{name}.{inner}", _plain(part)) for inner, part in value.items()]
        else:
            rows.append((name, _plain(value)))
    return rows


def _number(value: Any, default: float) -> Any:
    return value if isinstance(value, int | float) else default


def _decision(record: Mapping[str, Any]) -> str:
    kind = str(record.get("kind", ""))
    if kind.startswith("incident."):
        return _INCIDENT
    if kind == "approval.asked":
        return "ASK"
    for key in ("answer", "outcome", "decision"):
        value = record.get(key)
        if isinstance(value, Mapping):
            value = value.get("outcome")
        if value == "ask" and record.get("approval"):
            return _WORDS["approved"]
        if isinstance(value, str) and value in _WORDS:
            return _WORDS[value]
    return _WORDS.get(kind.rpartition(".")[2], "")


def _sentence(record: Mapping[str, Any]) -> str:
    kind, by = str(record.get("kind", "")), record.get("by") or "nobody"
    match kind:
        case "approval.answered":
            if record.get("answer") == "approved":
                return f"{by} approved it, {record.get('scope', 'once')}"
            return {"denied": f"{by} denied it", "expired": "nobody answered in time"}.get(
                str(record.get("answer")), "the question was withdrawn"
            )
        case "call.settled":
            return f"call ended: {record.get('outcome', '')}"
        case "use.delivered":
            return f"upstream answered {record.get('status', '')}"
        case "task.started":
            return f"started: {record.get('purpose', '')}"
        case "task.ended":
            return f"ended with exit code {record.get('exit_code', '?')}"
        case "task.lost":
            return "its holder died, and all its processes with it"
        case "task.limit_met":
            times = record.get("times", 0)
            if record.get("limit") == "memory":
                return f"out of memory: {plural(times, 'program')} ended"
            return f"too many processes: {times} not started"
        case "task.killed":
            left = record.get("processes_left", 0)
            return f"processes ended, {left} left" if left else "all processes ended"
        case "task.revoked":
            leases = record.get("leases")
            count = len(leases) if isinstance(leases, list) else 0
            return f"by {by}, {plural(count, 'lease')} closed"
        case "policy.changed":
            waits = record.get("waits")
            if isinstance(waits, list) and waits:
                return f"policy files changed, {plural(len(waits), 'rule')} to accept"
            return "policy files changed, what they tighten is in force"
        case "policy.accepted":
            return f"policy files accepted by {by}"
        case "policy.unusable":
            return f"policy files cannot be used: {record.get('reason', '')}"
        case "task.frozen":
            return f"by {by}"
        case "lease.revoked":
            works = record.get("works")
            asked = ", and asked again it is refused" if works == "no" else ""
            return f"{record.get('credential', '')} revoked at its issuer{asked}"
        case "lease.unconfirmed" | "lease.irrevocable":
            state = kind.partition(".")[2]
            return f"{record.get('credential', '')} {state}: {record.get('problem', '')}"
        case "lease.expired":
            return f"{record.get('credential', '')} died by itself"
        case "changes.kept" | "changes.applied" | "changes.dropped":
            parts = (f"{record.get(part, 0)} {part}" for part in ("added", "modified", "deleted"))
            verb = {"kept": "to review: "}.get(kind.rpartition(".")[2], f"changes {kind[8:]}: ")
            return verb + ", ".join(parts)
        case "doors.opened":
            doors = record.get("doors")
            return "outside: " + ", ".join(map(str, doors if isinstance(doors, list) else ()))
        case "task.thawed":
            return f"thawed by {by}"
    if kind.startswith("incident."):
        return kind.partition(".")[2].replace("_", " ")
    return next((said for key in _SUBJECT if (said := _said(record.get(key)))), kind)


def _said(value: Any) -> str:
    match value:
        case str():
            return value
        case {"label": str(label)}:
            return label
        case {"verb": verb, "resource": resource}:
            attributes = value.get("attributes") or {}
            method = attributes.get("method") if isinstance(attributes, Mapping) else None
            path = attributes.get("path", "") if isinstance(attributes, Mapping) else ""
            return f"{method} {resource}{path}" if method else f"{verb} {resource}"
        case [first, *_]:
            return _said(first)
    return ""


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)
