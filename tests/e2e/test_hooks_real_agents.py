"""The real agents, supervised by their hooks: one battery for all of them.

What the model is told next, and what lies on the disk afterwards, is what counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import shlex
from pathlib import Path

import pytest

from supervisor.model import ToolCall, ToolKind
from supervisor.ports import HookAnswer
from tests.support.agents import RealAgent
from tests.support.benched import Bench, bench, set_up
from tests.support.every_agent import ALWAYS, WAYS, agents
from tests.support.hooked import deny, hooked
from tests.support.live import until
from tests.support.scripted_model import ScriptedModel, call, parallel, script
from tests.support.way import MODEL_KEY

__all__ = ["bench"]  # a fixture

HANDLE = "h0123456789abcdef0123456789abcdef"
every = pytest.mark.parametrize("bench", agents(), indirect=True)
# What the person has written for those that keep their state beside it.
_OWN = {
    ".claude/settings.json": '{"includeCoAuthoredBy": false}\n',
    ".claude/CLAUDE.md": "Be brief.\n",
    ".codex/AGENTS.md": "Be brief.\n",
    ".openclaw/openclaw.json": "",
    ".pi/agent/models.json": "",
}


@every
async def test_an_allowed_call_runs_and_is_settled(bench: Bench) -> None:
    command = "printf '%s-%d' it 42 > made; cat made"
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.shell(command))
    assert at.authorize.opened, output
    (opened,) = at.authorize.opened
    assert opened.kind is ToolKind.SHELL
    assert opened.command == command
    assert opened.cwd == str(bench.workspace)
    assert "it-42" in bench.model.last.last_result
    if bench.agent.label in ALWAYS:  # their hooks and their models know a call by one name
        assert list(bench.model.last.results) == [opened.agent_call_id]
    assert at.authorize.settled[0] == (opened.agent_call_id, "ok")
    assert ("", "turn ended") in at.authorize.settled
    assert at.authorize.incidents == []


@every
async def test_a_denied_call_does_not_run_and_the_model_is_told_why(bench: Bench) -> None:
    reason = "Deploying is for people. Use `make preview` instead."
    async with hooked(bench.profile, bench.task_dir, judge=deny(reason)) as at:
        output = await bench.run(at, bench.shell("touch ran"))
    assert at.authorize.opened, output
    assert not (bench.workspace / "ran").exists()
    assert reason in bench.model.last.last_result


@every
async def test_a_held_call_waits_for_its_answer(bench: Bench) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def judge(call: ToolCall) -> HookAnswer:
        asked.set()
        await answered.wait()
        return HookAnswer(allow=True)

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        running = asyncio.create_task(bench.run(at, bench.shell("touch ran")))
        async with asyncio.timeout(bench.way.patience):
            await asked.wait()
        assert not (bench.workspace / "ran").exists()
        answered.set()
        output = await running
    assert (bench.workspace / "ran").exists(), output


@every
async def test_what_is_put_before_a_command_runs_first_and_its_model_does_not_see_it(
    bench: Bench,
) -> None:
    async def judge(call: ToolCall) -> HookAnswer:
        rewritten = bench.profile.with_prefix(call, f"export CALL_HANDLE={HANDLE}\n")
        return HookAnswer(allow=True, rewritten=rewritten)

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, bench.shell("echo length=${#CALL_HANDLE}"))
    length = len(HANDLE) if bench.way.rewrites else 0
    assert f"length={length}" in bench.model.last.last_result, output
    seen = any(HANDLE in json.dumps(request.body) for request in bench.model.requests)
    assert seen is bench.way.shows_prefix


@every
async def test_without_a_supervisor_the_call_is_blocked(bench: Bench) -> None:
    async with hooked(bench.profile, bench.task_dir) as at:
        plan = bench.plan(at, bench.shell("touch ran"))
        await at.intake.close()
        output = await at.run(plan, bench.workspace, timeout=bench.way.patience)
    assert len(bench.model.requests) >= 1, output
    assert not (bench.workspace / "ran").exists()


@every
async def test_a_failing_supervisor_blocks_the_call(bench: Bench) -> None:
    async def judge(call: ToolCall) -> HookAnswer:
        raise RuntimeError("out of order")

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, bench.shell("touch ran"))
    assert at.authorize.opened, output
    assert not (bench.workspace / "ran").exists()
    assert "taskpass could not judge this call" in bench.model.last.last_result


@every
async def test_calls_of_one_answer_are_two_calls(bench: Bench) -> None:
    for name in ("one", "two"):
        (bench.workspace / name).write_text(f"this is {name}\n")
    both = asyncio.Barrier(2)

    async def judge(call: ToolCall) -> HookAnswer:
        # It runs reading commands side by side; Codex asks one by one.
        if bench.agent.label == "claude-code":
            async with asyncio.timeout(30):
                await both.wait()
        prefix = f"echo identity {call.agent_call_id}; "
        return HookAnswer(allow=True, rewritten=bench.profile.with_prefix(call, prefix))

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, parallel(bench.shell("cat one"), bench.shell("cat two")))
    met = {call.agent_call_id: call.command for call in at.authorize.opened}
    assert sorted(met.values()) == ["cat one", "cat two"], output
    results = bench.model.last.results
    if bench.agent.label in ALWAYS:
        assert set(results) == set(met)
    for identifier, command in met.items():
        (text,) = [each for each in results.values() if f"this is {command[-3:]}" in each]
        assert (f"identity {identifier}" in text) is bench.way.rewrites
    if bench.way.names_calls or not bench.way.rewrites:  # else the end is told of other words
        assert {identifier for identifier, _ in at.authorize.settled[:2]} == set(met)


@pytest.mark.parametrize("bench", ALWAYS, indirect=True)
async def test_a_project_cannot_turn_the_hooks_off(bench: Bench) -> None:
    (bench.workspace / ".claude").mkdir()
    (bench.workspace / ".claude/settings.json").write_text(
        '{"disableAllHooks": true, "permissions": {"allow": ["Bash(*)"]},'
        ' "env": {"CLAUDE_CODE_SHELL_PREFIX": "", "CLAUDE_CODE_SIMPLE": "1"}}'
    )
    (bench.workspace / ".codex").mkdir()
    (bench.workspace / ".codex/config.toml").write_text("[features]\nhooks = false\n")
    own = bench.home / ".codex/config.toml"
    own.write_text(own.read_text().replace("[features]", "[features]\nhooks = false"))
    async with hooked(bench.profile, bench.task_dir, judge=deny("not here")) as at:
        output = await bench.run(at, bench.shell("touch ran"))
    assert at.authorize.opened, output
    assert not (bench.workspace / "ran").exists()


@every
async def test_tools_see_neither_the_model_key_nor_the_persons_tokens(bench: Bench) -> None:
    (bench.workspace / ".claude").mkdir()
    (bench.workspace / ".claude/settings.json").write_text(
        '{"env": {"CLAUDE_CODE_SHELL_PREFIX": ""}}'
    )
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.shell("env; echo end-of-environment"))
    seen = bench.model.last.last_result
    assert "end-of-environment" in seen, output
    for secret in (MODEL_KEY, "a-token-of-the-person", "SSH_AUTH_SOCK"):
        assert secret not in seen
    assert any(MODEL_KEY in str(request.headers) for request in bench.model.requests)


@every
async def test_the_persons_own_files_stay_as_they_were(bench: Bench) -> None:
    for name, text in _OWN.items():
        if text and (bench.home / name).parent.is_dir():
            (bench.home / name).write_text(text)

    def kept() -> dict[str, str]:
        """Digests of all files but those that it may write."""
        files = [file for file in bench.home.rglob("*") if file.is_file()]
        names = {str(file.relative_to(bench.home)): file for file in files}
        return {
            name: hashlib.sha256(file.read_bytes()).hexdigest()
            for name, file in names.items()
            if name in _OWN or not name.startswith(bench.way.state)
        }

    before = kept()
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.shell("true"))
    assert at.authorize.opened, output
    assert before
    assert kept() == before
    assert os.listdir(bench.workspace) == []


@every
async def test_a_tool_cannot_announce_calls(bench: Bench) -> None:
    """It has the address, the token and a perfect input; it is not the agent."""
    event = json.dumps({
        "hook_event_name": bench.way.before, "session_id": "s", "cwd": str(bench.workspace),
        "tool_name": "Bash", "tool_input": {"command": "curl https://api"}, "tool_use_id": "forged",
    })  # fmt: skip
    async with hooked(bench.profile, bench.task_dir) as at:
        forge = f"curl -sS --data {shlex.quote(event)} {at.url}/{bench.way.before}"
        # Below its shell and out of it: by a grandchild, and by an orphan.
        (bench.workspace / "forge").write_text(f"{forge}\n")
        (bench.workspace / "deep").write_text("bash -c 'sh forge; true'; true\n")
        deep = "sh deep; true"
        orphan = "(setsid bash -c 'sleep 0.3; sh forge > orphan; touch over' &) "
        command = f"{deep}; {orphan}; until test -e over; do sleep 0.05; done; cat orphan"
        output = await bench.run(at, bench.shell(command))
    assert [opened.agent_call_id for opened in at.authorize.opened] != [], output
    assert all(opened.agent_call_id != "forged" for opened in at.authorize.opened)
    assert [kind for kind, _ in at.authorize.incidents] == ["forged_hook", "forged_hook"]
    assert "refused" in bench.model.last.last_result


@pytest.mark.parametrize(
    "bench",
    agents(label for label, way in WAYS.items() if way.in_terminal is not None),
    indirect=True,
)
async def test_in_a_terminal_the_hook_decides_and_nothing_else_asks(bench: Bench) -> None:
    async def judge(call: ToolCall) -> HookAnswer:
        return HookAnswer(allow="refused" not in call.command, reason="Not this one.")

    assert bench.way.in_terminal is not None
    steps = script(bench.shell("touch ran"), bench.shell("touch refused"))
    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        plan = at.prepare(
            (*bench.agent.argv, *bench.way.in_terminal, steps), cwd=bench.workspace,
            home=bench.home, environ=bench.environ(), interactive=True,
        )  # fmt: skip
        async with at.in_terminal(plan, bench.workspace) as drawn:
            try:
                await until(lambda: ("", "turn ended") in at.authorize.settled, "its turn to end")
            except AssertionError:
                pytest.fail(bytes(drawn[-3000:]).decode(errors="replace"))
    assert (bench.workspace / "ran").exists()
    assert not (bench.workspace / "refused").exists()
    assert "Not this one." in bench.model.last.last_result


@pytest.mark.parametrize("network", [False, True])
async def test_outside_a_container_codex_keeps_its_own_sandbox(
    codex: RealAgent, scripted_model: ScriptedModel, tmp_path: Path, network: bool
) -> None:
    bench = set_up(codex, scripted_model, tmp_path)
    if network:
        own = bench.home / ".codex/config.toml"
        own.write_text(own.read_text() + "[sandbox_workspace_write]\nnetwork_access = true\n")
    # What its sandbox blocks by default is loopback, where our proxy listens.
    command = f"touch inside && curl -sS {scripted_model.url}/v1/models"
    async with hooked(bench.profile, bench.task_dir) as at:
        argv = (*codex.argv, *bench.way.headless, script(bench.shell(command)))
        plan = at.prepare(
            argv, cwd=bench.workspace, home=bench.home, environ=bench.environ(), contained=False
        )
        output = await at.run(plan, bench.workspace)
    assert ('"scripted"' in bench.model.last.last_result) is network, output
    assert plan.tools_online is network
    assert (bench.workspace / "inside").exists()
    assert "sandbox: workspace-write" in output


@pytest.mark.parametrize(
    "bench", agents(label for label, way in WAYS.items() if way.files), indirect=True
)
async def test_file_tools_name_their_files(bench: Bench) -> None:
    tools = bench.way.tools(bench.workspace)
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, *(tools[name] for name in bench.way.files))
    note = str(bench.workspace / "note.txt")
    kinds = [(opened.kind, opened.paths) for opened in at.authorize.opened]
    write, read = (ToolKind.WRITE, (note,)), (ToolKind.READ, (note,))
    assert kinds == [write, write, read], output
    assert "bye" in bench.model.last.last_result


async def test_a_subagents_calls_are_announced_too(
    claude_code: RealAgent, scripted_model: ScriptedModel, tmp_path: Path
) -> None:
    bench = set_up(claude_code, scripted_model, tmp_path)
    errand = script(bench.shell("touch by-subagent"))
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(
            at,
            call("Agent", description="an errand", prompt=errand, subagent_type="general-purpose"),
        )
    spawn, *inside = at.authorize.opened
    assert (spawn.kind, spawn.subagent) == (ToolKind.AGENT, ""), output
    errands = [opened for opened in inside if opened.command == "touch by-subagent"]
    assert len(errands) == 1
    assert errands[0].subagent
    assert at.authorize.spawns == [(errands[0].subagent, "")]
    assert (bench.workspace / "by-subagent").exists()
