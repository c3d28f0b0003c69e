"""The real agents besides Claude Code and Codex: how tests install, set up and start each."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.agents import (
    COPILOT,
    GEMINI,
    OPENCODE,
    QWEN,
    Package,
    RealAgent,
    cache_dir,
    locked,
    real_agent,
    run_or_fail,
)
from tests.support.scripted_model import call

MODEL_KEY = "model-key-that-tools-must-not-see"


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
    before: str  # the event that announces a call
    further: tuple[str, ...]  # other events of a session with one allowed call

    def agent(self) -> RealAgent:
        """The program, installed once for each account."""
        return real_agent(self.package, self.program)

    # Whether a rewritten command is in what the model is told next.
    shows_prefix: bool = False
    rewrites: bool = True  # whether what is put before a command runs
    names_calls: bool = True  # whether its hooks carry an id of the call

    @abstractmethod
    def settle(self, at: Setting) -> None:
        """Write the settings of a person who uses the scripted model."""

    @abstractmethod
    def environ(self, at: Setting) -> dict[str, str]:
        """What that person has in their environment for it."""

    @abstractmethod
    def headless(self, prompt: str) -> list[str]:
        """The words of a command line that runs one prompt to its end."""

    @abstractmethod
    def shell(self, command: str) -> dict[str, Any]:
        """A script's step that runs this command in its shell tool."""

    @abstractmethod
    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        """A step for each kind of its tools, by the name of the recorded input."""

    @abstractmethod
    def with_server(self, at: Setting, name: str, command: list[str]) -> None:
        """Give it an MCP server."""


class CopilotWay(Way):
    package, program = COPILOT, "copilot"
    before = "PreToolUse"
    further = ("UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd")
    shows_prefix = True
    names_calls = False

    def agent(self) -> RealAgent:
        """The program behind npm's loader, unpacked once for all tests."""
        agent = super().agent()
        with locked("copilot-unpacked"):
            environ = {"PATH": agent.path, "HOME": "/nonexistent", **self._unpacked()}
            run_or_fail([*agent.argv, "--binary-version"], env=environ)
        return agent

    def settle(self, at: Setting) -> None:
        self._write(at, {})

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "COPILOT_OFFLINE": "true", "COPILOT_MODEL": "scripted",
            "COPILOT_PROVIDER_BASE_URL": f"{at.model}/v1", "COPILOT_PROVIDER_API_KEY": MODEL_KEY,
            "COPILOT_PKG_CACHE_HOME": self._unpacked()["COPILOT_PKG_CACHE_HOME"],
        }  # fmt: skip

    def headless(self, prompt: str) -> list[str]:
        return ["-p", prompt]

    def shell(self, command: str) -> dict[str, Any]:
        return call("bash", command=command, description="as told")

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        note = f"{folder}/note.txt"
        return {
            "bash": self.shell("echo hello"),
            "view": call("view", path=note),
            "create": call("create", path=note, file_text="hello"),
            "edit": call("edit", path=note, old_str="hello", new_str="bye"),
            "web_fetch": call("web_fetch", url="https://example.com/page"),
            "task": call("task", description="look", prompt="look", agent_type="explore", name="n"),
            "mcp": call("notes-get_note", name="one"),
        }

    def with_server(self, at: Setting, name: str, command: list[str]) -> None:
        server = {"type": "local", "command": command[0], "args": command[1:], "tools": ["*"]}
        self._write(at, {name: server})

    def _write(self, at: Setting, servers: dict[str, Any]) -> None:
        file = at.home / ".copilot/mcp-config.json"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"mcpServers": servers}))

    def _unpacked(self) -> dict[str, str]:
        folder = cache_dir() / f"copilot-unpacked-{self.package.version}"
        return {"COPILOT_SEA_EXTRACT_ONLY": "1", "COPILOT_PKG_CACHE_HOME": str(folder)}


class GeminiWay(Way):
    package, program = GEMINI, "gemini"
    before = "BeforeTool"
    further = ("BeforeAgent", "AfterTool", "AfterAgent", "SessionEnd")
    names_calls = False

    def settle(self, at: Setting) -> None:
        self._write(at, {})

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "GEMINI_API_KEY": MODEL_KEY, "GOOGLE_GEMINI_BASE_URL": at.model,
            "GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_TELEMETRY_ENABLED": "false",
        }  # fmt: skip

    def headless(self, prompt: str) -> list[str]:
        return ["-m", "gemini-2.5-flash", "-p", prompt]

    def shell(self, command: str) -> dict[str, Any]:
        return call("run_shell_command", command=command, description="as told")

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        note = f"{folder}/note.txt"
        edit = call(
            "replace", file_path=note, instruction="x", old_string="hello", new_string="bye"
        )
        return {
            "run_shell_command": self.shell("echo hello"),
            "read_file": call("read_file", file_path=note),
            "write_file": call("write_file", file_path=note, content="hello"),
            "replace": edit,
            "web_fetch": call("web_fetch", prompt="What does https://example.com/page say?"),
            "invoke_agent": call("invoke_agent", agent_name="generalist", prompt="look"),
            "mcp": call("mcp_notes_get_note", name="one"),
        }

    def with_server(self, at: Setting, name: str, command: list[str]) -> None:
        self._write(at, {name: {"command": command[0], "args": command[1:]}})

    def _write(self, at: Setting, servers: dict[str, Any]) -> None:
        file = at.home / ".gemini/settings.json"
        file.parent.mkdir(exist_ok=True)
        auth = {"auth": {"selectedType": "gemini-api-key"}}
        file.write_text(json.dumps({"security": auth, "mcpServers": servers}))


class OpenCodeWay(Way):
    package, program = OPENCODE, "opencode"
    before = "tool.execute.before"
    further = ("prompt", "tool.execute.after", "tool.execute.error", "session.idle")

    def settle(self, at: Setting) -> None:
        models = {"scripted": {"name": "scripted", "limit": {"context": 100000, "output": 8000}}}
        self._write(at, {
            "model": "scripted/scripted", "small_model": "scripted/scripted",
            "provider": {"scripted": {
                "npm": "@ai-sdk/openai-compatible", "name": "scripted", "models": models,
                "options": {"baseURL": f"{at.model}/v1", "apiKey": "{env:SCRIPTED_KEY}"},
            }},
        })  # fmt: skip

    def environ(self, at: Setting) -> dict[str, str]:
        return {"SCRIPTED_KEY": MODEL_KEY}

    def headless(self, prompt: str) -> list[str]:
        return ["run", prompt]

    def shell(self, command: str) -> dict[str, Any]:
        return call("bash", command=command, description="as told")

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        note = f"{folder}/note.txt"
        return {
            "bash": self.shell("echo hello"),
            "read": call("read", filePath=note),
            "write": call("write", filePath=note, content="hello"),
            "edit": call("edit", filePath=note, oldString="hello", newString="bye"),
            "webfetch": call("webfetch", url="https://example.com/page", format="text"),
            "task": call("task", description="look", prompt="look", subagent_type="general"),
            "mcp": call("notes_get_note", name="one"),
        }

    def with_server(self, at: Setting, name: str, command: list[str]) -> None:
        settings = json.loads(self._file(at).read_text())
        settings["mcp"] = {name: {"type": "local", "command": command}}
        self._write(at, settings)

    def _file(self, at: Setting) -> Path:
        return at.home / ".config/opencode/opencode.json"

    def _write(self, at: Setting, settings: dict[str, Any]) -> None:
        self._file(at).parent.mkdir(parents=True, exist_ok=True)
        self._file(at).write_text(json.dumps(settings))


class QwenWay(Way):
    package, program = QWEN, "qwen"
    before = "PreToolUse"
    further = ("UserPromptSubmit", "PostToolUse", "Stop")
    rewrites = False

    def settle(self, at: Setting) -> None:
        self._write(at, {})

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "OPENAI_API_KEY": MODEL_KEY, "OPENAI_BASE_URL": f"{at.model}/v1",
            "OPENAI_MODEL": "scripted", "QWEN_TELEMETRY_ENABLED": "false",
        }  # fmt: skip

    def headless(self, prompt: str) -> list[str]:
        return ["-p", prompt]

    def shell(self, command: str) -> dict[str, Any]:
        return call("run_shell_command", command=command, description="x", is_background=False)

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        note = f"{folder}/note.txt"
        return {
            "run_shell_command": self.shell("echo hello"),
            "read_file": call("read_file", file_path=note),
            "write_file": call("write_file", file_path=note, content="hello"),
            "edit": call("edit", file_path=note, old_string="hello", new_string="bye"),
            "web_fetch": call("web_fetch", url="https://example.com/page", prompt="what it says"),
            "agent": call("agent", description="look", prompt="look", subagent_type="Explore"),
            "mcp": call("mcp__notes__get_note", name="one"),
        }

    def with_server(self, at: Setting, name: str, command: list[str]) -> None:
        self._write(at, {name: {"command": command[0], "args": command[1:]}})

    def _write(self, at: Setting, servers: dict[str, Any]) -> None:
        file = at.home / ".qwen/settings.json"
        file.parent.mkdir(exist_ok=True)
        auth = {"auth": {"selectedType": "openai"}}
        file.write_text(json.dumps({"security": auth, "mcpServers": servers}))


WAYS: Mapping[str, Way] = {
    way.package.label: way for way in (OpenCodeWay(), CopilotWay(), GeminiWay(), QwenWay())
}
