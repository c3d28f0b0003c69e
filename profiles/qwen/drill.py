"""How the doctor drills Qwen Code. Source: the program itself, 0.24.4."""

from __future__ import annotations

import json
import os
from pathlib import Path

from profiles.files import picked
from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way

# Of the person's settings, what could keep its hooks from running.
_DECIDING = ("disableAllHooks",)


def drill(request: DrillRequest) -> Drill:
    """One turn of `qwen -p` with a call down each path."""
    marks, environ = request.marks, request.environ
    name, *words = request.server
    own = environ.get("QWEN_HOME") or os.path.join(environ.get("HOME", "/"), ".qwen")
    settings = {
        **picked(Path(own, "settings.json"), _DECIDING),
        "security": {"auth": {"selectedType": "openai"}},
        "mcpServers": {"drill": {"command": name, "args": words}},
    }

    def shell(way: Way, background: bool = False) -> ToolUse:
        told = {"description": "a drill", "is_background": background}
        return ToolUse("run_shell_command", {"command": f"touch {marks[way]}", **told})

    return Drill(
        api="chat",
        arguments=("-p", request.prompt),
        environ={
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"{request.model}/v1",
            "OPENAI_MODEL": "drill",
            "QWEN_TELEMETRY_ENABLED": "false",
        },
        uses={
            Way.SHELL: shell(Way.SHELL),
            Way.FILE: ToolUse("write_file", {"file_path": marks[Way.FILE], "content": "a drill\n"}),
            Way.MCP: ToolUse("mcp__drill__mark", {}),
            Way.BACKGROUND: shell(Way.BACKGROUND, background=True),
            Way.SUBAGENT: shell(Way.SUBAGENT),
        },
        spawn=ToolUse(
            "agent",
            {"description": "a drill", "prompt": request.errand,
             "subagent_type": "general-purpose"},
        ),
        suspects=(
            "look for disableAllHooks in /etc/qwen-code/settings.json, and for a wrapper that "
            "starts qwen with --bare, --safe-mode or another QWEN_HOME"
        ),
        files={".qwen/settings.json": json.dumps(settings)},
    )  # fmt: skip
