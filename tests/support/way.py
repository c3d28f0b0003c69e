"""How tests install, set up and start one real agent, and what its tools are called."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.agents import Package, RealAgent, real_agent

MODEL_KEY = "model-key-that-tools-must-not-see"
Servers = Mapping[str, list[str]]  # MCP servers over stdio: name → command
NO_SERVERS: Servers = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Setting:
    """Where an agent is to run, and the model that it talks to."""

    home: Path
    work: Path
    model: str  # base URL


class Way(ABC):
    """How tests start one agent."""

    package: Package
    program: str  # in the package
    headless: tuple[str, ...]  # what stands before a prompt that is run to its end
    before: str  # the event that announces a call
    further: tuple[str, ...]  # other events of a session with one allowed call
    shows_prefix = False  # whether a rewritten command is in what the model is told next
    rewrites = True  # whether what is put before a command runs
    names_calls = True  # whether its hooks carry an id of the call
    hook_dies_open = False  # whether a call runs whose hook was killed
    # What stands before a prompt in a terminal; None where no test starts it so.
    in_terminal: tuple[str, ...] | None = None
    files: tuple[str, ...] = ()  # of `tools`: what writes, edits and reads `note.txt`
    patience = 90.0  # seconds for a short script
    # Below the home: what it may change or make there, files, and folders with a slash.
    state: tuple[str, ...] = (".cache/",)

    def agent(self) -> RealAgent:
        """The program, installed once for each account."""
        return real_agent(self.package, self.program)

    def root(self, agent: RealAgent) -> tuple[str, ...]:
        """The command of what is to be the task's root process, where `agent` only starts it."""
        return agent.argv

    @abstractmethod
    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        """Write the settings of a person who uses the scripted model and these servers."""

    @abstractmethod
    def environ(self, at: Setting) -> dict[str, str]:
        """What that person has in their environment for it."""

    @abstractmethod
    def shell(self, command: str) -> dict[str, Any]:
        """A script's step that runs this command in its shell tool."""

    @abstractmethod
    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        """A step for each kind of its tools, by the name of the recorded input."""


def write_json(file: Path, content: Any) -> None:
    """Write a settings file, with the folders above it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content))


def by_command(servers: Servers, **more: Any) -> dict[str, dict[str, Any]]:
    """The servers as most agents' settings have them; `more` is said of each."""
    return {
        name: {**more, "command": command, "args": words}
        for name, (command, *words) in servers.items()
    }
