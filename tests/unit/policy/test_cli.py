"""`taskpass policy`: what a person types, and what they read."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli.main import main

BAD = "permit (principal, action, resource)\nwhen { context.nope == 1 };"
NO_PUSH = (
    '@id("mine/push") @description("No pushing here.") @hint("Ask me.") '
    '@match("git push origin main") @not_match("git pull")\n'
    'forbid (principal, action == Action::"push", resource);'
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home with a workspace in it, where the commands run."""
    for variable, name in (("XDG_CONFIG_HOME", "config"), ("XDG_STATE_HOME", "state")):
        monkeypatch.setenv(variable, str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config" / "taskpass" / "policy").mkdir(parents=True)
    (tmp_path / "ws").mkdir()
    monkeypatch.chdir(tmp_path / "ws")
    return tmp_path


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["policy", *words])
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    return run


def own(home: Path, text: str, name: str = "mine.cedar") -> Path:
    file = home / "config" / "taskpass" / "policy" / name
    file.write_text(text)
    return file


# ── check, show, test ───────────────────────────────────────────────────────────────────────


def test_check_names_file_line_and_column(home: Path, run: Run) -> None:
    bad, good = own(home, BAD, "bad.cedar"), own(home, NO_PUSH, "good.cedar")
    code, out, err = run("check", str(bad), str(good))
    assert code == 1
    assert f"{bad}:2:16: " in err
    assert f"{good}: ok, 1 policies, 2 examples" in out
    assert run("check", str(good))[0] == 0


def test_check_without_files_looks_at_the_persons_own_and_the_projects(
    home: Path, run: Run
) -> None:
    assert "nothing of yours" in run("check")[1]
    own(home, NO_PUSH)
    (home / "config" / "taskpass" / "rules.toml").write_text("[[rule]]\nx = 1\n")
    Path("taskpass.toml").write_text("[policy]\ncedar = 'permit (principal, action, resource);'")
    code, out, err = run("check")
    assert code == 1
    assert "mine.cedar: ok" in out
    assert "rules.toml: rule 1" in err
    assert "only tighten" in err


def test_check_of_a_missing_file_is_one_sentence(run: Run) -> None:
    code, _, err = run("check", "missing.cedar")
    assert code == 1
    assert err.count("\n") == 1
    assert "missing.cedar: cannot be read" in err


def test_show_lists_the_rules_in_order_of_their_layers(home: Path, run: Run) -> None:
    own(home, NO_PUSH)
    Path("taskpass.toml").write_text('[policy]\npreset = "strict"')
    code, out, _ = run("show")
    assert code == 0
    assert out.index("preset:") < out.index("user:") < out.index("project:")
    (line,) = [line for line in out.splitlines() if "mine/push" in line]
    assert line.split()[0] == "deny"
    assert "mine.cedar:1" in line
    assert "strict/network" in out


def test_show_with_a_broken_file_says_so(home: Path, run: Run) -> None:
    own(home, BAD)
    code, _, err = run("show")
    assert code == 2
    assert "mine.cedar:2:16" in err


def test_test_tries_the_examples(home: Path, run: Run) -> None:
    file = own(home, NO_PUSH)
    assert run("test", str(file))[:2] == (0, "2 examples, 0 failed\n")
    assert run("test")[0] == 0
    file.write_text(NO_PUSH.replace("git pull", "git push x y"))
    code, out, err = run("test", str(file))
    assert code == 1
    assert out == "2 examples, 1 failed\n"
    assert "mine.cedar:1: @not_match fails" in err


# ── explain ─────────────────────────────────────────────────────────────────────────────────


def test_explain_says_which_rule_where_and_what_would_change_it(home: Path, run: Run) -> None:
    own(home, NO_PUSH)
    code, out, _ = run("explain", "--", "git", "push", "origin", "topic")
    assert code == 0
    assert out.startswith("deny, uncontained: No pushing here.")
    assert "→ Ask me." in out
    assert "mine/push  No pushing here." in out
    assert "mine.cedar:1)" in out
    assert "What would change it:" in out
    assert "mine/push forbids it" in out


def test_explain_offers_the_rule_that_would_answer(run: Run) -> None:
    row = {"tool": "mcp__github__create_issue", "input": {"title": "x"}}
    _, out, _ = run("explain", "--contained", "--json", json.dumps(row))
    assert out.startswith("ask (")
    assert 'action == Action::"mcp", resource == Tool::"github.create_issue"' in out


def test_explain_tells_the_other_tier(run: Run) -> None:
    _, out, _ = run("explain", "--", "some-unknown-program --now")
    assert out.startswith("ask")
    assert "Contained, it is: allow." in out
    _, out, _ = run("explain", "--contained", "--", "some-unknown-program --now")
    assert "without a lease" in out


@pytest.mark.parametrize(
    "words",
    [(), ("--json", "{"), ("--json", "[]"), ("--json", "{}"), ("--json", "{}", "--", "ls")],
)
def test_explain_of_nothing_is_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run("explain", *words)
    assert (code, out) == (2, "")
    assert err.startswith("taskpass: ")


def test_explain_takes_a_call_from_the_history(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    call = {"kind": "call.opened", "tier": "A", "outcome": "allow", "reason": "ordinary programs"}
    history = [
        call | {"call": "c-1", "preview": "git status", "effects": ["run git"]},
        call | {"call": "c-2", "preview": "Read read /x", "effects": ["read /x"]},
    ]
    monkeypatch.setattr("supervisor.cli.policy._history", lambda kinds: history)
    code, out, _ = run("explain", "--call", "c-1")
    assert code == 0
    assert out.startswith("on record: allow: ordinary programs\nallow, contained: ")
    assert run("explain", "--call", "c-3")[0] == 1
    code, _, err = run("explain", "--call", "c-2")
    assert code == 2
    assert "read /x" in err


# ── eval ────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def evaluate(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[dict[str, Any]]]:
    def evaluate(lines: bytes, *words: str) -> list[dict[str, Any]]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
        code, out, err = run("eval", "--jsonl", "-", *words)
        assert (code, err) == (0, "")
        return [json.loads(line) for line in out.splitlines()]

    return evaluate


def test_eval_answers_each_line_in_order(evaluate: Callable[..., list[dict[str, Any]]]) -> None:
    rows = [
        {"id": "a", "command": "ls"},
        {"id": 2, "command": "sudo ls"},
        {"id": None, "tool": "Read", "input": {"file_path": "x"}},
    ]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    answers = evaluate(lines, "--preset", "standard", "--contained")
    assert [answer["id"] for answer in answers] == ["a", 2, None]
    assert [answer["decision"] for answer in answers] == ["allow", "deny", "allow"]
    keys = {"id", "decision", "inspectable", "known", "lease", "effects", "reasons"}
    assert all(answer.keys() == keys for answer in answers)


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense", b"\xff\xfe", b"[]", b"1", b"{}", b'{"id": 1}', b"[" * 100_000,
        b'{"id": 1, "command": 5}', b'{"id": 1, "command": "a\\u0000b"}', b'{"a": ' + b"9" * 9000,
        b'{"id": 1, "tool": "Read", "input": []}', b'{"id":1,"command":"\\ud800"}',
        b'{"id": 1, "command": "ls", "cwd": 7}',
    ],
    ids=lambda line: line[:20],
)  # fmt: skip
def test_eval_goes_on_after_a_bad_line_and_never_allows_it(
    evaluate: Callable[..., list[dict[str, Any]]], line: bytes
) -> None:
    bad, good = evaluate(line + b'\n{"id": "ok", "command": "ls"}\n')
    assert bad["decision"] != "allow"
    assert bad["reasons"]
    assert (good["id"], good["decision"]) == ("ok", "allow")


def test_eval_reads_a_file_and_further_rules(home: Path, run: Run) -> None:
    rows = home / "rows.jsonl"
    rows.write_text('{"id": 1, "command": "git push origin topic"}\n\n')
    file = own(home, NO_PUSH)
    _, out, _ = run("eval", "--jsonl", str(rows), "--policy", str(file))
    assert json.loads(out)["decision"] == "deny"
    code, _, err = run("eval", "--jsonl", str(home / "missing"))
    assert code == 1
    assert "missing" in err
    assert run("eval", "--preset", "nonsense")[0] == 2


# ── import, backtest ────────────────────────────────────────────────────────────────────────


def test_import_writes_a_file_that_is_in_force_at_once(home: Path, run: Run) -> None:
    settings = home / "settings.json"
    settings.write_text(json.dumps({"permissions": {"deny": ["Bash(make:*)"], "allow": ["Bash"]}}))
    target = home / "config" / "taskpass" / "policy" / "claude.cedar"
    code, out, err = run("import", "claude-code", str(settings), "-o", str(target))
    assert (code, out) == (0, "")
    assert "1 rules carried over" in err
    assert "Bash (allow)" in err
    assert run("explain", "--", "make all")[1].startswith("deny")


def test_import_to_standard_output_says_what_is_lost(home: Path, run: Run) -> None:
    settings = home / "settings.json"
    settings.write_text(json.dumps({"permissions": {"deny": ["Skill(x)", "Bash(rm:*)"]}}))
    code, out, err = run("import", "claude-code", str(settings))
    assert code == 1
    assert 'context.program == "rm"' in out
    assert "NOT carried over" in err
    assert "Skill(x)" in err


def test_import_refuses_other_tools_and_files(home: Path, run: Run) -> None:
    assert run("import", "emacs", "x")[0] == 2
    code, _, err = run("import", "codex", str(home / "missing"))
    assert code == 2
    assert "missing" in err


def test_backtest_reads_the_history(home: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    call = {"kind": "call.opened", "task": "t-1", "seq": 2, "tier": "A", "tool": "Bash",
            "outcome": "allow"}  # fmt: skip
    history = [
        {"kind": "task.started", "task": "t-1", "seq": 1, "time": 1.0, "cwd": "/w"},
        call | {"time": 2.0, "preview": "git pull", "effects": ["run git"]},
        call | {"time": 2e9, "preview": "git push origin topic", "effects": ["run git"]},
    ]
    monkeypatch.setattr("supervisor.cli.policy._history", lambda kinds: history)
    file = own(home, NO_PUSH)
    code, out, _ = run("backtest", str(file))
    assert code == 0
    assert "of 2 past calls and requests, 1 would have been decided otherwise" in out
    assert "ask   → deny   git push origin topic  [mine/push]" in out
    assert "of 1 past calls" in run("backtest", str(file), "--since", "2026-01-01")[1]
    assert run("backtest", str(file), "--since", "soon")[0] == 2
