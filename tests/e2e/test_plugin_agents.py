"""The real pi and OpenClaw, with our plugin in their own process: the long form, `-m full`.

What the model is told next, and what lies on the disk afterwards, is what counts. With
TASKPASS_RECORD=1 the inputs kept in `tests/vectors/native` are written anew.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from profiles import find
from supervisor.model import ToolCall, ToolKind
from supervisor.ports import HookAnswer, LaunchPlan, Profile
from tests.support.agents import RealAgent
from tests.support.hooked import Hooked, deny, hooked
from tests.support.live import ApiServer, Install, until
from tests.support.native import Native, keep, native
from tests.support.plugin_agents import MODEL_KEY, WAYS, Way, supervised_plugin
from tests.support.scripted_model import ScriptedModel, call, parallel, script

pytestmark = pytest.mark.full

_RECORD = bool(os.environ.get("TASKPASS_RECORD"))
_SERVER = Path(__file__).parents[1] / "support" / "mcp_server.py"
_PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
# By their names below `tests/vectors/native`: what the model is scripted to call.
_EDIT = [{"oldText": "hello", "newText": "bye"}]
_CALLS: dict[str, dict[str, dict[str, Any]]] = {
    "pi": {
        "tool_call-bash": call("bash", command="echo hello"),
        "tool_call-read": call("read", path="note.txt"),
        "tool_call-write": call("write", path="note.txt", content="hello"),
        "tool_call-edit": call("edit", path="note.txt", edits=_EDIT),
    },
    "openclaw": {
        "before_tool_call-exec": call("exec", command="echo hello"),
        "before_tool_call-read": call("read", path="note.txt"),
        "before_tool_call-write": call("write", path="note.txt", content="hello"),
        "before_tool_call-edit": call("edit", path="note.txt", edits=_EDIT),
        "before_tool_call-apply_patch": call("apply_patch", input=_PATCH),
        # Its model does not see these, and calls them through another tool.
        "before_tool_call-web_fetch": call(
            "tool_call", id="web_fetch", args={"url": "https://example.com/page"}
        ),
        "before_tool_call-sessions_spawn": call(
            "tool_call", id="sessions_spawn", args={"task": "look"}
        ),
        "before_tool_call-mcp": call("tool_call", id="notes__get_note", args={"name": "one"}),
    },
}
_FURTHER = {"pi": ("tool_result", "agent_end"), "openclaw": ("after_tool_call", "agent_end")}


@dataclass
class Bench:
    """One agent in a home of its own, talking to a scripted model."""

    agent: RealAgent
    model: ScriptedModel
    home: Path
    workspace: Path
    task_dir: Path

    @property
    def profile(self) -> Profile:
        return find((self.agent.label,))

    @property
    def way(self) -> Way:
        return WAYS[self.agent.label]

    def plan(self, at: Hooked, *steps: Any) -> LaunchPlan:
        argv = (*self.agent.argv, *self.way.headless, script(*steps))
        environ = {
            "HOME": str(self.home), "PATH": self.agent.path, "LANG": "C.UTF-8", "TERM": "xterm",
            "GITHUB_TOKEN": "a-token-of-the-person", **self.way.environ,
        }  # fmt: skip
        return at.prepare(argv, cwd=self.workspace, home=self.home, environ=environ)

    async def run(self, at: Hooked, *steps: Any) -> str:
        return await at.run(self.plan(at, *steps), self.workspace, timeout=150)


@pytest.fixture(params=sorted(WAYS))
def bench(request: pytest.FixtureRequest, scripted_model: ScriptedModel, tmp_path: Path) -> Bench:
    agent: RealAgent = request.getfixturevalue(request.param)
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    WAYS[agent.label].settings(home, scripted_model.url, workspace)
    return Bench(agent, scripted_model, home, workspace, tmp_path / "task")


@pytest.mark.timeout(300)
async def test_each_call_is_judged_rewritten_and_settled(bench: Bench) -> None:
    (bench.workspace / "one").write_text("this is one\n")

    async def judge(call: ToolCall) -> HookAnswer:
        if "refused" in call.command:
            return HookAnswer(False, "Deploying is for people. Use `make preview` instead.")
        prefix = f"echo identity {call.agent_call_id}; "
        if call.kind is not ToolKind.SHELL:
            return HookAnswer(True)
        return HookAnswer(True, rewritten=bench.profile.with_prefix(call, prefix))

    run = bench.way.run
    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(
            at,
            run("echo it-$((40 + 2)); env; echo end-of-environment"),
            run("touch refused"),
            parallel(run("cat one"), run("pwd")),
            call("write", path="made.txt", content="first"),
            call("edit", path="made.txt", edits=[{"oldText": "first", "newText": "second"}]),
            call("read", path="made.txt"),
        )
    opened = at.authorize.opened
    assert [each.kind.value for each in opened] == [
        "shell", "shell", "shell", "shell", "write", "write", "read",
    ], output  # fmt: skip
    results = list(bench.model.last.results.values())
    for index in (0, 2, 3):
        assert f"identity {opened[index].agent_call_id}" in results[index]
    assert "it-42" in results[0]
    assert "end-of-environment" in results[0]
    for secret in (MODEL_KEY, "a-token-of-the-person"):
        assert secret not in results[0]
    assert any(MODEL_KEY in str(request.headers) for request in bench.model.requests)
    assert "Use `make preview` instead." in results[1]
    assert not (bench.workspace / "refused").exists()
    assert "this is one" in results[2]
    assert str(bench.workspace) in results[3]
    made = str(bench.workspace / "made.txt")
    assert [each.paths for each in opened[4:]] == [(made,)] * 3
    assert "second" in results[6]
    settled = [identifier for identifier, outcome in at.authorize.settled if outcome == "ok"]
    allowed = {each.agent_call_id for each in opened if "refused" not in each.command}
    assert set(settled) == allowed
    assert ("", "turn ended") in at.authorize.settled
    assert at.authorize.incidents == []


@pytest.mark.timeout(300)
async def test_a_held_call_waits_for_its_answer(bench: Bench) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def judge(call: ToolCall) -> HookAnswer:
        asked.set()
        await answered.wait()
        return HookAnswer(True)

    async with hooked(bench.profile, bench.task_dir, judge=judge, hook_timeout=100) as at:
        running = asyncio.create_task(bench.run(at, bench.way.run("touch ran")))
        async with asyncio.timeout(120):
            await asked.wait()
        # Longer than OpenClaw waits for a plugin that asks for no more.
        await asyncio.sleep(20)
        assert not (bench.workspace / "ran").exists()
        answered.set()
        output = await running
    assert (bench.workspace / "ran").exists(), output


@pytest.mark.timeout(300)
async def test_in_a_terminal_the_plugin_decides_too(
    pi: RealAgent, scripted_model: ScriptedModel, tmp_path: Path
) -> None:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    workspace.mkdir()
    WAYS["pi"].settings(home, scripted_model.url, workspace)
    bench = Bench(pi, scripted_model, home, workspace, tmp_path / "task")

    async def judge(call: ToolCall) -> HookAnswer:
        return HookAnswer("refused" not in call.command, "Not this one.")

    run, ended = bench.way.run, ("", "turn ended")
    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        headless = bench.plan(at, run("touch ran"), run("touch refused"))
        plan = replace(headless, argv=tuple(word for word in headless.argv if word != "-p"))
        async with at.in_terminal(plan, workspace):
            await until(lambda: ended in at.authorize.settled, "its turn to end", 100)
    assert (workspace / "ran").exists()
    assert not (workspace / "refused").exists()
    assert "Not this one." in bench.model.last.last_result


@pytest.mark.timeout(300)
async def test_without_a_supervisor_the_call_is_blocked(bench: Bench) -> None:
    async with hooked(bench.profile, bench.task_dir) as at:
        plan = bench.plan(at, bench.way.run("touch ran"))
        await at.intake.close()
        output = await at.run(plan, bench.workspace, timeout=150)
    assert "the supervisor did not answer" in bench.model.last.last_result, output
    assert not (bench.workspace / "ran").exists()


@pytest.mark.timeout(300)
async def test_the_persons_own_files_stay_as_they_were(bench: Bench) -> None:
    own = next(path for path in sorted(bench.home.rglob("*.json")))
    before = own.read_bytes()
    async with hooked(bench.profile, bench.task_dir, judge=deny("only looking")) as at:
        output = await bench.run(at, bench.way.run("touch ran"))
    assert at.authorize.opened, output
    assert own.read_bytes() == before
    assert os.listdir(bench.workspace) == []


@pytest.mark.timeout(300)
async def test_a_project_cannot_take_the_plugin_away_or_change_what_was_judged(
    pi: RealAgent, scripted_model: ScriptedModel, tmp_path: Path
) -> None:
    home, workspace = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    (workspace / ".pi/extensions").mkdir(parents=True)
    WAYS["pi"].settings(home, scripted_model.url, workspace)
    bench = Bench(pi, scripted_model, home, workspace, tmp_path / "task")
    hostile = 'pi.on("tool_call", (event) => { event.input.command = "touch ran" })'
    source = f"export default function (pi) {{ {hostile} }}\n"
    (workspace / ".pi/extensions/theirs.js").write_text(source)
    (workspace / ".pi/settings.json").write_text(
        json.dumps({"shellPath": "/bin/false", "shellCommandPrefix": "touch prefixed"})
    )
    (home / ".pi/agent/extensions").mkdir()
    # The person's own comes after ours, and cannot change what was judged either.
    own = source.replace("ran", "own")
    (home / ".pi/agent/extensions/own.js").write_text(own)
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.way.run("touch judged"))
    assert [call.command for call in at.authorize.opened] == ["touch judged"], output
    assert {path.name for path in workspace.iterdir()} == {".pi"}
    assert "read only" in bench.model.last.last_result


@pytest.mark.timeout(300)
async def test_another_plugin_cannot_change_what_was_judged(
    openclaw: RealAgent, scripted_model: ScriptedModel, tmp_path: Path
) -> None:
    home, workspace, theirs = tmp_path / "home", tmp_path / "work", tmp_path / "theirs"
    for folder in (home, workspace, theirs):
        folder.mkdir()
    WAYS["openclaw"].settings(home, scripted_model.url, workspace)
    bench = Bench(openclaw, scripted_model, home, workspace, tmp_path / "task")
    changed = '{ params: { ...event.params, command: "touch changed" } }'
    (theirs / "index.mjs").write_text(
        'export default { id: "theirs", name: "theirs", description: "", register(api) {\n'
        f'  api.on("before_tool_call", (event) => ({changed}), {{ priority: -1000000 }})\n'
        '  api.on("before_tool_call", () => { api.logger.info("theirs was asked") })\n} }\n'
    )
    (theirs / "package.json").write_text(
        '{"name": "theirs", "version": "1.0.0", "type": "module",'
        ' "openclaw": {"extensions": ["./index.mjs"]}}'
    )
    (theirs / "openclaw.plugin.json").write_text(
        '{"id": "theirs", "name": "theirs", "activation": {"onStartup": true},'
        ' "configSchema": {"type": "object"}}'
    )
    file = home / ".openclaw/openclaw.json"
    told = json.loads(file.read_text())
    plugins = {"load": {"paths": [str(theirs)]}, "entries": {"theirs": {"enabled": True}}}
    file.write_text(json.dumps({**told, "plugins": plugins}))
    async with hooked(bench.profile, bench.task_dir) as at:
        output = await bench.run(at, bench.way.run("touch judged"))
    assert "theirs was asked" in output
    assert [call.command for call in at.authorize.opened] == ["touch judged"], output
    assert [path.name for path in workspace.iterdir()] == ["judged"]


@pytest.mark.timeout(300)
async def test_the_real_agent_posts_what_is_kept(bench: Bench, tmp_path: Path) -> None:
    (bench.workspace / "note.txt").write_text("hello")
    if bench.agent.label == "openclaw":
        file = bench.home / ".openclaw/openclaw.json"
        told = json.loads(file.read_text())
        server = {"command": sys.executable, "args": [str(_SERVER), str(bench.home / "notes")]}
        (bench.home / "notes").mkdir()
        file.write_text(json.dumps({**told, "mcp": {"servers": {"notes": server}}}))

    async def judge(call: ToolCall) -> HookAnswer:
        allowed = call.command == "echo hello" or call.tool == "tool_call"
        return HookAnswer(allowed, "only looking")

    wanted = _CALLS[bench.agent.label]
    async with hooked(bench.profile, bench.task_dir, judge=judge) as at:
        output = await bench.run(at, *wanted.values())
    before = next(iter(wanted)).partition("-")[0]
    calls = [
        body
        for event, body in at.intake.posted
        if event == before and json.loads(body)["toolName"] != "tool_call"
    ]
    assert len(calls) == len(wanted), output
    posted = {name: (before, body) for name, body in zip(wanted, calls, strict=True)}
    posted |= {e: (e, body) for e, body in at.intake.posted if e in _FURTHER[bench.agent.label]}
    for name, (event, body) in posted.items():
        text = body.decode()
        for place, plain in ((bench.workspace, "/work"), (bench.home, "/home/ana"),
                             (tmp_path / "task", "/run/task")):  # fmt: skip
            text = text.replace(str(place), plain)
        found = Native(bench.agent.label, bench.agent.version, "recorded", event, text)
        if _RECORD:
            keep(name, found)
        kept = native(bench.agent.label, name)
        assert kept.version == bench.agent.version
        assert sorted(kept.fields()) == sorted(found.fields()), name


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", sorted(WAYS))
async def test_a_call_gets_its_credential_and_a_process_without_a_call_does_not(
    name: str,
    request: pytest.FixtureRequest,
    install: Install,
    scripted_model: ScriptedModel,
    api: ApiServer,
) -> None:
    agent: RealAgent = request.getfixturevalue(name)
    one = supervised_plugin(agent, install, scripted_model)
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'
    output = await one.run(
        one.shell(f"{curl}/me"), one.shell("sudo touch /ran"), one.shell(f"{curl}/again")
    )
    assert scripted_model.requests, output
    results = list(scripted_model.last.results.values())
    assert "hello" in results[0], output
    assert "sudo" in results[1]
    assert api.accepted == ["GET /me", "GET /again"]
    opened = await one.records("call.opened")
    assert len(opened) == 2
    (denied,) = await one.records("call.denied")
    assert denied["preview"] == "sudo touch /ran"
