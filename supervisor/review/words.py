"""What a record says, in words: what it is about, and what was decided. Pure.

A record is the dict that `LedgerStore.read` gives: `seq`, `time`, `kind`, `hash` and the keys of
its body. Whoever reads it may be newer or older than the supervisor that wrote it, so nothing but
these four is taken for granted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

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

DECISIONS: Final = frozenset(
    {"allow", "ask", "deny", "approved", "denied", "expired", "revoked", "unconfirmed"}
    | {"irrevocable", "frozen", "lost", "incident"}
)
INCIDENT: Final = "incident"

# Where a record keeps POSIX seconds.
_TIMES: Final = frozenset({"time", "expires", "until", "created", "opened", "ended"})
_LATEST: Final = 32503680000.0  # the year 3000: what comes after is no time


def local_time(name: str, value: Any) -> str | None:
    """The value of a record's field for people where it is a time, else None.

    `2026-11-23 14:22:11+01:00`: local, with its zone. `name`: the field's, its own last
    where it is nested (`detail.until`).
    """
    if name.rpartition(".")[2] not in _TIMES or isinstance(value, bool):
        return None
    if not isinstance(value, int | float) or not 0 < value < _LATEST:
        return None
    return datetime.fromtimestamp(value).astimezone().isoformat(" ", "seconds")


def decision(record: Mapping[str, Any]) -> str:
    """One of `DECISIONS`, or "" where nothing was decided."""
    kind = str(record.get("kind", ""))
    if kind.startswith("incident."):
        return INCIDENT
    if kind == "approval.asked":
        return "ask"
    for key in ("answer", "outcome", "decision"):
        value = record.get(key)
        if isinstance(value, Mapping):
            value = value.get("outcome")
        if value == "ask" and record.get("approval"):
            return "approved"
        if isinstance(value, str) and value in DECISIONS:
            return value
    last = kind.rpartition(".")[2]
    return last if last in DECISIONS else ""


def sentence(record: Mapping[str, Any]) -> str:
    """What a record is about. Quotes agents: not yet safe to show."""
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
            status = record.get("status", "")
            return "no answer came" if status == 0 else f"upstream answered {status}"
        case "task.started":
            return f"started: {record.get('purpose', '')}"
        case "task.ended":
            return f"ended with exit code {record.get('exit_code', '?')}"
        case "task.lost":
            return "its holder died, and all its processes with it"
        case "task.limit_met":
            times = record.get("times", 0)
            if record.get("limit") == "memory":
                return f"out of memory: {_plural(times, 'program')} ended"
            return f"too many processes: {times} not started"
        case "task.clipboard":
            allowed = "may" if record.get("outcome") == "allow" else "may not"
            return f"{allowed} write {_plural(record.get('size', 0), 'byte')} to the clipboard"
        case "task.killed":
            left = record.get("processes_left", 0)
            return f"processes ended, {left} left" if left else "all processes ended"
        case "task.revoked":
            leases = record.get("leases")
            count = len(leases) if isinstance(leases, list) else 0
            return f"by {by}, {_plural(count, 'lease')} closed"
        case "policy.changed":
            waits = record.get("waits")
            if isinstance(waits, list) and waits:
                return f"policy files changed, {_plural(len(waits), 'rule')} to accept"
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
        return kind.partition(".")[2].replace("_", " ") + _places(record.get("detail"))
    return next((said for key in _SUBJECT if (said := _said(record.get(key)))), kind)


def _places(detail: Any) -> str:
    """The paths that an incident is about, and whether they are as they were again."""
    paths = detail.get("paths") if isinstance(detail, Mapping) else None
    if not isinstance(paths, list) or not paths:
        return ""
    back = ", put back" if detail.get("put_back") == paths else ""
    return f": {', '.join(map(str, paths))}{back}"


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


def texts(value: Any) -> Iterator[str]:
    """Every text and number in a record, without the names of its fields."""
    if isinstance(value, Mapping):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)
    elif value is not None:
        yield str(value)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
