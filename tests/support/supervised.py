"""A real agent, launched by `taskpass run` in a live install, talking to a scripted model."""

from __future__ import annotations

import asyncio
import subprocess
import time
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.agents import RealAgent, trust_folder
from tests.support.live import PATIENCE, TASKPASS, Install
from tests.support.scripted_model import ScriptedModel, call, script

MODEL_KEY = "model-key-that-tools-must-not-see"
PERSONS_TOKEN = "a-token-of-the-person-that-is-left-behind"


@dataclass
class Supervised:
    """One agent in one install."""

    agent: RealAgent
    model: ScriptedModel
    install: Install

    @property
    def is_claude(self) -> bool:
        return self.agent.label == "claude-code"

    def shell(self, command: str) -> dict[str, Any]:
        """A script's step that runs this command in the agent's shell tool."""
        if self.is_claude:
            return call("Bash", command=command, description="as told")
        return call("exec_command", cmd=command, yield_time_ms=30_000)

    @property
    def environ(self) -> dict[str, str]:
        environ = self.install.environ | {
            "PATH": f"{self.agent.path}:{self.install.environ['PATH']}",
            "GITHUB_TOKEN": PERSONS_TOKEN,
        }
        if self.is_claude:
            return environ | {
                "ANTHROPIC_BASE_URL": self.model.url,
                "ANTHROPIC_AUTH_TOKEN": MODEL_KEY,
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            }
        return environ | {"SCRIPTED_KEY": MODEL_KEY}

    def argv(self, *steps: Any) -> list[str]:
        """The agent without a screen of its own, with a script for its model."""
        headless = ["-p"] if self.is_claude else ["exec", "--skip-git-repo-check"]
        return [*self.agent.argv, *headless, script(*steps)]

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
            async with asyncio.timeout(90):
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


@pytest.fixture(params=["claude_code", "codex"])
def supervised(
    request: pytest.FixtureRequest, install: Install, scripted_model: ScriptedModel
) -> Supervised:
    return supervise(request.getfixturevalue(request.param), install, scripted_model)


def supervise(agent: RealAgent, install: Install, model: ScriptedModel) -> Supervised:
    """Settings for both agents, and a project that its owner trusts."""
    home, project = install.home, install.project
    (home / ".claude").mkdir(exist_ok=True)
    (home / ".claude.json").write_text('{"hasCompletedOnboarding": true, "theme": "dark"}')
    trust_folder(home, project)
    (home / ".codex").mkdir(exist_ok=True)
    (home / ".codex" / "config.toml").write_text(
        'model = "scripted"\nmodel_provider = "scripted"\n'
        "[model_providers.scripted]\n"
        'name = "scripted"\nwire_api = "responses"\nenv_key = "SCRIPTED_KEY"\n'
        f'base_url = "{model.url}/v1"\nrequest_max_retries = 0\n'
        # Both would look for their maker's servers; these tests stay on loopback.
        "[features]\nplugins = false\napps = false\n"
        f'[projects."{project}"]\ntrust_level = "trusted"\n'
    )
    (home / ".codex" / "auth.json").write_text("{}")
    return Supervised(agent, model, install)
