"""How the doctor drills Gemini CLI. Source: the program itself, 0.61.0."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from profiles.files import picked
from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way

# Of the person's settings, what could keep its hooks from running.
_DECIDING = ("hooksConfig",)


def drill(request: DrillRequest) -> Drill:
    """One turn of `gemini -p` with a call down each path."""
    marks = request.marks
    name, *words = request.server
    own = Path(request.environ.get("HOME", "/"), ".gemini/settings.json")
    settings = {
        **picked(own, _DECIDING),
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "mcpServers": {"drill": {"command": name, "args": words}},
    }

    def shell(way: Way, **more: Any) -> ToolUse:
        command = {"command": f"touch {marks[way]}", "description": "a drill"}
        return ToolUse("run_shell_command", {**command, **more})

    return Drill(
        api="gemini",
        arguments=("-m", "gemini-2.5-flash", "-p", request.prompt),
        environ={
            "GEMINI_API_KEY": "none",
            "GOOGLE_GEMINI_BASE_URL": request.model,
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
            "GEMINI_TELEMETRY_ENABLED": "false",
        },
        uses={
            Way.SHELL: shell(Way.SHELL),
            Way.FILE: ToolUse("write_file", {"file_path": marks[Way.FILE], "content": "a drill\n"}),
            Way.MCP: ToolUse("mcp_drill_mark", {}),
            Way.BACKGROUND: shell(Way.BACKGROUND, is_background=True),
            Way.SUBAGENT: shell(Way.SUBAGENT),
        },
        spawn=ToolUse("invoke_agent", {"agent_name": "generalist", "prompt": request.errand}),
        suspects=(
            "look for hooksConfig in /etc/gemini-cli/settings.json, and for a wrapper that starts "
            "gemini with another GEMINI_CLI_HOME"
        ),
        files={".gemini/settings.json": json.dumps(settings)},
        names_subagents=False,
    )
