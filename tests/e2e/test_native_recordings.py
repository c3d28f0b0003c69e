"""The inputs kept in `tests/vectors/native` are what the real agents post.

With TASKPASS_RECORD=1 they are written anew; this machine's folders become `/work` and `/home/ana`.
"""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import pytest

from supervisor.model import ToolCall
from supervisor.ports import HookAnswer
from tests.e2e.test_hooks_real_agents import Bench, set_up
from tests.support.agents import CLAUDE, CODEX
from tests.support.hooked import hooked
from tests.support.native import Native, keep, native, shape
from tests.support.scripted_model import ScriptedModel, call

_RECORD = bool(os.environ.get("TASKPASS_RECORD"))
_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
_PATCH = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {}\n+hello\n*** End Patch\nEOF"

# By their names below `tests/vectors/native`: what the model is scripted to call.
_CLAUDE = {
    "PreToolUse-Bash": call("Bash", command="echo hello", description="as told"),
    "PreToolUse-Read": call("Read", file_path="{work}/note.txt"),
    "PreToolUse-Write": call("Write", file_path="{work}/note.txt", content="hello"),
    "PreToolUse-Edit": call(
        "Edit", file_path="{work}/note.txt", old_string="hello", new_string="bye"
    ),
    "PreToolUse-WebFetch": call("WebFetch", url="https://example.com/page", prompt="what it says"),
    "PreToolUse-Agent": call(
        "Agent", description="look", prompt="look", subagent_type="general-purpose"
    ),
    "PreToolUse-mcp": call("mcp__notes__get_note", name="one"),
}
_CODEX = {
    "PreToolUse-Bash": call("exec_command", cmd="echo hello"),
    "PreToolUse-apply_patch": call("exec_command", cmd=_PATCH.format("{work}/note.txt")),
    "PreToolUse-view_image": call("view_image", path="{work}/picture.png"),
    "PreToolUse-spawn_agent": call("multi_agent_v1.spawn_agent", message="look"),
    "PreToolUse-mcp": call("mcp__notes.get_note", name="one"),
}
_CALLS = {"claude-code": _CLAUDE, "codex": _CODEX}
_FURTHER = ("PostToolUse", "Stop")


def test_they_are_of_the_versions_that_the_tests_run() -> None:
    for package in (CLAUDE, CODEX):
        for name in (*_CALLS[package.label], *_FURTHER):
            assert native(package.label, name).version == package.version


def _with_server(bench: Bench, notes: Path) -> tuple[str, ...]:
    """What gives the agent an MCP server called `notes`: options, or a setting."""
    command, arguments = sys.executable, [str(_SERVER), str(notes)]
    if bench.is_claude:
        server = {"command": command, "args": arguments}
        return ("--mcp-config", json.dumps({"mcpServers": {"notes": server}}), "--")
    own = bench.home / ".codex/config.toml"
    table = f'[mcp_servers.notes]\ncommand = "{command}"\nargs = {json.dumps(arguments)}\n'
    own.write_text(own.read_text() + table)
    return ()


async def _only_the_first(call: ToolCall) -> HookAnswer:
    """Nothing that is recorded happens, but a greeting, so that its end is told too."""
    return HookAnswer(call.command == "echo hello", "only looking")


@pytest.mark.full
@pytest.mark.parametrize("agent", ["claude_code", "codex"])
async def test_the_real_agent_posts_what_is_kept(
    agent: str, request: pytest.FixtureRequest, scripted_model: ScriptedModel, tmp_path: Path
) -> None:
    bench = set_up(request.getfixturevalue(agent), scripted_model, tmp_path)
    (bench.workspace / "note.txt").write_text("hello")
    notes = bench.home / "notes"
    notes.mkdir()
    options = _with_server(bench, notes)
    wanted = _CALLS[bench.agent.label]
    steps = json.loads(json.dumps(list(wanted.values())).replace("{work}", str(bench.workspace)))
    async with hooked(bench.profile, bench.task_dir, judge=_only_the_first) as at:
        output = await bench.run(at, *steps, options=options)
    calls = [body for event, body in at.intake.posted if event == "PreToolUse"]
    assert len(calls) == len(wanted), output
    posted = {name: ("PreToolUse", body) for name, body in zip(wanted, calls, strict=True)}
    posted |= {event: (event, body) for event, body in at.intake.posted if event in _FURTHER}
    for name, (event, body) in posted.items():
        text = body.decode()
        for place, plain in ((tmp_path / "work", "/work"), (bench.home, "/home/ana"),
                             (tmp_path / "task", "/run/task")):  # fmt: skip
            text = text.replace(str(place), plain)
        # Claude Code names folders after the one it works in.
        text = text.replace(re.sub("[^A-Za-z0-9]", "-", str(tmp_path)), "")
        found = Native(bench.agent.label, bench.agent.version, "recorded", event, text)
        if _RECORD:
            keep(name, found)
        assert shape(native(bench.agent.label, name).fields()) == shape(found.fields()), name
