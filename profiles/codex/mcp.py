"""The MCP servers that Codex would start, from the person's configuration and the project's.

Source: the program itself, 0.169.0. A project's `.codex/config.toml` counts where its folder is
trusted, and is merged below the command line: there each of its servers is replaced, since its
file stays as it is.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profiles.mcp_servers import Entry, Overlay
from profiles.tables import table
from supervisor.errors import UsageError
from supervisor.ports import LaunchRequest

# What the person said of a server, and not of how it is started.
_KEPT = (
    "cwd", "enabled", "required", "startup_timeout_sec", "startup_timeout_ms", "tool_timeout_sec",
    "enabled_tools", "disabled_tools",
)  # fmt: skip
_STARTUP = 60  # seconds: the gateway starts, and then the server
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def behind_gateway(
    request: LaunchRequest, env: Mapping[str, str], own: Mapping[str, Any], *, waits: bool
) -> tuple[Overlay, dict[str, Any], list[str]]:
    """The servers, the `mcp_servers` table in their place, and options for those of the project.

    Args:
        waits: there is one turn, which is to have their tools. Codex gives a server one second
            for that, unless it is required.
    """
    overlay = Overlay(request, env, required=waits)
    placed = {
        name: replaced
        for name, entry in table(own.get("mcp_servers")).items()
        if (replaced := _put(overlay, name, entry))
    }
    options: list[str] = []
    for name, entry in _of_project(request.cwd, own).items():
        if name in placed:  # ours stands, and this wins over what the project adds to it
            options += _options(name, placed[name])
        elif (replaced := _put(overlay, name, entry)) and "url" not in table(entry):
            options += _options(name, replaced)
        else:
            overlay.leave_out(name, "the project asks for it; list it in your own config.toml")
            options += ["-c", f"mcp_servers.{name}.enabled=false"]
    return overlay, placed, options


def _put(overlay: Overlay, name: str, entry: Any) -> dict[str, Any]:
    """What starts it behind the gateway; {} where it cannot be."""
    try:
        overlay.add(name, _entry(entry))
    except UsageError as error:
        overlay.leave_out(name, error.message)
    if name not in overlay.started:
        return {}
    command, *arguments = overlay.started[name]
    request = overlay.request
    return {
        "startup_timeout_sec": _STARTUP,
        **({"required": True} if overlay.required else {}),
        **{key: entry[key] for key in _KEPT if key in entry},
        "command": command,
        "args": arguments,
        # Codex gives its servers few variables of its own accord.
        "env_vars": sorted({*request.leading, *request.lent, *_passed(entry)}),
    }


def _entry(entry: Any) -> Entry:
    """Raises UsageError: nothing that the gateway can start or reach."""
    if not isinstance(entry, dict):
        raise UsageError("its entry is not a table")
    headers = {**_texts(entry.get("http_headers")), **_texts(entry.get("env_http_headers"))}
    args = entry.get("args", [])
    if not isinstance(args, list) or not all(isinstance(each, str) for each in args):
        raise UsageError("its args are not a list of texts")
    return Entry(
        command=str(entry.get("command", "")),
        args=tuple(args),
        env=_texts(entry.get("env")),
        variables=_passed(entry),
        url=str(entry.get("url", "")),
        headers=headers,
        bearer_token_env_var=str(entry.get("bearer_token_env_var", "")),
    )


def _passed(entry: Mapping[str, Any]) -> tuple[str, ...]:
    names = entry.get("env_vars", [])
    return tuple(each for each in names if isinstance(each, str)) if isinstance(names, list) else ()


def _of_project(cwd: str, own: Mapping[str, Any]) -> dict[str, Any]:
    """Servers of the configurations of a trusted project, from the outermost to the nearest."""
    found: dict[str, Any] = {}
    projects = table(own.get("projects"))
    folders = [Path(cwd), *Path(cwd).parents]
    trusted = [f for f in folders if table(projects.get(str(f))).get("trust_level") == "trusted"]
    if not trusted:
        return {}
    for folder in reversed(folders[: folders.index(trusted[-1]) + 1]):
        try:
            data = tomllib.loads((folder / ".codex/config.toml").read_text("utf-8"))
        except (OSError, ValueError):
            continue
        found |= {name: e for name, e in table(data.get("mcp_servers")).items() if _bare(name)}
    return found


def _bare(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _options(name: str, entry: Mapping[str, Any]) -> list[str]:
    """The same on the command line, where a value is TOML (of which JSON's texts and lists are)."""
    return [
        part
        for key in ("command", "args", "env_vars", "required")
        if key in entry
        for part in ("-c", f"mcp_servers.{name}.{key}={json.dumps(entry[key])}")
    ]


def _texts(value: Any) -> dict[str, str]:
    return {key: text for key, text in table(value).items() if isinstance(text, str)}
