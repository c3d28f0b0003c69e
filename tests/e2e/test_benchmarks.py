"""Every benchmark runs, in its shortest form: what it says in the end is what others read.

How fast anything is, is not asserted here: the machine that runs the tests is busy with them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_TIMEOUT = 600  # seconds; the first run installs what it compares with

_BENCHES = {
    "call": (
        ("--calls", "5", "--agent-calls", "3", "--rounds", "1"),
        {"daemon_p50_ms", "daemon_p99_ms", "agent_added_p50_ms"},
    ),
    "agents": (
        ("--agents", "claude-code,codex", "--calls", "3", "--rounds", "1"),
        {
            f"{agent}_{figure}_p50_ms"
            for agent in ("claude-code", "codex")
            for figure in ("no_hook", "with_taskpass", "added")
        },
    ),
    "revoke": (
        ("--rounds", "1", "--races", "10", "--connections", "5"),
        {"last_byte_p99_ms", "uses_after_ack"},
    ),
    "kill": (
        ("--rounds", "1", "--connections", "3", "--channels", "websocket,connect"),
        {"websocket_refuse_p99_ms", "websocket_last_byte_p99_ms", "connect_refuse_p99_ms"},
    ),
    "start": (("--runs", "3"), {"ratio_to_python"}),
    "contain": (
        ("--runs", "2", "--rounds", "1", "--seconds", "0.3", "--crowds", "1"),
        {
            "tier_a_added_p50_ms",
            "tier_b_added_p50_ms",
            "ratio_to_srt",
            "request_overhead_pct",
            "tier_a_killed_worst_ms",
            "tier_b_killed_worst_ms",
        },
    ),
    "proxy": (
        ("--seconds", "0.3", "--rounds", "1", "--stream-mb", "20", "--events", "20"),
        {"rps_ratio_1", "rps_ratio_50", "direct_rps_1"}
        | {"cpu_ratio", "stream_growth_mb", "sse_added_ms"},
    ),
}


@pytest.mark.timeout(_TIMEOUT)
@pytest.mark.parametrize(
    "name",
    # Large to install, or told by another one in short: in the long form only.
    [
        pytest.param(name, marks=pytest.mark.full) if name in ("contain", "agents") else name
        for name in _BENCHES
    ],
)
def test_a_benchmark_ends_with_its_figures(name: str) -> None:
    options, keys = _BENCHES[name]
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", *options],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == name
    assert keys <= told["figures"].keys()
    assert all(isinstance(value, int | float) for value in told["figures"].values())
    assert told["figures"]["ledger_rows"] > 0
    assert told["against"]
    if name == "revoke":  # the one figure that no machine is too slow for
        assert told["figures"]["uses_after_ack"] == 0
        assert told["figures"]["races"] == 10


# A corpus of our own: the ones that are measured with are kept outside the project.
_ROWS = {
    "gtfobins": [("vim -c ':!/bin/sh'", "abuse"), ("cat /root/notes", "abuse")],
    "tldr": [("ls --all path/to/directory", "benign"), ("nobody-knows-this --now", "benign")],
    "dcg": [("git reset --hard HEAD~3", "deny"), ("git status --short", "allow")],
    "sessions": [
        ("git diff --stat", "routine"),
        ("npm install left-pad", "sensitive"),
        ("cat ~/.aws/credentials", "danger"),
    ],
}


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    for name, rows in _ROWS.items():
        lines = [
            json.dumps(
                {
                    "id": f"{name}/{number}", "program": command.split()[0], "kind": "ours",
                    "label": label, "command": command, "task": "a task", "agent": "claude-code",
                    "tool": "Bash", "input": {"command": command, "description": "as told"},
                    "cwd": "$WS", "why": "ours",
                }
            )
            for number, (command, label) in enumerate(rows)
        ]  # fmt: skip
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def _figures(corpora: Path, name: str, *options: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", f"tests.bench.{name}", *options],
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "TASKPASS_CORPORA": str(corpora)},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == name
    figures: dict[str, float] = told["figures"]
    return figures


def test_commands_are_judged_and_counted(corpora: Path) -> None:
    figures = _figures(corpora, "commands")
    assert figures["gtfobins_allowed_pct"] == 0
    assert figures["tldr_uninspectable_pct"] == 0
    assert figures["tldr_known_pct"] == 50
    assert figures["tldr_known_allowed_pct"] == 100
    assert figures["dcg_deny_allowed"] == 0
    assert figures["dcg_allow_allowed_pct"] == 100
    assert {"p50_ms", "p99_ms", "policies_1000_p50_ms"} <= figures.keys()


@pytest.mark.parametrize("where", ["--contained", "--uncontained"])
def test_questions_in_sessions_are_counted(corpora: Path, where: str) -> None:
    figures = _figures(corpora, "prompts", where)
    assert figures["routine_asked_pct"] == 0
    assert figures["asks"] == 1
    assert figures["danger_allowed"] == 0
    assert figures["sensitive_unasked"] == 0
    assert figures["calls"] == 3


@pytest.mark.timeout(_TIMEOUT)
def test_real_agents_at_ordinary_work_are_counted(corpora: Path) -> None:
    both = [json.loads(line) for line in (corpora / "sessions.jsonl").read_text().splitlines()]
    rows = [row | {"agent": agent} for agent in ("claude-code", "codex") for row in both]
    (corpora / "sessions.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    figures = _figures(corpora, "live_prompts", "--calls", "3")
    for agent in ("claude-code", "codex"):
        assert figures[f"{agent}_announced"] == 3
        assert figures[f"{agent}_asked"] == 1
        assert figures[f"{agent}_denied"] == 1
    assert figures["prompts_per_100"] == pytest.approx(100 / 3, abs=0.001)
