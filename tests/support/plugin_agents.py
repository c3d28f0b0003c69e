"""The real agents that load a plugin of ours: installed, and told to talk to a scripted model.

Large and slow: only tests marked `full` start them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.agents import Package, RealAgent, real_agent
from tests.support.live import Install
from tests.support.scripted_model import ScriptedModel, call, script
from tests.support.supervised import PERSONS_TOKEN, Supervised

OPENCLAW = Package("openclaw", "openclaw", "2026.9.6")
PI = Package("pi", "@mariozechner/pi-coding-agent", "0.73.1")

MODEL_KEY = "model-key-that-tools-must-not-see"


@dataclass(frozen=True, slots=True)
class Way:
    """How one agent is started with a script, and what its tools are called.

    Attributes:
        settings: writes into a home, given the model's address and the folder it works in.
        headless: what stands before the prompt.
        shell: name of the tool that runs commands.
    """

    settings: Callable[[Path, str, Path], None]
    headless: tuple[str, ...]
    shell: str
    environ: Mapping[str, str]

    def run(self, command: str) -> dict[str, Any]:
        """A script's step that runs this command."""
        return call(self.shell, command=command)


def _pi_settings(home: Path, model: str, workspace: Path) -> None:
    folder = home / ".pi" / "agent"
    folder.mkdir(parents=True)
    known = {"id": "scripted", "input": ["text"], "contextWindow": 128000, "maxTokens": 8192}
    provider = {
        "baseUrl": model, "api": "anthropic-messages", "apiKey": "OPENAI_API_KEY",
        "models": [known],
    }  # fmt: skip
    (folder / "models.json").write_text(json.dumps({"providers": {"scripted": provider}}))


def _openclaw_settings(home: Path, model: str, workspace: Path) -> None:
    folder = home / ".openclaw"
    folder.mkdir()
    known = {
        "id": "scripted", "name": "scripted", "reasoning": False, "input": ["text"],
        "contextWindow": 128000, "maxTokens": 8192,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }  # fmt: skip
    provider = {
        "baseUrl": model, "api": "anthropic-messages", "apiKey": MODEL_KEY, "models": [known],
    }  # fmt: skip
    told = {
        "models": {"providers": {"scripted": provider}},
        "agents": {"defaults": {"model": {"primary": "scripted/scripted"}}},
    }
    (folder / "openclaw.json").write_text(json.dumps(told))


WAYS = {
    "openclaw": Way(
        _openclaw_settings,
        ("agent", "--local", "--agent", "main", "--session-id", "s", "--message"),
        "exec",
        {"OPENCLAW_OFFLINE": "1", "OPENAI_API_KEY": MODEL_KEY},
    ),
    "pi": Way(
        _pi_settings, ("--provider", "scripted", "--model", "scripted", "-p"),
        "bash",
        {"PI_OFFLINE": "1", "OPENAI_API_KEY": MODEL_KEY},
    ),
}  # fmt: skip


@dataclass
class SupervisedPlugin(Supervised):
    """Such an agent under `taskpass run`."""

    @property
    def way(self) -> Way:
        return WAYS[self.agent.label]

    def shell(self, command: str) -> dict[str, Any]:
        return self.way.run(command)

    @property
    def environ(self) -> dict[str, str]:
        path = f"{self.agent.path}:{self.install.environ['PATH']}"
        own = {"PATH": path, "GITHUB_TOKEN": PERSONS_TOKEN}
        return self.install.environ | own | dict(self.way.environ)

    def argv(self, *steps: Any) -> list[str]:
        return [*self.agent.argv, *self.way.headless, script(*steps)]


def supervised_plugin(agent: RealAgent, install: Install, model: ScriptedModel) -> SupervisedPlugin:
    """Settings for this agent in the install's home."""
    WAYS[agent.label].settings(install.home, model.url, install.project)
    return SupervisedPlugin(agent, model, install)


@pytest.fixture(scope="session")
def openclaw() -> RealAgent:
    """The real OpenClaw."""
    return real_agent(OPENCLAW, "openclaw")


@pytest.fixture(scope="session")
def pi() -> RealAgent:
    """The real pi."""
    return real_agent(PI, "pi")
