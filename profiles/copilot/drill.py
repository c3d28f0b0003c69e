"""How the doctor drills Copilot CLI. Source: the program itself, 1.0.102."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from profiles.files import picked
from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way

# Of the person's settings, what could keep its hooks from speaking to us.
_DECIDING = ("disableAllHooks", "disabledHooks")


def drill(request: DrillRequest) -> Drill:
    """One turn of `copilot -p` with a call down each path."""
    marks, environ = request.marks, request.environ
    home = environ.get("HOME", "/")
    person = environ.get("COPILOT_HOME") or os.path.join(home, ".copilot")
    cache = environ.get("XDG_CACHE_HOME") or os.path.join(home, ".cache")
    # Where it has unpacked itself: it would do so again in a home of its own.
    unpacked = environ.get("COPILOT_PKG_CACHE_HOME") or environ.get("COPILOT_CACHE_HOME")
    name, *words = request.server
    server = {"type": "local", "command": name, "args": words, "tools": ["*"]}

    def shell(way: Way, **more: Any) -> ToolUse:
        command = {"command": f"touch {marks[way]}", "description": "a drill"}
        return ToolUse("bash", {**command, **more})

    return Drill(
        api="chat",
        arguments=("-p", request.prompt),
        environ={
            "COPILOT_OFFLINE": "true",
            "COPILOT_MODEL": "drill",
            "COPILOT_PROVIDER_BASE_URL": f"{request.model}/v1",
            "COPILOT_PROVIDER_API_KEY": "none",
            "COPILOT_PKG_CACHE_HOME": unpacked or os.path.join(cache, "copilot"),
        },
        uses={
            Way.SHELL: shell(Way.SHELL),
            Way.FILE: ToolUse("create", {"path": marks[Way.FILE], "file_text": "a drill\n"}),
            Way.MCP: ToolUse("drill-mark", {}),
            Way.BACKGROUND: shell(Way.BACKGROUND, mode="async"),
            Way.SUBAGENT: shell(Way.SUBAGENT),
        },
        spawn=ToolUse(
            "task",
            {"description": "a drill", "prompt": request.errand, "agent_type": "task",
             "name": "drill"},
        ),
        suspects=(
            "look for a wrapper that starts copilot with another COPILOT_HOME or --config-dir, and "
            "for hooks that are switched off by your organisation"
        ),
        files={
            ".copilot/mcp-config.json": json.dumps({"mcpServers": {"drill": server}}),
            ".copilot/settings.json": json.dumps(picked(Path(person, "settings.json"), _DECIDING)),
        },
    )  # fmt: skip
