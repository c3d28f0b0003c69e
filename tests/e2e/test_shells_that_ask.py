"""Shells of an agent whose hooks can change nothing: each asks which call it was started for."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from tests.support.every_agent import WAYS
from tests.support.live import TASKPASS, ApiServer, Install, Person, until
from tests.support.scripted_model import ScriptedModel, call, parallel, script
from tests.support.supervised import Supervised, supervise
from tests.support.terminal import Terminal

pytestmark = pytest.mark.full


@pytest.fixture
def qwen(install: Install, scripted_model: ScriptedModel) -> Supervised:
    return supervise(WAYS["qwen"].agent(), install, scripted_model)


def curl(api: ApiServer, path: str) -> str:
    return f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}{path}'


def git(project: Path, *words: str) -> str:
    return subprocess.check_output(["git", "-C", str(project), *words], text=True).strip()


async def test_calls_side_by_side_have_a_credential_each(qwen: Supervised, api: ApiServer) -> None:
    """Two of them say the same."""
    commands = [curl(api, path) for path in ("/one", "/two", "/two")]
    await qwen.run(parallel(*map(qwen.shell, commands)))
    assert sorted(api.accepted) == ["GET /one", "GET /two", "GET /two"]
    uses = await asyncio.to_thread(qwen.install.records, "use.intent")
    opened = await asyncio.to_thread(qwen.install.records, "call.opened")
    assert len({use["call"] for use in uses}) == 3
    assert {use["call"] for use in uses} == {one["call"] for one in opened}


async def test_a_background_command_has_its_own(qwen: Supervised, api: ApiServer) -> None:
    command = f"{curl(api, '/me')} > got"
    await qwen.run(
        call("run_shell_command", command=command, description="x", is_background=True),
        qwen.shell("until test -s got; do sleep 0.05; done; cat got"),
    )
    assert "hello" in qwen.model.last.last_result
    assert api.accepted == ["GET /me"]
    (use,) = await asyncio.to_thread(qwen.install.records, "use.intent")
    first, _ = await asyncio.to_thread(qwen.install.records, "call.opened")
    assert use["call"] == first["call"]


async def test_a_commit_says_what_was_judged(qwen: Supervised, api: ApiServer) -> None:
    """Qwen Code would add a line to its message, and the shell's command line be another."""
    project = qwen.install.project
    await asyncio.to_thread(git, project, "init", "-q")
    for name in ("user.name", "user.email"):
        await asyncio.to_thread(git, project, "config", name, "ana")
    (project / ".qwen").mkdir()
    wanted = {"general": {"gitCoAuthor": {"commit": True, "pr": True}}}
    (project / ".qwen/settings.json").write_text(json.dumps(wanted))
    commit = 'git commit --allow-empty -m "mended"'
    with Person(qwen.install) as person:
        person.answers("git")
        await qwen.run(qwen.shell(f"{commit} && {curl(api, '/me')}"))
    assert await asyncio.to_thread(git, project, "log", "--format=%B") == "mended"
    assert api.accepted == ["GET /me"]


async def test_in_a_terminal_its_shells_ask_too(qwen: Supervised, api: ApiServer) -> None:
    argv = [*TASKPASS, "run", "--", *qwen.agent.argv, "-i", script(qwen.shell(curl(api, "/me")))]
    async with Terminal(argv, cwd=qwen.install.project, environ=qwen.environ, cols=120):
        await until(lambda: bool(api.seen), "the request")
    assert api.accepted == ["GET /me"]
