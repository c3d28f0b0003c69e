"""The MCP servers that OpenClaw would start: of the person's configuration.

Source: the program itself, 2026.9.6; its `docs/cli/mcp`. Configurations are merged part by part, so
that ours stands in place of the person's, as one file, where it names servers. One that is more
than a file of JSON is included as ever, and its servers, which we cannot read there, stay away.
Those that plugins bring it starts itself: there only their calls are judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from profiles.mcp_servers import Overlay
from profiles.openclaw.config import Own
from profiles.tables import table
from supervisor.gateway.servers import PASSED
from supervisor.ports import LaunchRequest

# What the person said of a server, and not of how it is started.
_KEPT = ("cwd", "requestTimeoutMs", "toolFilter", "supportsParallelToolCalls", "codex")
_PATIENCE = 60_000  # ms: the gateway starts, and then the server
_SPOKEN = frozenset({"http", "streamable-http"})
_MENTIONS = re.compile(r"\bmcp\b|\$include")
# Its name for all tools of MCP servers: those it does not start then.
_ALL = "bundle-mcp"


def behind_gateway(
    request: LaunchRequest, env: Mapping[str, str], own: Own
) -> tuple[Overlay, dict[str, Any]]:
    """The servers, and what the configuration of the task begins with in place of the person's."""
    overlay = Overlay(request, env, expand=True)
    included = {"$include": [own.path]} if own.exists else {}
    if not own.whole:
        if not _MENTIONS.search(own.text):
            return overlay, included
        overlay.leave_out("mcp.servers", "openclaw.json is more than one file of plain JSON")
        return overlay, {**included, "tools": {"deny": [_ALL]}}
    mcp = table(own.told.get("mcp"))
    servers = table(mcp.get("servers"))
    if not servers:
        return overlay, included
    passed = _passed((*request.leading, *request.lent))
    placed: dict[str, Any] = {}
    for name, entry in servers.items():
        if table(entry).get("enabled") is False:
            placed[name] = entry
            continue
        overlay.add_json(name, _in_common(entry) if isinstance(entry, dict) else entry)
        if name in overlay.started:
            command, *words = overlay.started[name]
            kept = {key: entry[key] for key in _KEPT if key in entry}
            patience = {"connectionTimeoutMs": _PATIENCE}
            placed[name] = {**kept, **patience, "command": command, "args": words, "env": passed}
    return overlay, {**own.told, "mcp": {**mcp, "servers": placed}}


def _passed(names: Iterable[str]) -> dict[str, str]:
    """For OpenClaw gives its servers next to nothing, and nothing at all that leads to a proxy.

    It puts in those with names in capitals alone; the others say the same as theirs.
    """
    known = set(names)
    found = ((name, name.upper()) for name in sorted(known))
    return {f"{PASSED}{name}": f"${{{upper}}}" for name, upper in found if upper in known}


def _in_common(entry: Mapping[str, Any]) -> dict[str, Any]:
    """In the form that most agents have in common."""
    if "url" in entry:
        kind = entry.get("transport") or entry.get("type") or "sse"
        spoken = "http" if kind in _SPOKEN else kind
        return {"type": spoken, "url": entry["url"], "headers": entry.get("headers")}
    return {key: entry[key] for key in ("command", "args", "env") if key in entry}
