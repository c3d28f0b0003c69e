"""OpenClaw and pi, which load a plugin of ours: how tests set up and start each.

Large and slow: only tests marked `full` start them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.agents import OPENCLAW, PI
from tests.support.scripted_model import call
from tests.support.way import MODEL_KEY, NO_SERVERS, Servers, Setting, Way, by_command, write_json

_PATCH = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
_EDIT = [{"oldText": "hello", "newText": "bye"}]
_MODEL = {"id": "scripted", "input": ["text"], "contextWindow": 128000, "maxTokens": 8192}


class OpenClawWay(Way):
    package, program = OPENCLAW, "openclaw"
    headless = ("agent", "--local", "--agent", "main", "--session-id", "s", "--message")
    files = ("write", "edit", "read")
    before, further = "before_tool_call", ("after_tool_call", "agent_end")
    patience = 240.0
    state = (".cache/", ".openclaw/")

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        cost = {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0}
        known = {**_MODEL, "name": "scripted", "reasoning": False, "cost": cost}
        provider = {
            "baseUrl": at.model, "api": "anthropic-messages", "apiKey": MODEL_KEY,
            "models": [known],
        }  # fmt: skip
        write_json(at.home / ".openclaw/openclaw.json", {
            "models": {"providers": {"scripted": provider}},
            "agents": {"defaults": {"model": {"primary": "scripted/scripted"}}},
            **({"mcp": {"servers": by_command(servers)}} if servers else {}),
        })  # fmt: skip

    def environ(self, at: Setting) -> dict[str, str]:
        return {"OPENCLAW_OFFLINE": "1", "OPENAI_API_KEY": MODEL_KEY}

    def shell(self, command: str) -> dict[str, Any]:
        return call("exec", command=command)

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        def inner(tool: str, **arguments: Any) -> dict[str, Any]:
            """Its model does not see these, and calls them through another tool."""
            return call("tool_call", id=tool, args=arguments)

        return {
            "exec": self.shell("echo hello"),
            "read": call("read", path="note.txt"),
            "write": call("write", path="note.txt", content="hello"),
            "edit": call("edit", path="note.txt", edits=_EDIT),
            "apply_patch": call("apply_patch", input=_PATCH),
            "web_fetch": inner("web_fetch", url="https://example.com/page"),
            "sessions_spawn": inner("sessions_spawn", task="look"),
            "mcp": inner("notes__get_note", name="one"),
        }


class PiWay(Way):
    package, program = PI, "pi"
    in_terminal = ("--provider", "scripted", "--model", "scripted")
    headless = (*in_terminal, "-p")
    files = ("write", "edit", "read")
    before, further = "tool_call", ("tool_result", "agent_end")
    state = (".cache/", ".pi/")

    def settle(self, at: Setting, servers: Servers = NO_SERVERS) -> None:
        """It knows no MCP servers."""
        provider = {
            "baseUrl": at.model, "api": "anthropic-messages", "apiKey": "OPENAI_API_KEY",
            "models": [_MODEL],
        }  # fmt: skip
        write_json(at.home / ".pi/agent/models.json", {"providers": {"scripted": provider}})

    def environ(self, at: Setting) -> dict[str, str]:
        return {"PI_OFFLINE": "1", "OPENAI_API_KEY": MODEL_KEY}

    def shell(self, command: str) -> dict[str, Any]:
        return call("bash", command=command)

    def tools(self, folder: Path) -> Mapping[str, dict[str, Any]]:
        return {
            "bash": self.shell("echo hello"),
            "read": call("read", path="note.txt"),
            "write": call("write", path="note.txt", content="hello"),
            "edit": call("edit", path="note.txt", edits=_EDIT),
        }
