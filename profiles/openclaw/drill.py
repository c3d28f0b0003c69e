"""How the doctor drills OpenClaw. Source: the program itself, 2026.9.6."""

from __future__ import annotations

import json
from typing import Any

from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way


def drill(request: DrillRequest) -> Drill:
    """One turn of `openclaw agent --local` with a call down each path that it has."""
    marks = request.marks
    name, *words = request.server
    known = {
        "id": "drill", "name": "drill", "reasoning": False, "input": ["text"],
        "contextWindow": 128_000, "maxTokens": 8_192,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }  # fmt: skip
    provider = {
        "baseUrl": request.model, "api": "anthropic-messages", "apiKey": "none", "models": [known],
    }  # fmt: skip
    settings = {
        "models": {"providers": {"drill": provider}},
        "agents": {"defaults": {"model": {"primary": "drill/drill"}}},
        "mcp": {"servers": {"drill": {"command": name, "args": words}}},
    }

    def shell(way: Way, **more: Any) -> ToolUse:
        return ToolUse("exec", {"command": f"touch {marks[way]}", **more})

    return Drill(
        api="anthropic",
        arguments=(
            *("agent", "--local", "--agent", "main", "--session-id", "drill"),
            *("--message", request.prompt),
        ),
        environ={"OPENCLAW_OFFLINE": "1"},
        uses={
            Way.SHELL: shell(Way.SHELL),
            Way.FILE: ToolUse("write", {"path": marks[Way.FILE], "content": "a drill\n"}),
            # Its model does not see tools of MCP servers, and calls them through another.
            Way.MCP: ToolUse("tool_call", {"id": "drill__mark", "args": {}}),
            Way.BACKGROUND: shell(Way.BACKGROUND, background=True),
        },
        spawn=None,
        suspects=(
            "look for taskpass in plugins.deny of its configuration, and for a wrapper that starts "
            "openclaw with another OPENCLAW_CONFIG_PATH"
        ),
        untried={Way.SUBAGENT: "without its Gateway, a turn ends before its subagents begin"},
        files={".openclaw/openclaw.json": json.dumps(settings)},
    )
