"""How the doctor drills Codex. Source: the program itself, 0.169.0."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from supervisor.ports.drills import Drill, DrillRequest, ToolUse
from supervisor.ports.drills import Path as Way

_PATCH = "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {}\n+a drill\n*** End Patch\nEOF"
# Of the person's configuration, what could keep its hooks from running.
_DECIDING = ("features", "approval_policy", "sandbox_mode")


def drill(request: DrillRequest) -> Drill:
    """One turn of `codex exec` with a call down each path."""
    marks = request.marks
    name, *words = request.server
    config = {
        **_deciding(request.environ),
        "model": "drill",
        "model_provider": "drill",
        "model_providers": {
            "drill": {
                "name": "drill",
                "wire_api": "responses",
                "env_key": "TASKPASS_DRILL_KEY",
                "base_url": f"{request.model}/v1",
                "request_max_retries": 0,
            }
        },
        "mcp_servers": {"drill": {"command": name, "args": words}},
        "projects": {request.project: {"trust_level": "trusted"}},
    }
    # Both would look for their maker's servers.
    config["features"] = {**config.get("features", {}), "plugins": False, "apps": False}

    def shell(command: str, wait: int = 10_000) -> ToolUse:
        return ToolUse("exec_command", {"cmd": command, "yield_time_ms": wait})

    return Drill(
        api="openai",
        arguments=("exec", "--skip-git-repo-check", request.prompt),
        environ={"TASKPASS_DRILL_KEY": "none"},
        uses={
            Way.SHELL: shell(f"touch {marks[Way.SHELL]}"),
            Way.FILE: shell(_PATCH.format(os.path.basename(marks[Way.FILE]))),
            Way.MCP: ToolUse("mcp__drill.mark", {}),
            Way.BACKGROUND: shell(f"sleep 0.3; touch {marks[Way.BACKGROUND]}", 250),
            Way.SUBAGENT: shell(f"touch {marks[Way.SUBAGENT]}"),
        },
        spawn=ToolUse("multi_agent_v1.spawn_agent", {"message": request.errand}),
        suspects=(
            "look for allow_managed_hooks_only in /etc/codex/requirements.toml, and for a wrapper "
            "that starts codex with --disable hooks, --ignore-user-config or a CODEX_HOME"
        ),
        files={".codex/config.toml": tomli_w.dumps(config), ".codex/auth.json": "{}"},
    )


def _deciding(environ: Mapping[str, str]) -> dict[str, Any]:
    folder = environ.get("CODEX_HOME") or os.path.join(environ.get("HOME", "/"), ".codex")
    try:
        own = tomllib.loads(Path(folder, "config.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: own[key] for key in _DECIDING if key in own}
