"""Rows judged without a task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from profiles import all_profiles
from supervisor.model import Outcome
from supervisor.policy.evaluate import Evaluator


def evaluator(workspace: Path, *, contained: bool = True) -> Evaluator:
    return Evaluator("standard", contained, str(workspace), "/home/ana", all_profiles())


def test_a_row_has_every_key_of_the_interface(tmp_path: Path) -> None:
    row = evaluator(tmp_path).evaluate({"id": 7, "command": "ls"}).row()
    assert row["id"] == 7
    assert row["decision"] == "allow"
    assert (row["inspectable"], row["known"], row["lease"]) == (True, True, True)
    assert row["effects"][0] == "run ls"
    assert row["reasons"]


@pytest.mark.parametrize(
    "row",
    [
        None,
        3,
        [],
        {},
        {"id": 1},
        {"command": 3},
        {"command": None, "tool": 1},
        {"tool": "Read"},
        {"tool": "Read", "input": []},
        {"tool": "Read", "input": {"file_path": 1}},
        {"tool": "Read", "input": {"file_path": "a"}, "cwd": 5},
        {"tool": "Read", "input": {"file_path": "a"}, "agent": "nobody"},
        {"command": "ls", "cwd": "/w\0"},
    ],
)
def test_a_row_that_cannot_be_read_is_denied_with_its_reason(row: Any, tmp_path: Path) -> None:
    evaluation = evaluator(tmp_path).evaluate(row)
    assert evaluation.decision is Outcome.DENY
    assert not evaluation.lease
    assert evaluation.reasons


@pytest.mark.parametrize(
    ("row", "decision"),
    [
        ({"tool": "Read", "input": {"file_path": "$WS/a"}, "cwd": "$WS"}, Outcome.ALLOW),
        ({"tool": "Read", "input": {"file_path": "$HOME/.ssh/x"}, "cwd": "$WS"}, Outcome.DENY),
        ({"tool": "Bash", "input": {"command": "cat .env"}}, Outcome.DENY),
        ({"tool": "Bash", "input": {"command": "ls"}, "agent": "codex"}, Outcome.ALLOW),
        ({"tool": "mcp__linear__create_issue", "input": {}}, Outcome.ASK),
        ({"tool": "NoSuchTool", "input": {}}, Outcome.ASK),
        (
            {
                "tool": "apply_patch",
                "input": {"command": "*** Begin Patch\n*** Delete File: .git/config\n"},
            },
            Outcome.DENY,
        ),
    ],
)
def test_tools_of_agents_are_read_by_their_profiles(
    row: dict[str, Any], decision: Outcome, tmp_path: Path
) -> None:
    assert evaluator(tmp_path).evaluate(row).decision is decision


def test_without_profiles_tools_are_denied(tmp_path: Path) -> None:
    alone = Evaluator("standard", True, str(tmp_path))
    assert alone.evaluate({"tool": "Read", "input": {"file_path": "/a"}}).decision is Outcome.DENY


def test_what_cannot_be_read_runs_contained_and_without_a_lease(tmp_path: Path) -> None:
    row = {"command": 'eval "$(make thing)"'}
    inside = evaluator(tmp_path).evaluate(row)
    assert (inside.decision, inside.inspectable, inside.lease) == (Outcome.ALLOW, False, False)
    outside = evaluator(tmp_path, contained=False).evaluate(row)
    assert outside.decision is Outcome.ASK


def test_a_command_that_is_not_text_is_not_allowed(tmp_path: Path) -> None:
    for text in ("ls \udc80", "ls \0", "\x1b[2Jls", "ls \u202e"):
        evaluation = evaluator(tmp_path).evaluate({"command": text})
        assert evaluation.decision is not Outcome.ALLOW
        assert not evaluation.inspectable


@pytest.mark.parametrize(
    ("command", "outcome"),
    [
        ("jstack 42", Outcome.ALLOW),
        ("jcmd 42 Thread.print", Outcome.ALLOW),
        ("jcmd 42 GC.heap_dump a.hprof", Outcome.DENY),
        ("jmap -histo 42", Outcome.ALLOW),
        ("jmap -histo -dump:file=a.hprof 42", Outcome.DENY),
        ("py-spy record -o a.svg -- python a.py", Outcome.ALLOW),
        ("py-spy record -o a.svg --pid 42", Outcome.DENY),
        ("swift test --filter Cache", Outcome.ALLOW),
        ("swift upload box a.txt", Outcome.ASK),
        ("ansible-playbook -i localhost, -c local site.yml", Outcome.ALLOW),
        ("ansible-playbook -i localhost, -c local -b site.yml", Outcome.ASK),
        ("ansible-playbook -i hosts -c local site.yml", Outcome.ASK),
        ("ansible localhost -m setup", Outcome.ALLOW),
        ("ansible localhost -m shell -a 'cat ~/.ssh/id_rsa'", Outcome.DENY),
        ("stern --context kind-a web --since 5m", Outcome.ALLOW),
        ("stern --context prod web -n kind-a", Outcome.ASK),
        ("dotnet publish -c Release -o out", Outcome.ALLOW),
        ("php artisan migrate:rollback", Outcome.ALLOW),
        ("./gradlew publishToMavenLocal", Outcome.ALLOW),
        ("./gradlew publishToMavenCentral", Outcome.ASK),
        ("./gradlew :core:publish", Outcome.ASK),
        ("cat config/master.key", Outcome.DENY),
    ],
)
def test_looking_and_local_work_go_on_and_what_reaches_further_does_not(
    command: str, outcome: Outcome, tmp_path: Path
) -> None:
    row = {"id": "x", "agent": "claude-code", "tool": "Bash", "input": {"command": command}}
    assert evaluator(tmp_path).evaluate({**row, "cwd": "$WS"}).decision is outcome


@pytest.mark.parametrize(
    ("tool", "outcome"),
    [
        ("mcp__slack__slack_get_thread", Outcome.ALLOW),
        ("mcp__notion__notion-search", Outcome.ALLOW),
        ("mcp__github__issue_read", Outcome.ALLOW),
        ("mcp__slack__conversations_history", Outcome.ALLOW),
        ("mcp__github__issue_write", Outcome.ASK),
        ("mcp__slack__slack_post_message", Outcome.ASK),
        ("mcp__notion__API-post-page", Outcome.ASK),
        ("mcp__mail__mark_read", Outcome.ASK),
        ("mcp__kubernetes__kubectl_apply", Outcome.ASK),
    ],
)
def test_mcp_tools_read_by_their_names(tool: str, outcome: Outcome, tmp_path: Path) -> None:
    row = {"id": "x", "agent": "claude-code", "tool": tool, "input": {}, "cwd": "$WS"}
    assert evaluator(tmp_path).evaluate(row).decision is outcome
