"""A ledger file with a past in it, written as the supervisor writes: whole batches at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from supervisor.ledger.database import CheckpointRule, Database, Draft
from supervisor.ledger.files import key_path, reserve_path
from supervisor.ledger.reserve import Reserve
from supervisor.ledger.signing import CheckpointKey

BEGAN = 1_790_000_000.0
WHO = {"user": "ana@laptop", "agent": "claude-code 2.1.330", "runtime": "laptop", "tier": "A"}

Told = tuple[str, Mapping[str, Any]]


def write_past(path: Path, told: Iterable[Told], *, every: int = 8) -> None:
    """(kind, body) of each record, a second apart from `BEGAN`; the end is signed."""
    now = [BEGAN]
    database = Database(
        path,
        key=CheckpointKey.from_file(key_path(path)),
        reserve=Reserve(reserve_path(path), size=4096),
        rule=CheckpointRule(records=every, seconds=1e9),
        clock=lambda: now[0],
    )
    batch: list[Draft] = []
    size = every if every < 1000 else 1000
    for number, (kind, body) in enumerate(told):
        batch.append(Draft(kind, {**WHO, **body}, BEGAN + number))
        if len(batch) >= size:
            database.write(batch)
            batch.clear()
    if batch:
        database.write(batch)
    database.close()


def a_day(tasks: int = 2, calls: int = 20) -> list[Told]:
    """Tasks that work, ask, are answered and refused."""
    told: list[Told] = []
    for task in (f"t-{number}" for number in range(1, tasks + 1)):
        told.append(("task.started", {"task": task, "purpose": f"work of {task}", "cwd": "/w",
                                      "repository": "/w", "preset": "standard"}))  # fmt: skip
        for call in range(calls):
            name = f"c-{task}-{call}"
            body = {"task": task, "call": name, "tool": "Bash", "cwd": "/w"}
            if call % 5 == 4:
                told.append(("approval.asked", {
                    **body, "approval": f"a-{name}", "title": f"git push origin topic-{call}",
                    "effects": [f"push origin topic-{call}"],
                    "risk": "high" if call == 4 else "low",
                    "policies": ["standard/git.push"]}))  # fmt: skip
                answer = ("approved", "denied", "expired")[call // 5 % 3]
                told.append(("approval.answered", {
                    **body, "approval": f"a-{name}", "answer": answer, "by": "ana", "scope": "once",
                    "seconds": 1.0 + call}))  # fmt: skip
            elif call % 7 == 6:
                told.append(("call.denied", {**body, "preview": "cat .env", "outcome": "deny",
                                             "effects": ["read /w/.env"], "reason": "real secrets",
                                             "policies": ["standard/secrets"]}))  # fmt: skip
            else:
                told.append(("call.opened", {**body, "preview": f"ls dir{call}", "outcome": "allow",
                                             "effects": ["run ls"],
                                             "policies": ["standard/look"]}))  # fmt: skip
    return told
