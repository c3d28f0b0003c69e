"""The configuration that a supervised OpenClaw runs with. Pure but for reading the person's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from profiles.files import host_port
from profiles.tables import table
from supervisor.ports import LaunchRequest

# Its limit for what a hook may take, in seconds.
_LONGEST = 600


@dataclass(frozen=True, slots=True)
class Own:
    """The person's configuration, read once for a launch.

    Attributes:
        path: where it is, or would be.
        exists: there is one, which may be unreadable: OpenClaw itself says what is wrong with it.
        text: its text.
        told: what it says, as far as it is JSON.
        whole: `told` is all of it: no JSON5, and no other files.
    """

    path: str
    exists: bool = False
    text: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = True


def read(path: str) -> Own:
    """The person's configuration at `path`."""
    exists = os.path.exists(path)
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return Own(path, exists)
    try:
        told = json.loads(text or "{}")
    except ValueError:
        return Own(path, exists, text, whole=False)
    whole = isinstance(told, dict) and "$include" not in text
    return Own(path, exists, text, table(told), whole)


def of_task(
    base: Mapping[str, Any], own: Own, plugin: Path, request: LaunchRequest
) -> dict[str, Any]:
    """`base` with our plugin laid over it; lists are joined, not replaced, as OpenClaw does it.

    Args:
        base: the person's configuration, or what includes it.
    """
    hooks = {"timeouts": {"before_tool_call": min(request.hook_timeout, _LONGEST) * 1000},
             "allowConversationAccess": True}  # fmt: skip
    plugins: dict[str, Any] = {
        "enabled": True,
        "load": {"paths": [str(plugin)]},
        "entries": {"taskpass": {"enabled": True, "hooks": hooks}},
    }
    theirs = table(own.told.get("plugins"))
    if theirs.get("allow") or theirs.get("enabled") is False:
        plugins["allow"] = ["taskpass"]  # ours, and none that the person has not let in
    # It works where the task does; without its files of instructions in there.
    agents = {"defaults": {"workspace": request.cwd, "skipBootstrap": True}}
    merged: dict[str, Any] = _merged(base, {"plugins": plugins, "agents": agents})
    return merged


def own_hosts(own: Own) -> tuple[str, ...]:
    """Where the person's providers are, as far as the configuration is JSON."""
    providers = table(table(own.told.get("models")).get("providers")).values()
    urls = (table(provider).get("baseUrl") for provider in providers)
    found = (host_port(url) for url in urls if isinstance(url, str))
    return tuple(dict.fromkeys(host for host in found if host))


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {key: _merged(below[key], above[key]) for key in below if key in above}
        return {**below, **above, **both}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above
