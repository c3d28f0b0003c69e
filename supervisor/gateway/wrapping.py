"""An MCP client's own configuration, read so that its servers start behind the gateway. Pure.

The file itself stays as it is: what is made here is printed, for the person to put where they like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.errors import UsageError
from supervisor.gateway.servers import Server, checked

_KINDS = ("mcpServers", "servers")  # most clients', VS Code's


@dataclass(frozen=True, slots=True)
class Wrapped:
    """What became of a configuration.

    Attributes:
        servers: for the person's list.
        config: the configuration that starts them behind the gateway.
        left_out: "SERVER: what", secrets that were in it and are not taken over.
    """

    servers: Mapping[str, Server]
    config: Mapping[str, Any]
    left_out: tuple[str, ...]


def wrap(config: Any, sensitive: Callable[[str, str], bool]) -> Wrapped:
    """All servers of a configuration.

    Args:
        sensitive: whether a variable looks as if it carried a secret.

    Raises:
        UsageError: it is no configuration of MCP servers, or one cannot be taken over.
    """
    kind = next((k for k in _KINDS if isinstance(config, dict) and config.get(k)), "")
    if not kind or not isinstance(config[kind], dict):
        raise UsageError("There are no MCP servers in it.", hint="Give a file with mcpServers.")
    servers: dict[str, Server] = {}
    left_out: list[str] = []
    for name, entry in config[kind].items():
        if not isinstance(entry, dict):
            raise UsageError(f"The server {name} is not a table.")
        env = entry.get("env") or {}
        if not isinstance(env, dict):
            raise UsageError(f"env of {name} is not a table.")
        secret = {key for key, value in env.items() if sensitive(str(key), str(value))}
        left_out += [f"{name}: variable {key}" for key in sorted(secret)]
        left_out += [f"{name}: header {key}" for key in entry.get("headers") or {}]
        table: dict[str, Any] = {}
        if entry.get("command"):
            table["command"], table["args"] = entry["command"], list(entry.get("args") or [])
            table["env"] = {key: value for key, value in env.items() if key not in secret}
        else:
            table["url"] = entry.get("url") or entry.get("serverUrl") or ""
        servers[name] = checked(name, table)
    started = {name: {"command": "taskpass", "args": ["mcp", "serve", name]} for name in servers}
    return Wrapped(servers, {kind: started}, tuple(left_out))
