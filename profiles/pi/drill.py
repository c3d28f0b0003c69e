"""How the doctor drills pi. Source: the program itself, 0.73.1."""

from __future__ import annotations

import json

from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way


def drill(request: DrillRequest) -> Drill:
    """One turn of `pi -p` with a call down each path that it has."""
    marks = request.marks
    known = {"id": "drill", "input": ["text"], "contextWindow": 128_000, "maxTokens": 8_192}
    provider = {
        "baseUrl": request.model,
        "api": "anthropic-messages",
        "apiKey": "none",
        "models": [known],
    }
    return Drill(
        api="anthropic",
        arguments=("--provider", "drill", "--model", "drill", "-p", request.prompt),
        environ={"PI_OFFLINE": "1"},
        uses={
            Way.SHELL: ToolUse("bash", {"command": f"touch {marks[Way.SHELL]}"}),
            Way.FILE: ToolUse("write", {"path": marks[Way.FILE], "content": "a drill\n"}),
        },
        spawn=None,
        suspects="look for a wrapper that starts pi without the --extension that it is given",
        files={".pi/agent/models.json": json.dumps({"providers": {"drill": provider}})},
        untried={
            Way.MCP: "it has no MCP servers",
            Way.BACKGROUND: "its shell has no background",
            Way.SUBAGENT: "it has no subagents",
        },
    )
