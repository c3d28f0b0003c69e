"""How the doctor drills opencode. Source: the program itself, 1.18.33."""

from __future__ import annotations

import json

from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way


def drill(request: DrillRequest) -> Drill:
    """One turn of `opencode run` with a call down each path that it has."""
    marks = request.marks
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "drill",
        "models": {"drill": {"name": "drill", "limit": {"context": 100_000, "output": 8_000}}},
        "options": {"baseURL": f"{request.model}/v1", "apiKey": "none"},
    }
    settings = {
        "model": "drill/drill",
        "small_model": "drill/drill",
        "provider": {"drill": provider},
        "mcp": {"drill": {"type": "local", "command": list(request.server)}},
    }

    def shell(way: Way) -> ToolUse:
        return ToolUse("bash", {"command": f"touch {marks[way]}", "description": "a drill"})

    return Drill(
        api="chat",
        arguments=("run", request.prompt),
        environ={"OPENCODE_CONFIG_CONTENT": json.dumps(settings)},
        uses={
            Way.SHELL: shell(Way.SHELL),
            Way.FILE: ToolUse("write", {"filePath": marks[Way.FILE], "content": "a drill\n"}),
            Way.MCP: ToolUse("drill_mark", {}),
            Way.SUBAGENT: shell(Way.SUBAGENT),
        },
        spawn=ToolUse(
            "task",
            {"description": "a drill", "prompt": request.errand, "subagent_type": "general"},
        ),
        suspects=(
            "look for a wrapper that starts opencode with --pure, OPENCODE_PURE or without "
            "OPENCODE_CONFIG_CONTENT"
        ),
        untried={Way.BACKGROUND: "its shell has no background"},
    )
