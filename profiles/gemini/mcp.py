"""The MCP servers that Gemini CLI would start: of the person, and of the project.

Source: the program itself, 0.61.0. A project's settings win over the person's, name by name, and
its file stays as it is: so a server that it names is put behind the gateway under another name, and
only what we have put there is allowed to start. Those of extensions are not among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from profiles import settings_servers
from profiles.mcp_servers import Overlay
from profiles.options import yargs
from profiles.settings_files import Files
from supervisor.ports import LaunchRequest

# Not `_`: Gemini takes the name of a server from that of a tool up to the first one.
_STAND_IN = "-taskpass"


def behind_gateway(
    request: LaunchRequest,
    env: Mapping[str, str],
    told: Files,
    arguments: Sequence[str],
    secrets: Sequence[str],
) -> tuple[Overlay, dict[str, Any], list[str]]:
    """The servers, the person's `mcpServers` in their place, and the command line.

    Args:
        told: the settings.
        secrets: variables with the model's log-in, which no server gets.
    """
    overlay = Overlay(request, env, expand=True)
    words, given = yargs(arguments, settings_servers.ALLOWED)
    own, project = told.person.settings, told.project.settings
    theirs = settings_servers.servers_of(project)
    found = settings_servers.servers_of(own) | theirs
    # Gemini gives its servers few variables of its own accord; in settings it puts in any.
    variables = {name: f"${{{name}}}" for name in (*request.leading, *request.lent)}
    variables |= dict.fromkeys(secrets, "")
    servers: dict[str, Any] = {}
    for name, entry in settings_servers.wanted(found, (own, project), given).items():
        settings_servers.add(overlay, name, entry, plain_url="http")
        if name in overlay.started:
            apart = name in theirs or name.endswith(_STAND_IN)
            placed = settings_servers.placed(overlay, name, entry, variables)
            servers[name + _STAND_IN if apart else name] = placed
    return overlay, servers, [settings_servers.only(servers), *words]


def named(server: str) -> str:
    """What the configuration calls a server that Gemini knows as `server`."""
    return server.removesuffix(_STAND_IN)
