"""The real agents besides Claude Code and Codex under `taskpass run`: the whole way of a call.

What the model is told next, what the API saw and what the ledger holds is what counts.
"""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.further_agents import WAYS, Setting, Way
from tests.support.live import TASKPASS, ApiServer, Install, Person
from tests.support.scripted_model import ScriptedModel, script

pytestmark = pytest.mark.full


@dataclass
class Supervised:
    """One agent in one install, contained as this machine can."""

    way: Way
    model: ScriptedModel
    install: Install

    async def run(self, *steps: Any) -> str:
        """`taskpass run --headless -- AGENT` to its end; what it printed."""
        at = Setting(self.install.home, self.install.project, self.model.url)
        self.way.settle(at)
        agent = self.way.agent()
        words = self.way.headless(script(*steps))
        path = f"{agent.path}:{self.install.environ['PATH']}"
        process = await asyncio.create_subprocess_exec(
            *TASKPASS, "run", "--headless", "--", *agent.argv, *words,
            cwd=self.install.project,
            env=self.install.environ | self.way.environ(at) | {"PATH": path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            kept = await asyncio.to_thread(self.install.records)
            told = [f"{one['kind']} {one.get('preview', '')}" for one in kept]
            pytest.fail("the agent does not come to its end:\n" + "\n".join(told[-12:]))
        assert self.model.requests, output.decode()
        return output.decode()


@pytest.fixture(params=sorted(WAYS))
def supervised(
    request: pytest.FixtureRequest, install: Install, scripted_model: ScriptedModel
) -> Supervised:
    return Supervised(WAYS[request.param], scripted_model, install)


async def test_a_routine_call_goes_on_by_itself(supervised: Supervised) -> None:
    output = await supervised.run(supervised.way.shell("printf '%s-%d' it 42 > made; cat made"))
    assert "it-42" in supervised.model.last.last_result, output
    assert (supervised.install.project / "made").read_text() == "it-42"


async def test_a_refused_call_tells_the_model_why(supervised: Supervised) -> None:
    output = await supervised.run(supervised.way.shell("sudo touch /ran"))
    assert "sudo" in supervised.model.last.last_result, output
    (denied,) = await asyncio.to_thread(supervised.install.records, "call.denied")
    assert denied["preview"] == "sudo touch /ran"


async def test_a_person_answers_while_the_agent_waits(supervised: Supervised) -> None:
    push = "git push origin agent/work; printf '%s-%d' pushed 42"
    force = "git push --force origin agent/work; printf '%s-%d' forced 42"
    with Person(supervised.install) as person:
        person.answers("git push origin")
        person.answers("git push --force", approve=False, note="not on a Friday")
        output = await supervised.run(supervised.way.shell(push), supervised.way.shell(force))
    first, second = supervised.model.last.results.values()
    assert "pushed-42" in first, output
    assert "not on a Friday" in second
    assert "forced-42" not in second
    answers = await asyncio.to_thread(supervised.install.records, "approval.answered")
    assert [answer["answer"] for answer in answers] == ["approved", "denied"]


async def test_a_credential_is_for_the_call_that_was_announced(
    supervised: Supervised, api: ApiServer
) -> None:
    """The next call has its own; by the way of the first it gets nothing."""
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'
    with Person(supervised.install) as person:
        person.answers("read")
        output = await supervised.run(
            supervised.way.shell(f'{curl}/me; echo "$https_proxy" > way'),
            supervised.way.shell(f'read -r way < way; {curl}/again -x "$way"; echo "status $?"'),
        )
    first, second = supervised.model.last.results.values()
    assert "hello" in first, output
    assert "hello" not in second
    assert "status" in second
    assert api.accepted == ["GET /me"]
    (use,) = await asyncio.to_thread(supervised.install.records, "use.intent")
    opened = await asyncio.to_thread(supervised.install.records, "call.opened")
    assert use["call"] == opened[0]["call"]
    assert len(opened) == 2
