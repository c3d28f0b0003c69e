"""The MCP servers that Claude Code would start, from every place where it looks for them.

Source: the program itself, 2.1.330: `~/.claude.json` (for the person, and for one project), the
project's `.mcp.json`, and `--mcp-config`; a nearer place wins. Servers of plugins are not among
them: `--strict-mcp-config`, by which nothing but ours is started, leaves them out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.files import read_option
from profiles.mcp_servers import Overlay
from profiles.options import commander
from profiles.tables import names, table
from supervisor.ports import LaunchRequest

# With servers of an organisation's own, Claude Code refuses to start with any others.
MANAGED = Path("/etc/claude-code/managed-mcp.json")

_OPTION, _STRICT = "--mcp-config", "--strict-mcp-config"
_PRINT = frozenset({"-p", "--print"})


def take_configs(arguments: Sequence[str]) -> tuple[list[str], list[str], bool]:
    """The command line without `--mcp-config` and `--strict-mcp-config`, and what they said."""
    rest, values = commander(arguments, _OPTION, several=True)
    own = rest[: rest.index("--")] if "--" in rest else rest
    kept = [word for word in own if word != _STRICT]
    return [*kept, *rest[len(own) :]], values, len(kept) < len(own)


def behind_gateway(
    request: LaunchRequest,
    env: Mapping[str, str],
    arguments: Sequence[str],
    values: Sequence[str],
    *,
    strict: bool,
) -> Overlay:
    """All of them, behind the gateway.

    Raises:
        ConfigError: a file that `--mcp-config` names cannot be used.
    """
    overlay = Overlay(request, env, expand=True)
    found: dict[str, Any] = {}
    if not strict:
        state = _state(request, env)
        found |= _servers(state)
        own = _project(state, request.cwd)
        found |= _of_project(request, env, own, overlay, asks=not _PRINT.intersection(arguments))
        found |= _servers(own)
        for name in names(own.get("disabledMcpServers")):
            found.pop(name, None)
    for value in values:
        found |= _servers(read_option(value, request.cwd, _OPTION, needs="mcpServers"))
    for name, entry in found.items():
        overlay.add_json(name, entry)
    return overlay


def configuration(overlay: Overlay) -> str:
    """What Claude Code is given in their place."""
    return json.dumps(
        {
            "mcpServers": {
                name: {"type": "stdio", "command": command, "args": list(arguments)}
                for name, (command, *arguments) in overlay.started.items()
            }
        },
        indent=1,
    )


def waiting(arguments: Sequence[str]) -> dict[str, str]:
    """Without a screen the first turn waits for the servers: there may be no other."""
    return {"MCP_CONNECTION_NONBLOCKING": "false"} if _PRINT.intersection(arguments) else {}


def _state(request: LaunchRequest, env: Mapping[str, str]) -> dict[str, Any]:
    folder = env.get("CLAUDE_CONFIG_DIR") or request.home
    return _json(Path(folder, ".claude.json"))


def _project(state: Mapping[str, Any], cwd: str) -> dict[str, Any]:
    """What the state has of the project: it is known by its folder, or by its repository's."""
    projects = table(state.get("projects"))
    for folder in _upwards(cwd):
        if str(folder) in projects:
            return table(projects[str(folder)])
    return {}


def _of_project(
    request: LaunchRequest,
    env: Mapping[str, str],
    own: Mapping[str, Any],
    overlay: Overlay,
    *,
    asks: bool,
) -> dict[str, Any]:
    """Servers of `.mcp.json`, those that the person has let in.

    Claude Code asks about each, but for `asks` False (without a screen); a project cannot let in
    its own.
    """
    settings = env.get("CLAUDE_CONFIG_DIR") or os.path.join(request.home, ".claude")
    local = _json(Path(request.cwd, ".claude/settings.local.json"))
    told = [own, _json(Path(settings, "settings.json")), local]
    shared = _json(Path(request.cwd, ".claude/settings.json"))
    everything = not asks or any(each.get("enableAllProjectMcpServers") is True for each in told)
    let_in = {name for each in told for name in names(each.get("enabledMcpjsonServers"))}
    refused = {
        name for each in (*told, shared) for name in names(each.get("disabledMcpjsonServers"))
    }
    found: dict[str, Any] = {}
    for folder in reversed(list(_upwards(request.cwd))):
        found |= _servers(_json(folder / ".mcp.json"))
    for name in [name for name in found if name not in refused]:
        if not (everything or name in let_in):
            overlay.leave_out(
                name,
                "the project asks for it, and you have not let it in (enabledMcpjsonServers in "
                ".claude/settings.local.json)",
            )
            refused.add(name)
    return {name: entry for name, entry in found.items() if name not in refused}


def _servers(data: Mapping[str, Any]) -> dict[str, Any]:
    return table(data.get("mcpServers"))


def _upwards(cwd: str) -> Iterator[Path]:
    """The directory and those around it, up to its repository's."""
    for folder in (Path(cwd), *Path(cwd).parents):
        yield folder
        if (folder / ".git").exists():
            return


def _json(file: Path) -> dict[str, Any]:
    """A settings file; what cannot be read counts for nothing, as with Claude Code itself."""
    try:
        return table(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        return {}
