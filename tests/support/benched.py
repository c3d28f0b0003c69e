"""A real agent under our hook intake alone, with a recording `Authorize`, and a scripted model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from profiles import find
from supervisor.ports import LaunchPlan, Profile
from tests.support.agents import RealAgent
from tests.support.every_agent import WAYS, settle
from tests.support.hooked import Hooked
from tests.support.scripted_model import ScriptedModel, script
from tests.support.way import NO_SERVERS, Servers, Setting, Way


@dataclass
class Bench:
    """One agent in a home of its own, talking to a scripted model."""

    agent: RealAgent
    model: ScriptedModel
    at: Setting
    task_dir: Path

    @property
    def way(self) -> Way:
        return WAYS[self.agent.label]

    @property
    def home(self) -> Path:
        return self.at.home

    @property
    def workspace(self) -> Path:
        return self.at.work

    @property
    def profile(self) -> Profile:
        found = find(self.agent.argv)
        assert found.name == self.agent.label
        return found

    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.home), "PATH": self.agent.path, "LANG": "C.UTF-8", "TERM": "xterm",
            "GITHUB_TOKEN": "a-token-of-the-person", "SSH_AUTH_SOCK": "/nowhere/agent.sock",
            **self.way.environ(self.at),
        }  # fmt: skip

    def shell(self, command: str) -> dict[str, Any]:
        return self.way.shell(command)

    def plan(self, at: Hooked, *steps: Any) -> LaunchPlan:
        argv = (*self.agent.argv, *self.way.headless, script(*steps))
        return at.prepare(argv, cwd=self.workspace, home=self.home, environ=self.environ())

    async def run(self, at: Hooked, *steps: Any) -> str:
        return await at.run(self.plan(at, *steps), self.workspace, timeout=self.way.patience)


def set_up(
    agent: RealAgent, model: ScriptedModel, tmp_path: Path, servers: Servers = NO_SERVERS
) -> Bench:
    """A home with the agent's settings, and an empty folder that its owner trusts."""
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(mode=0o700)
    work.mkdir()
    at = Setting(home, work, model.url)
    settle(agent.label, at, servers)
    return Bench(agent, model, at, tmp_path / "task")


@pytest.fixture
def bench(request: pytest.FixtureRequest, scripted_model: ScriptedModel, tmp_path: Path) -> Bench:
    """For tests that are given the agent's label as `bench`, indirectly."""
    return set_up(WAYS[request.param].agent(), scripted_model, tmp_path)
