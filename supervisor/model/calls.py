"""Calls, what they would do, and what policy says to that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supervisor.model.identity import CallIdentity, Process


class ToolKind(StrEnum):
    """What an agent's tool is, after normalisation by its profile."""

    SHELL = "shell"
    READ = "read"
    WRITE = "write"
    FETCH = "fetch"
    MCP = "mcp"
    AGENT = "agent"  # spawns a subagent
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as its profile normalised it. `arguments` is what the agent asked for, verbatim."""

    agent_call_id: str  # the agent's own id ("" where it has none)
    tool: str  # the agent's own name for the tool
    kind: ToolKind
    arguments: Mapping[str, Any]
    cwd: str
    command: str = ""  # shell text, for ToolKind.SHELL
    paths: tuple[str, ...] = ()  # files named by a file tool, absolute
    url: str = ""  # of a fetch, or of the MCP server that is asked
    subagent: str = ""  # claim, from the agent: never authority
    subagent_kind: str = ""  # … what it is called
    note: str = ""  # the agent's own words about the call: untrusted
    definition: str = ""  # digest of the tool's definition, "" where nobody pins it
    # All that runs in its task while it is open is for it (the gateway's calls, one at a time).
    alone: bool = False

    @property
    def name(self) -> str:
        """As policy says it: the agent's name for the tool in lower case, `bash` for any shell."""
        return "bash" if self.kind is ToolKind.SHELL else self.tool.lower()

    @property
    def method(self) -> bool:
        """Whether it is no tool but one of the MCP protocol's own requests: `mcp__notes__@…`."""
        name = self.tool.removeprefix("mcp__").partition("__")[2]
        return self.kind is ToolKind.MCP and name.startswith("@")


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server that an agent is configured with, as its task has it: behind the gateway."""

    name: str
    without: tuple[str, ...] = ()  # variables and headers with a secret, which it was not given
    left_out: str = ""  # why it is not there at all; "" where it is


class Verb(StrEnum):
    """The typed effects policy decides about; each is a Cedar action of the same name."""

    RUN = "run"  # resource: program
    READ = "read"  # resource: path
    WRITE = "write"  # resource: path
    DELETE = "delete"  # resource: path
    CONNECT = "connect"  # resource: host:port, no request seen
    HTTP = "http"  # resource: host; attributes method, path
    PUSH = "push"  # resource: "REMOTE REF"
    SQL = "sql"  # resource: database
    INSTALL = "install"  # resource: package manager
    OPERATE = "operate"  # resource: "SYSTEM OPERATION" on a live system that others share
    MCP = "mcp"  # resource: server.tool
    SPAWN = "spawn"  # resource: subagent
    OTHER = "other"  # resource: tool name


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


AS_WEBSOCKET = " as a WebSocket"  # at the end of a request's label


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing a call or a use would do."""

    verb: Verb
    resource: str
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)

    @property
    def label(self) -> str:
        method = self.attributes.get("method")
        if self.verb is Verb.HTTP:
            label = f"{method} {self.resource}{self.attributes.get('path', '')}"
            if self.attributes.get("websocket"):
                return label + AS_WEBSOCKET
            if graphql := self.attributes.get("graphql"):
                label += f" {graphql} {str(self.attributes.get('fields', '')).strip()}".rstrip()
            return label
        return f"{self.verb} {self.resource}"


class Outcome(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy said, and by which rules."""

    outcome: Outcome
    reason: str
    policies: tuple[str, ...] = ()  # ids, as written in @id
    hint: str = ""  # the way that works, for a denial
    risk: Risk = Risk.LOW
    about: tuple[Effect, ...] = ()  # the effects that asked, or the one that was denied
    lease: bool = True  # False: it may run, but a use under it has to ask first


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, from announcement to settlement."""

    id: str
    task: str
    epoch: int
    tool_call: ToolCall
    call_hash: str
    effects: tuple[Effect, ...]
    decision: Decision
    opened: float
    identity: CallIdentity
    root: Process | None = None  # the process tree it may use credentials from


@dataclass(frozen=True, slots=True)
class FileDoor:
    """Something outside a task's container that one call may reach."""

    path: str  # where the call looks for it
    source: str  # its real path: the same where no link leads there
    write: bool = False
