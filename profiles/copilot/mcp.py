"""The MCP servers that Copilot CLI would start: of the person, and of its command line.

Source: the program itself, 1.0.102: `mcp-config.json` in its home, and `--additional-mcp-config`.
A project's own, and those built in, it starts itself: there only their calls are judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.mcp_servers import Overlay
from supervisor.errors import ConfigError
from supervisor.ports import LaunchRequest

FILE = "mcp-config.json"
OPTION = "--additional-mcp-config"
# What the person said of a server, and not of how it is started.
_KEPT = ("tools", "timeout")


def behind_gateway(
    request: LaunchRequest, env: Mapping[str, str], person: Path, values: Sequence[str]
) -> tuple[Overlay, str]:
    """The servers, and the text of `mcp-config.json` in their place.

    Args:
        person: the home that they have for it.

    Raises:
        ConfigError: a configuration cannot be used.
    """
    overlay = Overlay(request, env, expand=True)
    found = _servers(person / FILE, "") if (person / FILE).exists() else {}
    for value in values:
        if value.startswith("@"):
            name = value[1:].replace("~", request.home, 1) if value[1:2] == "~" else value[1:]
            found |= _servers(Path(request.cwd, name), "")
        else:
            found |= _servers(Path(OPTION), value)
    placed: dict[str, Any] = {}
    for name, entry in found.items():
        overlay.add_json(name, entry)
        if name in overlay.started:
            command, *words = overlay.started[name]
            kept = {key: entry[key] for key in _KEPT if key in entry}
            placed[name] = {"type": "local", "tools": ["*"], **kept, "command": command}
            placed[name]["args"] = words
    return overlay, json.dumps({"mcpServers": placed}, indent=1)


def _servers(file: Path, text: str) -> dict[str, Any]:
    """Of a file, or of what stands in its place on the command line. Raises ConfigError."""
    try:
        data = json.loads(text or file.read_text("utf-8"))
        servers = data["mcpServers"]
        if not isinstance(servers, dict):
            raise ValueError("mcpServers is not an object")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{file}: it holds no MCP servers that can be used ({error}).",
            hint="Correct it; Copilot itself needs it too.",
        ) from error
    return servers
