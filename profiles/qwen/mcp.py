"""The MCP servers that Qwen Code would start, from every place where it looks for them.

Source: the program itself, 0.24.4: the person's settings, the project's `.mcp.json` and settings,
and `--mcp-config`; a later one wins, so that ours is the last. Those of extensions, and of files of
subagents, are not among them: only what we have put behind the gateway is allowed to start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import settings_servers
from profiles.files import read_option, read_settings, write_private
from profiles.mcp_servers import Overlay
from profiles.options import yargs
from profiles.settings_files import Files
from profiles.tables import table
from supervisor.errors import ConfigError
from supervisor.ports import LaunchRequest

_OPTION = "--mcp-config"


def behind_gateway(
    request: LaunchRequest,
    env: Mapping[str, str],
    told: Files,
    arguments: Sequence[str],
    secrets: Sequence[str],
) -> tuple[Overlay, list[str]]:
    """The servers, and the command line that names them; they are written to a file.

    Args:
        told: the settings.
        secrets: variables with the model's log-in, which no server gets.

    Raises:
        ConfigError: what `--mcp-config` says cannot be used.
    """
    overlay = Overlay(request, env, expand=True)
    words, given = yargs(arguments, settings_servers.ALLOWED, several=True)
    words, values = yargs(words, _OPTION)
    own, project = told.person.settings, told.project.settings
    found = settings_servers.servers_of(own) | _shared(request.cwd)
    found |= settings_servers.servers_of(project)
    for value in values:
        said = read_option(value, request.cwd, _OPTION)
        found |= table(said.get("mcpServers", said))
    servers: dict[str, Any] = {}
    for name, entry in settings_servers.wanted(found, (own, project), given).items():
        settings_servers.add(overlay, name, entry, plain_url="sse")
        if name in overlay.started:
            hidden = dict.fromkeys(secrets, "")
            servers[name] = settings_servers.placed(overlay, name, entry, hidden)
    file = Path(request.task_dir) / "qwen-mcp.json"
    write_private(file, json.dumps({"mcpServers": servers}, indent=1))
    # The first takes all words up to the next option.
    return overlay, [settings_servers.only(servers), f"{_OPTION}={file}", *words]


def _shared(cwd: str) -> dict[str, Any]:
    """Servers of `.mcp.json`; of one that cannot be read Qwen Code warns, and goes on without."""
    try:
        return settings_servers.servers_of(read_settings(Path(cwd, ".mcp.json"), "Qwen Code"))
    except ConfigError:
        return {}
