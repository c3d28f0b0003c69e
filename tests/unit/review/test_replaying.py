"""A decision of the past is made again under the policy of today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from supervisor.ledger.reading import reading
from supervisor.needs import Needs
from supervisor.policy.in_force import Policies
from supervisor.protocol.review import ReplayView
from supervisor.review.replaying import Today, replay
from tests.support.past import Told, write_past

FORBID = '@id("mine/no-ls")\nforbid (principal, action == Action::"run", resource)\n' \
    'when { context.program == "ls" };\n'  # fmt: skip


def again(tmp_path: Path, kind: str, body: dict[str, Any], *, began: bool = True) -> ReplayView:
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    told: list[Told] = [
        ("task.started", {"task": "t-1", "cwd": str(work), "repository": str(work),
                          "preset": "standard"})
    ] if began else []  # fmt: skip
    write_past(tmp_path / "ledger.db", [*told, (kind, {"task": "t-1", "cwd": str(work), **body})])
    policies = Policies("standard", tmp_path / "config" / "policy", ())
    with reading(tmp_path / "ledger.db") as source:
        row = source.row(source.head)
        assert row is not None
        return replay(source, row.record(), Today(policies, Needs(tmp_path / "needs.json")))


LS = {"call": "c-1", "tool": "Bash", "preview": "ls", "effects": ["run ls"], "outcome": "allow",
      "policies": ["standard/look"], "reason": "it looks", "policy": "sha256:other"}  # fmt: skip


def test_the_same_policy_says_the_same(tmp_path: Path) -> None:
    told = again(tmp_path, "call.opened", LS)
    assert told.same
    assert (told.then, told.now) == ("allow", "allow")
    assert told.then_rules == ("standard/look",)
    assert told.now_rules
    assert told.policy_changed, "its digest is another one by now"
    assert any("run ls" in line for line in told.explained)


def test_a_rule_made_since_is_named_beside_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "config" / "policy"
    folder.mkdir(parents=True)
    (folder / "mine.cedar").write_text(FORBID)
    told = again(tmp_path, "call.opened", LS)
    assert not told.same
    assert (told.then, told.now) == ("allow", "deny")
    assert "mine/no-ls" in told.now_rules


def test_what_the_project_says_today_counts_too(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "taskpass.toml").write_text(f"[policy]\ncedar = '''{FORBID}'''\n")
    assert again(tmp_path, "call.opened", LS).now == "deny"


@pytest.mark.parametrize(
    ("kind", "body", "why"),
    [
        ("call.denied", LS | {"outcome": "deny", "code": "budget"}, "before policy was asked"),
        ("task.ended", {"exit_code": 0}, "no call or use"),
        ("call.opened", LS | {"preview": "ls ‹secret›"}, "masked"),
    ],
)
def test_what_cannot_be_judged_again_is_not_guessed(
    tmp_path: Path, kind: str, body: dict[str, Any], why: str
) -> None:
    told = again(tmp_path, kind, body)
    assert told.now == ""
    assert why in told.problem


def test_a_policy_that_cannot_be_used_today_is_told(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "taskpass.toml").write_text("[policy]\ncedar = 'permit'\n")
    told = again(tmp_path, "call.opened", LS)
    assert told.problem.startswith("No task would start there today")


def test_without_its_tasks_start_nothing_is_known_of_the_place(tmp_path: Path) -> None:
    assert "not on record" in again(tmp_path, "call.opened", LS, began=False).problem
