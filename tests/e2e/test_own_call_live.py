"""`taskpass call`: a command of the person's own under a task, with what that task may."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import pytest

from supervisor.client import AsyncClient
from tests.support.failing_daemon import Agent
from tests.support.live import TASKPASS, ApiServer, Install, Person
from tests.support.terminal import Terminal

CURL = 'curl -sS -m 20 -H "Authorization: Bearer $API_TOKEN"'


@pytest.fixture
def agent(install: Install) -> Iterator[Agent]:
    """A task to call under."""
    running = Agent.start(install, "hooked")
    yield running
    with contextlib.suppress(ValueError, BrokenPipeError):
        running.leave()


async def typed(install: Install, *command: str, task: str = "") -> tuple[int, str]:
    """A person types it in a terminal: its exit code, and what the terminal shows."""
    named = ["--task", task] if task else []
    argv = [*TASKPASS, "call", *named, "--", *command]
    async with Terminal(argv, cwd=install.project, environ=install.environ) as terminal:
        code = await terminal.exit_code()
        return code, terminal.text()


def curl(api: ApiServer, path: str, method: str = "GET") -> tuple[str, ...]:
    return ("sh", "-c", f"{CURL} -X {method} https://{api.host}{path}; exit 7")


async def test_it_has_the_tasks_credentials_for_itself_alone_and_its_exit_code(
    install: Install, api: ApiServer, agent: Agent, client: AsyncClient
) -> None:
    code, shown = await typed(install, *curl(api, "/own"))
    assert (code, api.accepted) == (7, ["GET /own"]), shown
    (task,) = [one for one in (await client.snapshot()).tasks if not one.path]
    (own,) = [one for one in (await client.snapshot()).tasks if one.path]
    assert (own.called, own.parent) == ("1.1", task.id)
    assert not (await client.snapshot()).leases
    by_task = {record["task"] for record in install.records("use.intent", "call.opened")}
    assert by_task == {own.id}
    (opened,) = install.records("call.opened")
    assert (opened["tool"], opened["parent"], opened["top"]) == ("call", task.id, task.id)
    assert api.token not in shown


async def test_it_is_judged_before_anything_of_it_runs(
    install: Install, api: ApiServer, agent: Agent
) -> None:
    code, shown = await typed(install, "sh", "-c", "touch ran; rm -rf /")
    assert code == 3, shown
    assert not (install.project / "ran").exists()
    (denied,) = install.records("call.denied")
    assert denied["tool"] == "call"
    with Person(install) as person:
        person.answers("git", approve=False, note="not today")
        code, shown = await typed(install, "git", "push", "origin", "topic")
    assert code == 3
    assert "not today" in shown


async def test_it_ends_with_the_task_that_it_is_under(
    install: Install, api: ApiServer, agent: Agent
) -> None:
    argv = [*TASKPASS, "call", "--", "sh", "-c", f"{CURL} -N https://{api.host}/stream; sleep 60"]
    async with Terminal(argv, cwd=install.project, environ=install.environ) as terminal:
        await terminal.shows("tick")
        done = install.cli("revoke", "1")
        assert "1 lease dead" in done.stdout, done
        assert await terminal.exit_code() != 0
    killed = {record["task"] for record in install.records("task.killed")}
    assert killed, "nothing was killed"


async def test_it_does_not_outlive_the_supervisor_that_bounded_it(
    install: Install, agent: Agent
) -> None:
    argv = [*TASKPASS, "call", "--", "sh", "-c", "echo begun; sleep 60"]
    async with Terminal(argv, cwd=install.project, environ=install.environ) as terminal:
        await terminal.shows("begun")
        os.kill(install.daemon_pid(), signal.SIGKILL)
        assert await terminal.exit_code() == 125
    agent.type("true")
    assert agent.expect(1) == "0"  # the agent itself lives on


async def test_a_task_does_not_call_for_the_person(
    install: Install, api: ApiServer, agent: Agent
) -> None:
    """Neither what runs in a task, nor what has no terminal, is the person."""
    done = install.cli("call", "--", "true")
    assert done.returncode != 0
    assert "terminal" in done.stderr
    assert install.records("incident.answer_refused") == []
    agent.type(" ".join([*TASKPASS, "call", "--task", "1", "--", "true"]))
    assert agent.expect(1) != "0"
    assert install.records("call.opened")[-1]["tool"] != "call"


async def test_without_a_task_here_it_says_so(install: Install) -> None:
    code, shown = await typed(install, "true")
    assert code != 0
    assert "No running task works here" in shown


async def test_what_nobody_announced_is_told_of_it(
    install: Install, api: ApiServer, agent: Agent
) -> None:
    """As `!curl` typed to an agent: a child of its own, in no call."""
    # A test's host is on loopback, which an agent reaches directly; a real one by the proxy alone.
    agent.type(f"!{CURL} --noproxy '' https://{api.host}/unannounced")
    agent.expect(1)
    assert "taskpass call --task 1 -- COMMAND" in agent.said
    assert api.accepted == []
