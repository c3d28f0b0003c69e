"""The real agents besides Claude Code and Codex, supervised by their hooks.

What the model is told next, and what lies on the disk afterwards, is what counts.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from profiles import find
from supervisor.model import ToolCall, ToolKind
from supervisor.ports import HookAnswer, LaunchPlan, Profile
from tests.support.further_agents import MODEL_KEY, WAYS, Setting, Way
from tests.support.hooked import Hooked, deny, hooked
from tests.support.scripted_model import ScriptedModel, parallel, script

pytestmark = pytest.mark.full
HANDLE = "h0123456789abcdef0123456789abcdef"


@dataclass
class Bench:
    """One agent in a home of its own, talking to a scripted model."""

    way: Way
    model: ScriptedModel
    at: Setting
    task_dir: Path

    @property
    def work(self) -> Path:
        return self.at.work

    @property
    def profile(self) -> Profile:
        return find([], self.way.package.label)

    def plan(self, at: Hooked, *steps: Any) -> LaunchPlan:
        agent = self.way.agent()
        environ = {
            "HOME": str(self.at.home), "PATH": agent.path, "LANG": "C.UTF-8", "TERM": "xterm",
            "GITHUB_TOKEN": "a-token-of-the-person", "SSH_AUTH_SOCK": "/nowhere/agent.sock",
            **self.way.environ(self.at),
        }  # fmt: skip
        argv = (*agent.argv, *self.way.headless(script(*steps)))
        assert find(argv).name == self.profile.name
        return at.prepare(argv, cwd=self.work, home=self.at.home, environ=environ)

    async def run(self, at: Hooked, *steps: Any) -> str:
        return await at.run(self.plan(at, *steps), self.work)


@pytest.fixture(params=sorted(WAYS))
def bench(request: pytest.FixtureRequest, scripted_model: ScriptedModel, tmp_path: Path) -> Bench:
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(mode=0o700)
    work.mkdir()
    way, at = WAYS[request.param], Setting(home, work, scripted_model.url)
    way.settle(at)
    return Bench(way, scripted_model, at, tmp_path / "task")


async def test_an_allowed_call_runs_and_is_settled(bench: Bench) -> None:
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.way.shell("printf '%s-%d' it 42 > made; cat made"))
    assert at.authorize.opened, output
    (opened,) = at.authorize.opened
    assert opened.kind is ToolKind.SHELL
    assert opened.command == "printf '%s-%d' it 42 > made; cat made"
    assert opened.cwd == str(bench.work)
    assert "it-42" in bench.model.last.last_result
    assert at.authorize.settled[0] == (opened.agent_call_id, "ok")
    assert ("", "turn ended") in at.authorize.settled
    assert at.authorize.incidents == []


async def test_a_denied_call_does_not_run_and_the_model_is_told_why(bench: Bench) -> None:
    reason = "Deploying is for people. Use `make preview` instead."
    async with hooked(bench.profile, bench.task_dir, judge=deny(reason)) as at:
        output = await bench.run(at, bench.way.shell("touch ran"))
    assert at.authorize.opened, output
    assert not (bench.work / "ran").exists()
    assert reason in bench.model.last.last_result


async def test_a_held_call_waits_for_its_answer(bench: Bench) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def judge(call: ToolCall) -> HookAnswer:
        asked.set()
        await answered.wait()
        return HookAnswer(allow=True)

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        running = asyncio.create_task(bench.run(at, bench.way.shell("touch ran")))
        async with asyncio.timeout(60):
            await asked.wait()
        assert not (bench.work / "ran").exists()
        answered.set()
        output = await running
    assert (bench.work / "ran").exists(), output


async def test_what_is_put_before_a_command_runs_first(bench: Bench) -> None:
    async def judge(call: ToolCall) -> HookAnswer:
        rewritten = bench.profile.with_prefix(call, f"export CALL_HANDLE={HANDLE}\n")
        return HookAnswer(allow=True, rewritten=rewritten)

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, bench.way.shell("echo length=${#CALL_HANDLE}"))
    length = len(HANDLE) if bench.way.rewrites else 0
    assert f"length={length}" in bench.model.last.last_result, output
    seen = any(HANDLE in json.dumps(request.body) for request in bench.model.requests)
    assert seen is bench.way.shows_prefix


async def test_without_a_supervisor_the_call_is_blocked(bench: Bench) -> None:
    async with hooked(bench.profile, bench.task_dir) as at:
        plan = bench.plan(at, bench.way.shell("touch ran"))
        await at.intake.close()
        output = await at.run(plan, bench.work)
    assert len(bench.model.requests) >= 1, output
    assert not (bench.work / "ran").exists()


async def test_a_failing_supervisor_blocks_the_call(bench: Bench) -> None:
    async def judge(call: ToolCall) -> HookAnswer:
        raise RuntimeError("out of order")

    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, bench.way.shell("touch ran"))
    assert at.authorize.opened, output
    assert not (bench.work / "ran").exists()
    assert "taskpass could not judge this call" in bench.model.last.last_result


async def test_calls_of_one_answer_are_two_calls(bench: Bench) -> None:
    for name in ("one", "two"):
        (bench.work / name).write_text(f"this is {name}\n")

    async def judge(call: ToolCall) -> HookAnswer:
        prefix = f"echo before {call.command[-3:]}\n"
        return HookAnswer(allow=True, rewritten=bench.profile.with_prefix(call, prefix))

    both = parallel(bench.way.shell("cat one"), bench.way.shell("cat two"))
    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, both)
    assert sorted(call.command for call in at.authorize.opened) == ["cat one", "cat two"], output
    assert len({call.agent_call_id for call in at.authorize.opened}) == 2
    first, second = bench.model.last.results.values()
    for name, text in (("one", first), ("two", second)):
        assert (f"before {name}" in text) is bench.way.rewrites
        assert f"this is {name}" in text


async def test_tools_see_neither_the_model_key_nor_the_persons_tokens(bench: Bench) -> None:
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.way.shell("env; echo end-of-environment"))
    seen = bench.model.last.last_result
    assert "end-of-environment" in seen, output
    for secret in (MODEL_KEY, "a-token-of-the-person", "SSH_AUTH_SOCK"):
        assert secret not in seen
    assert any(MODEL_KEY in str(request.headers) for request in bench.model.requests)


async def test_the_persons_own_files_stay_as_they_were(bench: Bench) -> None:
    def kept() -> dict[str, str]:
        return {
            str(file.relative_to(bench.at.home)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in bench.at.home.rglob("*")
            if file.is_file()
        }

    before = kept()
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.way.shell("true"))
    assert at.authorize.opened, output
    after = kept()
    assert {name: after.get(name) for name in before} == before
    assert {name for name in after if not name.startswith(".cache/")} == set(before)
    assert list(bench.work.iterdir()) == []
