"""The configuration that a supervised OpenClaw runs with. Pure but for reading the person's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from profiles.files import host_port
from supervisor.ports import LaunchRequest

# Its limit for what a hook may take, in seconds.
_LONGEST = 600


def of_task(
    base: Mapping[str, Any], own: str, plugin: Path, request: LaunchRequest
) -> dict[str, Any]:
    """`base` with our plugin laid over it; lists are joined, not replaced, as OpenClaw does it.

    Args:
        base: the person's configuration, or what includes it from `own`.
    """
    hooks = {"timeouts": {"before_tool_call": min(request.hook_timeout, _LONGEST) * 1000},
             "allowConversationAccess": True}  # fmt: skip
    plugins: dict[str, Any] = {
        "enabled": True,
        "load": {"paths": [str(plugin)]},
        "entries": {"taskpass": {"enabled": True, "hooks": hooks}},
    }
    told = read(own).get("plugins")
    if isinstance(told, dict) and (told.get("allow") or told.get("enabled") is False):
        plugins["allow"] = ["taskpass"]  # ours, and none that the person has not let in
    # It works where the task does; without its files of instructions in there.
    agents = {"defaults": {"workspace": request.cwd, "skipBootstrap": True}}
    merged: dict[str, Any] = _merged(base, {"plugins": plugins, "agents": agents})
    return merged


def read(path: str) -> dict[str, Any]:
    """A configuration, as far as it is JSON; {} for one that is more than that."""
    try:
        told = json.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def own_hosts(path: str) -> tuple[str, ...]:
    """Where the person's providers are, as far as the configuration is JSON."""
    try:
        providers = read(path)["models"]["providers"].values()
        urls = [provider.get("baseUrl") for provider in providers]
    except (KeyError, TypeError, AttributeError):
        return ()
    found = (host_port(url) for url in urls if isinstance(url, str))
    return tuple(dict.fromkeys(host for host in found if host))


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {key: _merged(below[key], above[key]) for key in below if key in above}
        return {**below, **above, **both}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above
