"""Real subagents of real Claude Code: a task each, below its agent's, and revoked alone."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest

from supervisor.client import AsyncClient
from supervisor.protocol import wire
from tests.support.agents import RealAgent
from tests.support.live import PATIENCE, ApiServer, Install, until
from tests.support.scripted_model import ScriptedModel, call, parallel, script
from tests.support.supervised import Supervised, supervise


@pytest.fixture
def claude(claude_code: RealAgent, install: Install, scripted_model: ScriptedModel) -> Supervised:
    return supervise(claude_code, install, scripted_model)


def errand(claude: Supervised, *commands: str) -> dict[str, Any]:
    """A subagent that runs these one after the other."""
    prompt = script(*map(claude.shell, commands))
    return call("Agent", description="errand", prompt=prompt, subagent_type="general-purpose")


def curl(api: ApiServer, path: str) -> str:
    return f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}{path}'


async def working(client: AsyncClient, count: int) -> list[wire.TaskView]:
    """The subagents' tasks, once so many have a lease."""
    tasks: dict[str, wire.TaskView] = {}
    holding: set[str] = set()
    async with asyncio.timeout(PATIENCE):
        async for event in client.events():
            if isinstance(event, wire.TaskChanged) and event.task.subagent:
                tasks[event.task.id] = event.task
            elif isinstance(event, wire.LeaseChanged):
                holding.add(event.lease.task)
            if len(holding & tasks.keys()) == count:
                return list(tasks.values())
    raise AssertionError("the supervisor went away")


async def test_a_subagent_is_a_child_and_is_revoked_alone(
    claude: Supervised, api: ApiServer, client: AsyncClient
) -> None:
    wait = "until test -e go; do sleep 0.05; done"
    project = claude.install.project
    watching = asyncio.create_task(working(client, 2))
    process = await claude.start(
        parallel(
            errand(claude, f"{curl(api, '/doomed')}; touch doomed; {wait}", "touch never"),
            errand(claude, f"{curl(api, '/lucky')}; {wait}", curl(api, "/lucky/again")),
        ),
        claude.shell(curl(api, "/parent")),
    )
    children = await watching
    await until((project / "doomed").exists, "the first request's end")
    (task,) = [one for one in (await client.snapshot()).tasks if not one.subagent]
    assert {one.parent for one in children} == {task.id}
    assert {one.called for one in children} == {"1.1", "1.2"}
    asked = {use["effect"]: use for use in await claude.records("use.intent")}
    doomed = asked[f"GET {api.host}/doomed"]["task"]
    (name,) = [one.called for one in children if one.id == doomed]

    tree = await asyncio.to_thread(claude.install.cli, "ps")
    lines = [line.split() for line in tree.stdout.splitlines()]
    assert [line[0] for line in lines] == ["1", "1.1", "1.2"], tree.stdout
    assert "└ subagent" in tree.stdout
    done = await asyncio.to_thread(claude.install.cli, "revoke", name)
    assert re.match(r"revoked: 1 task, 1 lease dead, ", done.stdout), done
    (killed,) = await claude.recorded("task.killed")
    assert (killed["task"], killed["processes_left"]) == (doomed, 0)
    # Its processes are gone and its next call is refused, while the others wait for `go`.
    await until(lambda: "This subagent's access was revoked" in told(claude), "the refusal")
    states = {one.id: one.state for one in (await client.snapshot()).tasks}
    (lucky,) = [one.id for one in children if one.id != doomed]
    assert (states[lucky], states[doomed]) == ("working", "revoked")
    assert states[task.id] in ("working", "waiting for you")  # they work in the background

    (project / "go").touch()
    output = await claude.end(process)
    assert "GET /lucky/again" in api.accepted, output
    assert "GET /parent" in api.accepted
    assert not (project / "never").exists()
    # All of it is the agent's history, each part under its own task's name.
    assert await tasks_of(claude, task.id) == {task.id, *(one.id for one in children)}
    assert await tasks_of(claude, lucky) == {lucky}
    ended = {record["task"] for record in await claude.records("task.ended")}
    assert {task.id, lucky} <= ended


async def tasks_of(claude: Supervised, task: str) -> set[str]:
    """Whose records the history of a task shows."""
    done = await asyncio.to_thread(claude.install.cli, "history", task, "--json", "-n", "1000")
    return {json.loads(line)["task"] for line in done.stdout.splitlines()}


def told(claude: Supervised) -> str:
    """What tools told the model."""
    return "\n".join(text for request in claude.model.requests for text in request.results.values())


async def test_revoking_the_agent_takes_its_subagents(
    claude: Supervised, api: ApiServer, client: AsyncClient
) -> None:
    watching = asyncio.create_task(working(client, 1))
    process = await claude.start(
        errand(claude, f"{curl(api, '/one')}; touch begun; until test -e go; do sleep 0.05; done")
    )
    (child,) = await watching
    done = await asyncio.to_thread(claude.install.cli, "revoke", child.parent)
    assert "1 lease dead" in done.stdout, done
    await claude.end(process)
    states = {one.id: one.state for one in (await client.snapshot()).tasks}
    assert states[child.id] == "revoked"
    assert not (await client.snapshot()).leases
