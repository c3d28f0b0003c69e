"""MCP servers as the settings of Gemini CLI and its kin name them, put behind the gateway.

Both start only those that `--allowed-mcp-server-names` names, whatever settings, extensions and
subagents say: with ours alone in it, nothing starts past the gateway, and what is written into
settings in mid-session starts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from profiles.mcp_servers import Overlay
from profiles.tables import names, table
from supervisor.gateway.servers import RESERVED

ALLOWED = "--allowed-mcp-server-names"
# What the person said of a server, and not of how it is started.
_KEPT = ("cwd", "timeout", "trust", "description", "includeTools", "excludeTools")
_PLAIN = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")
# Of others the option would make a pattern, or several names.
_NAME = re.compile(r"[^,*?\[\]{}()!|]+")


def servers_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The servers that a settings file names."""
    return table(settings.get("mcpServers"))


def wanted(
    found: Mapping[str, Any], settings: Iterable[Mapping[str, Any]], given: Sequence[str]
) -> dict[str, Any]:
    """Those that the agent itself would start.

    Args:
        settings: all of them; each may list names under `mcp.allowed` and `mcp.excluded`.
        given: values of `--allowed-mcp-server-names`, which win over settings.
    """
    if given:
        lists, excluded = [_listed([n for value in given for n in value.split(",")])], []
    else:
        tables = [table(each.get("mcp")) for each in settings]
        lists = [_listed(each["allowed"]) for each in tables if "allowed" in each]
        excluded = [name for each in tables for name in _listed(each.get("excluded"))]
    return {
        name: entry
        for name, entry in found.items()
        if all(_matches(name, each) for each in lists) and not _matches(name, excluded)
    }


def add(overlay: Overlay, name: str, entry: Any, *, plain_url: str) -> None:
    """Put one behind the gateway. `plain_url`: what is spoken at an address without a type."""
    if not _NAME.fullmatch(name):
        overlay.leave_out(name, "its name is one for several servers")
        return
    overlay.add_json(name, _in_common(entry, plain_url) if isinstance(entry, dict) else entry)


def placed(overlay: Overlay, name: str, entry: Any, env: Mapping[str, str]) -> dict[str, Any]:
    """What starts it in its place. `env`: besides what the agent gives to its servers."""
    command, *words = overlay.started[name]
    kept = {key: entry[key] for key in _KEPT if key in entry}
    return {**kept, "command": command, "args": words, "env": dict(env)}


def only(names: Iterable[str]) -> str:
    """The option by which these are started, and no others. None of a server is one too."""
    return f"{ALLOWED}={','.join(names) or RESERVED}"


def _in_common(entry: Mapping[str, Any], plain_url: str) -> dict[str, Any]:
    """In the form that most agents have in common, `$NAME` as `${NAME}`."""
    address = entry.get("httpUrl") or entry.get("url")
    if isinstance(address, str) and not entry.get("command"):
        kind = "http" if entry.get("httpUrl") else entry.get("type") or plain_url
        return {"type": kind, "url": _put(address), "headers": _texts(entry.get("headers"))}
    common = {key: entry[key] for key in ("command", "args") if key in entry}
    if isinstance(common.get("command"), str):
        common["command"] = _put(common["command"])
    if isinstance(common.get("args"), list):
        common["args"] = [_put(e) if isinstance(e, str) else e for e in common["args"]]
    return {**common, "env": _texts(entry.get("env"))}


def _texts(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: _put(text) if isinstance(text, str) else text for key, text in value.items()}


def _put(text: str) -> str:
    """Their way to name a variable, as the gateway reads it."""
    return _PLAIN.sub(r"${\1}", text)


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, each) for each in patterns)


def _listed(value: Any) -> list[str]:
    return [bare for name in names(value) if (bare := name.strip())]
