"""A real agent, launched by `taskpass run` in a live install, talking to a scripted model."""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.agents import RealAgent
from tests.support.every_agent import ALWAYS, WAYS, settle
from tests.support.live import PATIENCE, TASKPASS, Install
from tests.support.scripted_model import ScriptedModel, script
from tests.support.way import MODEL_KEY, NO_SERVERS, Servers, Setting, Way

PERSONS_TOKEN = "a-token-of-the-person-that-is-left-behind"


@dataclass
class Supervised:
    """One agent in one install."""

    agent: RealAgent
    model: ScriptedModel
    install: Install

    @property
    def way(self) -> Way:
        return WAYS[self.agent.label]

    @property
    def is_claude(self) -> bool:
        return self.agent.label == "claude-code"

    @property
    def at(self) -> Setting:
        return Setting(self.install.home, self.install.project, self.model.url)

    def shell(self, command: str) -> dict[str, Any]:
        """A script's step that runs this command in the agent's shell tool."""
        return self.way.shell(command)

    @property
    def environ(self) -> dict[str, str]:
        return {
            **self.install.environ,
            "PATH": f"{self.agent.path}:{self.install.environ['PATH']}",
            "GITHUB_TOKEN": PERSONS_TOKEN,
            **self.way.environ(self.at),
        }

    def argv(self, *steps: Any) -> list[str]:
        """The agent without a screen of its own, with a script for its model."""
        return [*self.agent.argv, *self.way.headless, script(*steps)]

    async def start(self, *steps: Any, options: tuple[str, ...] = ()) -> asyncio.subprocess.Process:
        """`taskpass run --headless -- AGENT`."""
        return await asyncio.create_subprocess_exec(
            *TASKPASS, "run", "--headless", *options, "--", *self.argv(*steps),
            cwd=self.install.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )  # fmt: skip

    async def run(self, *steps: Any, options: tuple[str, ...] = ()) -> str:
        """Run the script to its end; what the agent printed."""
        return await self.end(await self.start(*steps, options=options))

    async def end(self, process: asyncio.subprocess.Process) -> str:
        """Wait for a run's end; what the agent printed."""
        try:
            async with asyncio.timeout(self.way.patience):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            kept = [f"{one['kind']} {one.get('preview', '')}" for one in await self.records()]
            pytest.fail("the agent does not come to its end:\n" + "\n".join(kept[-12:]))
        return output.decode()

    def last_result(self) -> str:
        """What the newest tool result told the model."""
        return self.model.last.last_result

    async def records(self, *kinds: str) -> list[dict[str, Any]]:
        """What the ledger holds; the model's server goes on meanwhile."""
        return await asyncio.to_thread(self.install.records, *kinds)

    async def recorded(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until the ledger holds so many records of a kind."""
        deadline = time.monotonic() + PATIENCE
        while len(found := await self.records(kind)) < count:
            assert time.monotonic() < deadline, f"waited {PATIENCE} s for {count} × {kind}"
        return found


@pytest.fixture(params=ALWAYS)
def supervised(
    request: pytest.FixtureRequest, install: Install, scripted_model: ScriptedModel
) -> Supervised:
    """Both that always run; or, given indirectly, any by its label."""
    return supervise(WAYS[request.param].agent(), install, scripted_model)


def supervise(
    agent: RealAgent, install: Install, model: ScriptedModel, servers: Servers = NO_SERVERS
) -> Supervised:
    """The agent with settings, in a project that its owner trusts."""
    made = Supervised(agent, model, install)
    settle(agent.label, made.at, servers)
    return made


__all__ = ["MODEL_KEY", "PERSONS_TOKEN", "Supervised", "supervise", "supervised"]
