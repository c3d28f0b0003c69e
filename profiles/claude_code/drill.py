"""How the doctor drills Claude Code. Source: the program itself, 2.1.330."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from profiles.files import picked
from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way

# Of the person's settings, what could keep its hooks from speaking to us. Nothing else is taken:
# their own hooks and helpers are programs, and `env` may lead elsewhere.
_DECIDING = ("disableAllHooks", "allowedHttpHookUrls", "permissions", "sandbox")


def drill(request: DrillRequest) -> Drill:
    """One turn of `claude -p` with a call down each path."""
    name, *words = request.server
    servers = {"mcpServers": {"drill": {"command": name, "args": words}}}
    marks = request.marks

    def shell(way: Way, **more: Any) -> ToolUse:
        command = {"command": f"touch {marks[way]}", "description": "a drill"}
        return ToolUse("Bash", {**command, **more})

    trusted = {"hasTrustDialogAccepted": True, "hasCompletedProjectOnboarding": True}
    state = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "projects": {request.project: {**trusted, "allowedTools": []}},
    }
    environ = request.environ
    folder = environ.get("CLAUDE_CONFIG_DIR") or os.path.join(environ.get("HOME", "/"), ".claude")
    settings = picked(Path(folder, "settings.json"), _DECIDING)
    return Drill(
        api="anthropic",
        arguments=(
            *("--mcp-config", json.dumps(servers), "--strict-mcp-config"),
            # Its own refusal, which needs nobody, must not stand in for ours.
            *("--allowedTools", "Bash,Write,Agent,mcp__drill__mark"),
            *("-p", request.prompt),
        ),
        environ={
            "ANTHROPIC_BASE_URL": request.model,
            "ANTHROPIC_AUTH_TOKEN": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        uses={
            Way.SHELL: shell(Way.SHELL),
            Way.FILE: ToolUse("Write", {"file_path": marks[Way.FILE], "content": "a drill\n"}),
            Way.MCP: ToolUse("mcp__drill__mark", {}),
            Way.BACKGROUND: shell(Way.BACKGROUND, run_in_background=True),
            Way.SUBAGENT: shell(Way.SUBAGENT),
        },
        spawn=ToolUse(
            "Agent",
            {"description": "a drill", "prompt": request.errand,
             "subagent_type": "general-purpose"},
        ),
        suspects=(
            "look for allowManagedHooksOnly in /etc/claude-code/managed-settings.json, and for a "
            "wrapper that starts claude with --bare, --safe-mode or --settings"
        ),
        files={".claude.json": json.dumps(state), ".claude/settings.json": json.dumps(settings)},
    )  # fmt: skip
