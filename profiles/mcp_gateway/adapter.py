"""The MCP gateway (`supervisor/gateway`): how it is launched, and how it announces calls.

Its program is ours and is all there is of the agent: what it starts is the one MCP server behind
it, so whatever runs in its task while a call is open belongs to that call.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from profiles.environment import HARMLESS, keep
from profiles.files import write_private
from profiles.manifest import load
from profiles.mcp_servers import config_dir, our_mounts, program_mounts
from profiles.toolcalls import mapping, phase_of, text, working_directory
from supervisor.errors import UsageError
from supervisor.gateway import servers
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Profile

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
        server = servers.find(servers.place(config_dir(request)), request.argv[1])
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
            mounts=(*our_mounts(), *program_mounts(server, env, request.home)),
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
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
