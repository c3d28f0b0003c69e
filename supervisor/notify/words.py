"""What leaves the screen about a request: no secret, and nothing that the agent wrote. Pure.

Titles, paths, hosts and notes are an agent's words: whoever reads them outside the screen would
read them without the marks that say so, and they could carry what must not get out.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from supervisor.model import ApprovalRequest


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request with what is known of its task."""

    request: ApprovalRequest
    number: int  # of its task
    agent: str  # name of the profile


def summary(count: int) -> str:
    return "taskpass: 1 approval waits" if count == 1 else f"taskpass: {count} approvals wait"


def body(waiting: Sequence[Waiting]) -> str:
    """A line each; notification servers take it for markup, so that is escaped."""
    return "\n".join(html.escape(_line(each)) for each in waiting[:5])


def _line(one: Waiting) -> str:
    request = one.request
    verbs = ", ".join(dict.fromkeys(effect.verb.value for effect in request.effects)) or "a call"
    return f"task {one.number}, {one.agent}: {verbs}, {request.risk.value} risk"


def message(waiting: Sequence[Waiting], now: float) -> dict[str, Any]:
    """The JSON of a webhook, in the form of Standard Webhooks: type, timestamp, data."""
    return {
        "type": "approval.waiting",
        "timestamp": _iso(now),
        "data": {
            "approvals": [
                {
                    "id": one.request.id,
                    "task": one.request.task,
                    "number": one.number,
                    "agent": one.agent,
                    "verbs": list(dict.fromkeys(e.verb.value for e in one.request.effects)),
                    "risk": one.request.risk.value,
                    "rules": list(one.request.asking),
                    "created": _iso(one.request.created),
                    "expires": _iso(one.request.expires),
                }
                for one in waiting
            ]
        },
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
