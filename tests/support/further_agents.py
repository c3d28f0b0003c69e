"""opencode, Copilot CLI, Gemini CLI and Qwen Code: how tests set up and start each.

Large and slow: only tests marked `full` start them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profiles.copilot.adapter import native_binary
from tests.support.agents import (
    COPILOT,
    GEMINI,
    OPENCODE,
    QWEN,
    RealAgent,
    cache_dir,
    locked,
    real_agent,
    run_or_fail,
)
from tests.support.scripted_model import call
from tests.support.way import MODEL_KEY, NO_SERVERS, Servers, Setting, Way, by_command, write_json


class CopilotWay(Way):
    package, program = COPILOT, "copilot"
    headless = ("-p",)
    files = ("create", "edit", "view")
    before = "PreToolUse"
    further = ("UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd")
    shows_prefix = True
    names_calls = False

    def agent(self) -> RealAgent:
        """The program behind npm's loader, unpacked once for all tests."""
        agent = real_agent(self.package, self.program)
        with locked("copilot-unpacked"):
            environ = {"PATH": agent.path, "HOME": "/nonexistent", **self._unpacked()}
            run_or_fail([*agent.argv, "--binary-version"], env=environ)
        return agent

    def root(self, agent: RealAgent) -> tuple[str, ...]:
        return (native_binary(agent.argv[0]),)

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        told = by_command(servers, type="local", tools=["*"])
        write_json(at.home / ".copilot/mcp-config.json", {"mcpServers": told})

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "COPILOT_OFFLINE": "true", "COPILOT_MODEL": "scripted",
            "COPILOT_PROVIDER_BASE_URL": f"{at.model}/v1", "COPILOT_PROVIDER_API_KEY": MODEL_KEY,
            "COPILOT_PKG_CACHE_HOME": self._unpacked()["COPILOT_PKG_CACHE_HOME"],
        }  # fmt: skip

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

    def _unpacked(self) -> dict[str, str]:
        folder = cache_dir() / f"copilot-unpacked-{self.package.version}"
        return {"COPILOT_SEA_EXTRACT_ONLY": "1", "COPILOT_PKG_CACHE_HOME": str(folder)}


class GeminiWay(Way):
    package, program = GEMINI, "gemini"
    headless = ("-m", "gemini-2.5-flash", "-p")
    files = ("write_file", "replace", "read_file")
    before = "BeforeTool"
    further = ("BeforeAgent", "AfterTool", "AfterAgent", "SessionEnd")
    names_calls = False
    hook_dies_open = True

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        auth = {"auth": {"selectedType": "gemini-api-key"}}
        told = {"security": auth, "mcpServers": by_command(servers)}
        write_json(at.home / ".gemini/settings.json", told)

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "GEMINI_API_KEY": MODEL_KEY, "GOOGLE_GEMINI_BASE_URL": at.model,
            "GEMINI_CLI_TRUST_WORKSPACE": "true", "GEMINI_TELEMETRY_ENABLED": "false",
        }  # fmt: skip

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


class OpenCodeWay(Way):
    package, program = OPENCODE, "opencode"
    headless = ("run",)
    files = ("write", "edit", "read")
    before = "tool.execute.before"
    further = ("prompt", "tool.execute.after", "tool.execute.error", "session.idle")

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        models = {"scripted": {"name": "scripted", "limit": {"context": 100000, "output": 8000}}}
        write_json(at.home / ".config/opencode/opencode.json", {
            "model": "scripted/scripted", "small_model": "scripted/scripted",
            "provider": {"scripted": {
                "npm": "@ai-sdk/openai-compatible", "name": "scripted", "models": models,
                "options": {"baseURL": f"{at.model}/v1", "apiKey": "{env:SCRIPTED_KEY}"},
            }},
            "mcp": {name: {"type": "local", "command": all_} for name, all_ in servers.items()},
        })  # fmt: skip

    def environ(self, at: Setting) -> dict[str, str]:
        return {"SCRIPTED_KEY": MODEL_KEY}

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


class QwenWay(Way):
    package, program = QWEN, "qwen"
    headless = ("-p",)
    files = ("write_file", "edit", "read_file")
    before = "PreToolUse"
    further = ("UserPromptSubmit", "PostToolUse", "Stop")
    rewrites = False
    hook_dies_open = True

    def root(self, agent: RealAgent) -> tuple[str, ...]:
        program = os.path.join(os.path.dirname(agent.argv[0]), "cli.js")
        return (f"{agent.node_bin}/node", "--expose-gc", program)

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        auth = {"auth": {"selectedType": "openai"}}
        # On pipes it now and then loses what a quick command printed.
        shell = {"shell": {"enableInteractiveShell": True}}
        told = {"security": auth, "mcpServers": by_command(servers), "tools": shell}
        write_json(at.home / ".qwen/settings.json", told)

    def environ(self, at: Setting) -> dict[str, str]:
        return {
            "OPENAI_API_KEY": MODEL_KEY, "OPENAI_BASE_URL": f"{at.model}/v1",
            "OPENAI_MODEL": "scripted", "QWEN_TELEMETRY_ENABLED": "false",
        }  # fmt: skip

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
