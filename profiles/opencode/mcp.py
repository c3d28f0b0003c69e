"""The MCP servers that opencode would start, from every place where it looks for them.

Source: the program itself, 1.18.33; opencode.ai/docs/config and /docs/mcp-servers. Settings are
merged part by part, those of OPENCODE_CONFIG_CONTENT last: there each server is replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from profiles.mcp_servers import Entry, Overlay
from profiles.tables import table
from supervisor.errors import UsageError
from supervisor.ports import LaunchRequest

_NAMES = ("opencode.json", "opencode.jsonc")
_PATIENCE = 60_000  # ms: the gateway starts, and then the server
_VARIABLE = re.compile(r"\{env:([A-Za-z_][A-Za-z0-9_]*)\}")
# Texts, which stay; comments, and commas before an end, which go.
_JSONC = re.compile(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)


def behind_gateway(
    request: LaunchRequest, env: Mapping[str, str], texts: Iterable[str]
) -> tuple[Overlay, dict[str, Any]]:
    """The servers, and the `mcp` table that replaces each.

    Args:
        texts: the person's own settings, the weakest first.
    """
    overlay = Overlay(request, env, expand=True)
    found: dict[str, dict[str, Any]] = {}
    for text in (*texts, *_of_project(request.cwd)):
        for name, entry in _servers(text).items():
            found[name] = found.get(name, {}) | entry
    placed: dict[str, Any] = {}
    for name, entry in found.items():
        if entry.get("enabled") is False:
            continue
        try:
            overlay.add(name, _entry(entry))
        except UsageError as error:
            overlay.leave_out(name, error.message)
        if name not in overlay.started:
            placed[name] = {"enabled": False}
            continue
        placed[name] = {
            "type": "local",
            "command": list(overlay.started[name]),
            # The person's would be merged with it: of theirs only what the vault lends is left.
            "environment": {key: f"{{env:{key}}}" for key in table(entry.get("environment"))},
            "enabled": True,
            "timeout": _PATIENCE,
        }
    return overlay, placed


def _entry(entry: Mapping[str, Any]) -> Entry:
    """Raises UsageError: nothing that the gateway can start or reach."""
    command = entry.get("command")
    if entry.get("type") == "local" and isinstance(command, list) and command:
        words = [_put(str(each)) for each in command]
        return Entry(words[0], tuple(words[1:]), _texts(entry.get("environment")))
    if entry.get("type") == "remote" and isinstance(entry.get("url"), str):
        return Entry(url=_put(entry["url"]), headers=_texts(entry.get("headers")))
    raise UsageError("its entry is not one of a program or an address")


def _of_project(cwd: str) -> Iterator[str]:
    """Texts of the settings of the project, the outermost first."""
    folders = []
    for folder in (Path(cwd), *Path(cwd).parents):
        folders.append(folder)
        if (folder / ".git").exists():
            break
    else:
        folders = folders[:1]
    for folder in reversed(folders):
        for file in (*(folder / n for n in _NAMES), *(folder / ".opencode" / n for n in _NAMES)):
            try:
                yield file.read_text("utf-8")
            except (OSError, UnicodeDecodeError):
                continue


def _servers(text: str) -> dict[str, dict[str, Any]]:
    """What cannot be read counts for nothing: opencode itself does not start with it."""
    try:
        settings = json.loads(_JSONC.sub(lambda found: found[1] or "", text or "{}"))
    except ValueError:
        return {}
    servers = table(table(settings).get("mcp"))
    return {name: entry for name, entry in servers.items() if isinstance(entry, dict)}


def _put(text: str) -> str:
    """Its way to name a variable, as the gateway reads it."""
    return _VARIABLE.sub(r"${\1}", text)


def _texts(value: Any) -> dict[str, str]:
    return {key: _put(text) for key, text in table(value).items() if isinstance(text, str)}
