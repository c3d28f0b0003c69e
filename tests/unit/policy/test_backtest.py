"""What new rules would have decided over what is on record."""

from __future__ import annotations

from typing import Any

from supervisor.model import Outcome
from supervisor.policy.backtest import Report, backtest
from supervisor.policy.engine import CedarEngine
from supervisor.policy.files import preset_sources
from supervisor.policy.source import Layer, PolicySource

NO_STATUS = PolicySource(
    "mine",
    '@id("mine") forbid (principal, action == Action::"run", resource)'
    ' when { context.arguments == "status" };',
    Layer.USER,
)
NO_POST = PolicySource(
    "mine",
    '@id("mine") forbid (principal, action == Action::"http", resource)'
    ' when { context.method == "POST" && context.call.credential == "gh" };',
    Layer.USER,
)
NO_READ = PolicySource(
    "mine",
    '@id("mine") forbid (principal, action == Action::"read", resource)'
    ' when { context.name == "a.txt" };',
    Layer.USER,
)
STARTED = {"kind": "task.started", "task": "t-1", "cwd": "/w/sub", "repository": "/w", "seq": 1}


def command(text: str, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "call.opened", "task": "t-1", "seq": 2, "time": 5.0, "tier": "A", "tool": "Bash",
        "preview": text, "effects": [f"run {text.split()[0]}"], "outcome": "allow",
    } | changes  # fmt: skip


def again(source: PolicySource, *records: dict[str, Any]) -> Report:
    before = CedarEngine(preset_sources("standard"))
    after = CedarEngine([*preset_sources("standard"), source])
    return backtest(records, before, after, "/home/ana")


def test_a_command_would_have_been_refused() -> None:
    report = again(NO_STATUS, STARTED, command("git status"), command("git log"))
    assert (report.judged, report.unreadable) == (2, 0)
    (change,) = report.changes
    assert (change.before, change.after) == (Outcome.ALLOW, Outcome.DENY)
    assert change.policies == ("mine",)
    assert (change.past.title, change.past.seq) == ("git status", 2)


def test_requests_and_files_are_read_again_from_their_labels() -> None:
    use = {
        "kind": "use.intent", "task": "t-1", "seq": 3, "time": 6.0, "tier": "A",
        "effect": "POST api.example.com/issues", "credential": "gh",
    }  # fmt: skip
    assert len(again(NO_POST, STARTED, use).changes) == 1
    assert not again(NO_POST, STARTED, use | {"credential": ""}).changes
    read = command("Read read /w/a.txt", tool="Read", effects=["read /w/a.txt"])
    assert len(again(NO_READ, STARTED, read).changes) == 1


def test_what_a_person_refused_is_judged_again_too() -> None:
    asked = {
        "kind": "approval.asked", "task": "t-1", "seq": 4, "time": 7.0, "tier": "A", "call": "c-9",
        "title": "git status", "effects": ["run git"],
    }  # fmt: skip
    assert again(NO_STATUS, STARTED, asked).judged == 1
    opened = command("git status", call="c-9")
    assert again(NO_STATUS, STARTED, asked, opened).judged == 1


def test_what_cannot_be_read_again_is_counted() -> None:
    records = [
        STARTED,
        command("git status " + "x" * 2000),
        command("curl -H ‹secret› h.test"),
        command("x", tool="Read", effects=["push origin main"]),
        command("git status", task="t-unknown"),
        command("git status", code="not_attested"),
    ]
    report = again(NO_STATUS, *records)
    assert (report.judged, report.unreadable) == (0, 5)
    assert not report.changes
