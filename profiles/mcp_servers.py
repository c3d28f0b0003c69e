"""An agent's own MCP servers, put behind the gateway for one task.

What the agent's configuration says of a server becomes a private file for the gateway; in the
configuration that the agent gets, the gateway's program stands in the server's place. Secrets that
the person wrote into it stay where they are: the server finds the vault's stand-ins instead, where
a credential is bound to the variable.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import supervisor
from profiles.environment import sensitive
from profiles.files import install_dir, write_private
from supervisor.errors import ConfigError, UsageError
from supervisor.gateway import servers
from supervisor.model import McpServer
from supervisor.ports import LaunchRequest, Mount

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-[^}]*)?\}")
_BEARER = re.compile(r"[Bb]earer \$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_PROGRAMS = frozenset({"", "stdio", "local"})
_ADDRESSES = frozenset({"http", "streamable-http"})
_PARTS: Mapping[str, type] = {"args": list, "env": dict, "headers": dict}


@dataclass(frozen=True, slots=True)
class Entry:
    """One server as an agent's configuration has it, whatever the agent calls its parts.

    `variables`: that it gets from the agent's environment besides what every program has.
    """

    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    variables: tuple[str, ...] = ()
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    bearer_token_env_var: str = ""


@dataclass(slots=True)
class Overlay:
    """The servers of one task.

    Attributes:
        expand: `${NAME}` in an entry is a variable, as in Claude Code's.
        required: the agent ends when a server does not start; the gateway then has no tools.
        started: for each server that is behind the gateway, what starts that.
        told: all of them, for the person.
    """

    request: LaunchRequest
    env: Mapping[str, str]  # of the agent
    expand: bool = False
    required: bool = False
    started: dict[str, tuple[str, ...]] = field(default_factory=dict)
    told: list[McpServer] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)

    def leave_out(self, name: str, why: str) -> None:
        self.told.append(McpServer(name, left_out=why))

    def add(self, name: str, entry: Entry) -> None:
        """Put one behind the gateway; one that cannot be is left out, and told."""
        try:
            server, without = self._server(name, entry)
        except UsageError as error:
            self.leave_out(name, error.message)
            return
        file = Path(self.request.task_dir) / "mcp" / f"{server.name}.json"
        told: dict[str, Any] = {
            "server": asdict(server),
            "hook_url": self.request.mcp_url,
            "expand": self.expand,
            "required": self.required,
            "no_proxy": self.request.no_proxy,
        }
        write_private(file, json.dumps(told))
        self.started[name] = (
            sys.executable, "-I", "-m", "supervisor.gateway.serve", str(file),
        )  # fmt: skip
        self.told.append(McpServer(name, without=without))
        self.mounts += [*our_mounts(), *program_mounts(server, self.env, self.request.home)]

    def add_json(self, name: str, entry: Any) -> None:
        """As `add`, from the JSON form that most agents have in common."""
        try:
            self.add(name, _of_json(entry))
        except UsageError as error:
            self.leave_out(name, error.message)

    def _server(self, name: str, entry: Entry) -> tuple[servers.Server, tuple[str, ...]]:
        """The server, and what it is not given. Raises UsageError: says why it cannot be."""
        known = {*self.env, *self.request.lent}
        env, without = {}, {each for each in entry.variables if each not in known}
        for key, value in entry.env.items():
            wanted = set(_REFERENCE.findall(value)) if self.expand else set()
            written = _REFERENCE.sub("", value) if wanted else value  # … and not referred to
            if written and sensitive(key, value):
                without.add(key)
                continue
            without |= {each for each in wanted - known if sensitive(each, "")}
            env[key] = value
        token = entry.bearer_token_env_var
        for header, value in entry.headers.items():
            found = _BEARER.fullmatch(value)
            if header.lower() == "authorization" and found and self.expand:
                token = found[1]
            else:
                without.add(f"header {header}")
        table: dict[str, Any] = {"command": entry.command, "args": list(entry.args), "env": env}
        if entry.url:
            token = token or self._listed(entry.url)
            table = {"url": entry.url, "bearer_token_env_var": token}
            without |= {token} - known - {""}
        without -= set(self.request.lent)
        return servers.checked(called(name), table), tuple(sorted(without))

    def _listed(self, url: str) -> str:
        """The variable of the log-in, where the person has listed the same server for us."""
        try:
            listed = servers.read(servers.place(config_dir(self.request)))
        except ConfigError:
            return ""
        return next((s.bearer_token_env_var for s in listed.values() if s.url == url), "")


def _of_json(entry: Any) -> Entry:
    """Raises UsageError: nothing that the gateway can start or reach."""
    table = entry if isinstance(entry, dict) else {}
    kind = table.get("type", "")
    args, env, headers = (table.get(key) or kind_of() for key, kind_of in _PARTS.items())
    shaped = (
        isinstance(args, list)
        and all(isinstance(each, str) for each in args)
        and all(
            isinstance(part, dict) and all(isinstance(each, str) for each in part.values())
            for part in (env, headers)
        )
    )
    if shaped and kind in _PROGRAMS and isinstance(table.get("command"), str):
        return Entry(command=table["command"], args=tuple(args), env=env)
    if shaped and kind in _ADDRESSES and isinstance(table.get("url"), str):
        return Entry(url=table["url"], headers=headers)
    if kind in ("sse", "ws"):
        raise UsageError(f"it speaks {kind}, which the gateway does not")
    raise UsageError("its entry is not one of a program or an http address")


def called(name: str) -> str:
    """A server's name as it stands in the names of its tools: `mcp__NAME__TOOL`."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def config_dir(request: LaunchRequest) -> str:
    """Our directory of configuration, as the person's own commands find it."""
    named = request.environ.get("XDG_CONFIG_HOME", "")
    base = named if named.startswith("/") else os.path.join(request.home, ".config")
    return os.path.join(base, "taskpass")


def our_mounts() -> tuple[Mount, ...]:
    """Python, the libraries it has for us, and our own packages; they may lie in the home.

    The folder that our packages lie in, and not only they: Python lists it to find them, and in
    tier B what is not shown cannot be listed.
    """
    source = os.path.dirname(os.path.dirname(os.path.abspath(supervisor.__file__)))
    wanted = {os.path.realpath(sys.base_prefix), sys.prefix, source}
    return tuple(Mount(path) for path in sorted(wanted) if not path.startswith("/usr"))


def program_mounts(server: servers.Server, env: Mapping[str, str], home: str) -> tuple[Mount, ...]:
    """The server's program, and its folder, where it does not lie in the system."""
    if not server.command:
        return ()
    folders = [""] if os.path.isabs(server.command) else env.get("PATH", "").split(":")
    for folder in folders:
        path = os.path.join(folder, server.command)
        if os.access(path, os.X_OK):
            places = {path, os.path.realpath(path)}
            return tuple(install_dir(each, home) for each in sorted(places))
    return ()
