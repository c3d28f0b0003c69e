"""The MCP gateway (`supervisor/gateway`): how it is launched, and how it announces calls.

Its program is ours and is all there is of the agent: what it starts is the one MCP server behind
it, so whatever runs in its task while a call is open belongs to that call.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import supervisor
from profiles.environment import HARMLESS, keep
from profiles.files import install_dir, write_private
from profiles.manifest import load
from profiles.toolcalls import mapping, text, working_directory
from supervisor.errors import UsageError
from supervisor.gateway import servers
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount, Profile

_PHASES = {
    "call": "pre",
    "end": "post",
    "failed": "failed",
    "definitions": "definitions",
    "visitor": "visitor",
}

# Remote clients give up on a call after a minute.
_REMOTE_HOLD = 25.0


class McpGateway(Profile):
    """`taskpass-mcp NAME`: the server NAME of the person's `mcp.toml`."""

    name = "mcp"
    call_identity = CallIdentity.CALL

    def __init__(self) -> None:
        self.manifest = load("mcp_gateway")

    def matches(self, argv: Sequence[str]) -> bool:
        return bool(argv) and Path(argv[0]).name in self.manifest.programs

    def version(self, executable: str) -> str:
        return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        if len(request.argv) not in (2, 3):
            raise UsageError("The gateway serves one MCP server.", hint="Give its name.")
        server = servers.find(servers.place(_config(request)), request.argv[1])
        file = Path(request.task_dir) / "gateway.json"
        told: dict[str, Any] = {"server": asdict(server), "hook_url": request.hook_url}
        if len(request.argv) == 3:  # for a remote client, which a person has to let in first
            told["visitor"] = json.loads(request.argv[2])
        write_private(file, json.dumps(told))
        env = keep(request.environ, HARMLESS) | {"HOME": request.home}
        return LaunchPlan(
            argv=(sys.executable, "-I", "-m", "supervisor.gateway.serve", str(file)),
            env=env,
            alone=True,
            mounts=(*_ours(), *_programs(server, env, request.home)),
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = _PHASES.get(text(event, "hook_event_name"))
        if phase is None:
            raise ValueError("unknown event")
        if phase in ("definitions", "visitor"):
            return HookEvent(phase, raw=event)
        call = text(event, "id")
        if phase != "pre":
            return HookEvent(phase, ToolCall(call, "", ToolKind.MCP, {}, "/"), raw=event)
        tool = text(event, "tool")
        if not tool.startswith("mcp__"):
            raise ValueError("not a tool of an MCP server")
        return HookEvent(
            phase,
            ToolCall(
                agent_call_id=call,
                tool=tool,
                kind=ToolKind.MCP,
                arguments=mapping(event, "arguments"),
                cwd=working_directory(event),
                url=text(event, "url", required=False),
                definition=text(event, "definition", required=False) or "none",
                alone=True,
            ),
            raw=event,
            hold=_REMOTE_HOLD if event.get("remote") else 0.0,
        )

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        return json.dumps(
            {"granted": answer.allow, "reason": answer.reason, "ticket": answer.ticket}
        ).encode()

    def with_prefix(self, call: ToolCall, prefix: str) -> Mapping[str, Any]:
        return {**call.arguments, "command": prefix + call.command}


def _config(request: LaunchRequest) -> str:
    """Our directory of configuration, as the person's own commands find it."""
    named = request.environ.get("XDG_CONFIG_HOME", "")
    base = named if named.startswith("/") else os.path.join(request.home, ".config")
    return os.path.join(base, "taskpass")


def _ours() -> tuple[Mount, ...]:
    """Python, the libraries it has for us, and our own packages; they may lie in the home."""
    source = os.path.dirname(os.path.dirname(os.path.abspath(supervisor.__file__)))
    wanted = {os.path.realpath(sys.base_prefix), sys.prefix}
    wanted |= {os.path.join(source, name) for name in ("supervisor", "profiles")}
    return tuple(Mount(path) for path in sorted(wanted) if not path.startswith("/usr"))


def _programs(server: servers.Server, env: Mapping[str, str], home: str) -> tuple[Mount, ...]:
    """The server's program, and its folder, where it does not lie in the system."""
    if not server.command:
        return ()
    folders = [""] if os.path.isabs(server.command) else env.get("PATH", "").split(":")
    for folder in folders:
        path = os.path.join(folder, server.command)
        if os.access(path, os.X_OK):
            places = {path, os.path.realpath(path)}
            return tuple(install_dir(each, home) for each in sorted(places))
    return ()
