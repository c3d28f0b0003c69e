"""Tool calls in each agent's own words: the values of a call in that agent's recorded input.

A profile without a form here makes `test_same_decision.py` fail.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from supervisor.model import ToolKind
from tests.support.native import native
from tests.support.sixty_calls import Doing, Edit, Fetch, Mcp, Read, Shell, Spawn, Write

KINDS: Mapping[type[Doing], ToolKind] = {
    Shell: ToolKind.SHELL,
    Read: ToolKind.READ,
    Write: ToolKind.WRITE,
    Edit: ToolKind.WRITE,
    Fetch: ToolKind.FETCH,
    Mcp: ToolKind.MCP,
    Spawn: ToolKind.AGENT,
}
_calls = count(1)


@dataclass(frozen=True, slots=True)
class Said:
    """A call as one agent posts it. `carrier`: the program that stands in for a missing tool."""

    kind: ToolKind  # of what is done, whatever tool does it
    event: str
    body: bytes
    carrier: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """The agent has nothing to say it with: a kind that its manifest tells it has no tool for."""

    kind: ToolKind


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool of an agent.

    Attributes:
        recorded: which of the agent's recorded inputs it is, by its tool.
        arguments: in place of those recorded; the others of them stay.
        fields: the input's other fields that go with it.
        event: what announces it, where that is another than for other tools.
        as_text: whether its arguments are a text of JSON.
    """

    recorded: str
    arguments: Callable[[Any], Mapping[str, Any]]
    fields: Callable[[Any], Mapping[str, Any]] = lambda doing: {}
    event: str = ""
    as_text: bool = False


@dataclass(frozen=True, slots=True)
class Form:
    """One agent's way of saying it.

    Attributes:
        agent: the profile's name.
        program: what the agent is started as, with `options`.
        event: of a call that is to begin.
        holds: the name of the field with the arguments; `call`: of that with the call's id.
        folders: of that with all folders it works in, "" where it has none.
        tiers: of containment, in which it is started at all.
    """

    agent: str
    program: str
    event: str = "PreToolUse"
    tools: Mapping[type[Doing], Tool] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    holds: str = "tool_input"
    call: str = "tool_use_id"
    folders: str = ""
    tiers: tuple[str, ...] = ("A", "B")

    def say(self, doing: Doing, cwd: str) -> Said | Gap:
        """As it would do it: by its own tool, else by a program in its shell, else not at all."""
        kind = KINDS[type(doing)]
        if type(doing) in self.tools:
            event = self.tools[type(doing)].event or self.event
            return Said(kind, event, self._input(doing, cwd))
        stand_in = _in_a_shell(doing)
        if not stand_in or Shell not in self.tools:
            return Gap(kind)
        body = self._input(Shell(stand_in), cwd)
        return Said(kind, self.event, body, stand_in.split()[0])

    def _input(self, doing: Doing, cwd: str) -> bytes:
        tool = self.tools[type(doing)]
        recorded = native(self.agent, f"{tool.event or self.event}-{tool.recorded}")
        told, arguments = recorded.fields(), dict(tool.arguments(doing))
        if not isinstance(doing, Mcp) and self.holds in told:  # those are each server's own
            assert arguments.keys() <= told[self.holds].keys(), (self.agent, tool.recorded)
            arguments = told[self.holds] | arguments
        # Where it has a folder to work in among its arguments, it is the same one.
        arguments |= {name: cwd for name in ("workdir", "cwd") if name in arguments}
        fields: dict[str, Any] = {
            "cwd": cwd,
            self.folders: [cwd],
            self.call: f"call-{next(_calls)}",
        }
        fields[self.holds] = json.dumps(arguments) if tool.as_text else arguments
        fields = {name: value for name, value in fields.items() if name in told}
        return recorded.saying({**fields, **tool.fields(doing)})


def _in_a_shell(doing: Doing) -> str:
    """The command that does it where there is no tool for it; "" for what no program does."""
    match doing:
        case Read(path):
            return f"cat {shlex.quote(path)}"
        case Fetch(url):
            return f"curl {shlex.quote(url)}"
    return ""


def _command(doing: Shell) -> Mapping[str, Any]:
    return {"command": doing.command}


def _written(doing: Write | Edit) -> str:
    """As a patch."""
    if isinstance(doing, Write):
        added = "".join(f"+{line}\n" for line in doing.text.splitlines())
        return f"*** Begin Patch\n*** Add File: {doing.path}\n{added}*** End Patch"
    changed = f"@@\n-{doing.old}\n+{doing.new}\n"
    return f"*** Begin Patch\n*** Update File: {doing.path}\n{changed}*** End Patch"


def _mcp_name(doing: Mcp) -> Mapping[str, Any]:
    return {"tool_name": f"mcp__{doing.server}__{doing.tool}"}


_SHELL = Tool("Bash", _command)
_PATCH = Tool("apply_patch", lambda d: {"command": f"apply_patch <<'EOF'\n{_written(d)}\nEOF"})
_WRITE = Tool("write", lambda d: {"path": d.path, "content": d.text})
_EDIT = Tool(
    "edit", lambda d: {"path": d.path, "edits": [{"oldText": d.old, "newText": d.new}]}
)  # fmt: skip

CLAUDE_CODE = Form(
    "claude-code",
    "claude",
    tools={
        Shell: _SHELL,
        Read: Tool("Read", lambda d: {"file_path": d.path}),
        Write: Tool("Write", lambda d: {"file_path": d.path, "content": d.text}),
        Edit: Tool(
            "Edit", lambda d: {"file_path": d.path, "old_string": d.old, "new_string": d.new}
        ),
        Fetch: Tool("WebFetch", lambda d: {"url": d.url}),
        Mcp: Tool(
            "mcp",
            lambda d: d.arguments,
            lambda d: {**_mcp_name(d), "mcp_server": {"name": d.server, "source": "dynamic"}},
        ),
        Spawn: Tool("Agent", lambda d: {"description": d.errand, "prompt": d.errand}),
    },
)
CODEX = Form(
    "codex",
    "codex",
    tools={
        Shell: _SHELL,
        Write: _PATCH,
        Edit: _PATCH,
        Mcp: Tool("mcp", lambda d: d.arguments, _mcp_name),
        Spawn: Tool("spawn_agent", lambda d: {"message": d.errand}),
    },
)
CURSOR = Form(
    "cursor",
    "cursor-agent",
    event="preToolUse",
    folders="workspace_roots",
    tiers=("A",),  # only there it can be shown hooks that nobody takes away
    tools={
        Shell: Tool("Shell", _command),
        Read: Tool("Read", lambda d: {"file_path": d.path}),
        Write: Tool("Write", lambda d: {"file_path": d.path, "content": d.text}),
        Edit: Tool(
            "StrReplace", lambda d: {"file_path": d.path, "old_string": d.old, "new_string": d.new}
        ),
        Fetch: Tool("Fetch", lambda d: {"url": d.url}),
        Mcp: Tool(
            "mcp",
            lambda d: d.arguments,
            # The same call of the same turn would be the same to us.
            lambda d: {
                "mcp_server_name": d.server,
                "tool_name": d.tool,
                "generation_id": str(next(_calls)),
            },
            event="beforeMCPExecution",
            as_text=True,
        ),
        Spawn: Tool(
            "Task",
            lambda d: {},
            lambda d: {"task": d.errand, "tool_call_id": f"call-{next(_calls)}"},
            event="subagentStart",
        ),
    },
)  # fmt: skip
OPENCODE = Form(
    "opencode",
    "opencode",
    event="tool.execute.before",
    tools={
        Shell: Tool("bash", _command),
        Read: Tool("read", lambda d: {"filePath": d.path}),
        Write: Tool("write", lambda d: {"filePath": d.path, "content": d.text}),
        Edit: Tool("edit", lambda d: {"filePath": d.path, "oldString": d.old, "newString": d.new}),
        Fetch: Tool("webfetch", lambda d: {"url": d.url}),
        Mcp: Tool(
            "mcp",
            lambda d: d.arguments,
            lambda d: {"tool_name": f"{d.server}_{d.tool}", "mcp_servers": [d.server]},
        ),
        Spawn: Tool("task", lambda d: {"description": d.errand, "prompt": d.errand}),
    },
)
OPENCLAW = Form(
    "openclaw",
    "openclaw",
    event="before_tool_call",
    holds="params",
    call="toolCallId",
    options=("agent", "--local", "--message", "go"),
    tools={
        Shell: Tool("exec", _command),
        Read: Tool("read", lambda d: {"path": d.path}),
        Write: _WRITE,
        Edit: _EDIT,
        Fetch: Tool("web_fetch", lambda d: {"url": d.url}),
        Mcp: Tool("mcp", lambda d: d.arguments, lambda d: {"toolName": f"{d.server}__{d.tool}"}),
        Spawn: Tool("sessions_spawn", lambda d: {"task": d.errand}),
    },
)
PI = Form(
    "pi",
    "pi",
    event="tool_call",
    holds="input",
    call="toolCallId",
    tools={
        Shell: Tool("bash", _command),
        Read: Tool("read", lambda d: {"path": d.path}),
        Write: _WRITE,
        Edit: _EDIT,
    },
)
COPILOT = Form(
    "copilot",
    "copilot",
    tools={
        Shell: Tool("bash", _command),
        Read: Tool("view", lambda d: {"path": d.path}),
        Write: Tool("create", lambda d: {"path": d.path, "file_text": d.text}),
        Edit: Tool("edit", lambda d: {"path": d.path, "old_str": d.old, "new_str": d.new}),
        Fetch: Tool("web_fetch", lambda d: {"url": d.url}),
        Mcp: Tool("mcp", lambda d: d.arguments, lambda d: {"tool_name": f"{d.server}-{d.tool}"}),
        Spawn: Tool("task", lambda d: {"description": d.errand, "prompt": d.errand}),
    },
)

GEMINI = Form(
    "gemini",
    "gemini",
    event="BeforeTool",
    tools={
        Shell: Tool("run_shell_command", _command),
        Read: Tool("read_file", lambda d: {"file_path": d.path}),
        Write: Tool("write_file", lambda d: {"file_path": d.path, "content": d.text}),
        Edit: Tool(
            "replace",
            lambda d: {"file_path": d.path, "old_string": d.old, "new_string": d.new},
        ),
        Fetch: Tool("web_fetch", lambda d: {"prompt": f"What does {d.url} say?"}),
        Mcp: Tool(
            "mcp",
            lambda d: d.arguments,
            lambda d: {"mcp_context": {"server_name": d.server, "tool_name": d.tool}},
        ),
        Spawn: Tool("invoke_agent", lambda d: {"agent_name": "generalist", "prompt": d.errand}),
    },
)

QWEN = Form(
    "qwen",
    "qwen",
    tools={
        Shell: Tool("run_shell_command", _command),
        Read: Tool("read_file", lambda d: {"file_path": d.path}),
        Write: Tool("write_file", lambda d: {"file_path": d.path, "content": d.text}),
        Edit: Tool(
            "edit",
            lambda d: {"file_path": d.path, "old_string": d.old, "new_string": d.new},
        ),
        Fetch: Tool("web_fetch", lambda d: {"url": d.url}),
        Mcp: Tool("mcp", lambda d: d.arguments, _mcp_name),
        Spawn: Tool("agent", lambda d: {"description": d.errand, "prompt": d.errand}),
    },
)


def _diff(path: str, old: str | None, new: str) -> Mapping[str, Any]:
    shown = {"type": "diff", "path": path, "oldText": old, "newText": new}
    return {"content": [shown], "locations": [{"path": path}]}


ACP = Form(
    "acp",
    "any-acp-agent",
    event="request_permission",
    holds="toolCall",
    tools={
        Shell: Tool("execute", lambda d: {"rawInput": {"command": d.command}}),
        Read: Tool(
            "read", lambda d: {"rawInput": {"path": d.path}, "locations": [{"path": d.path}]}
        ),
        Write: Tool("edit", lambda d: _diff(d.path, None, d.text)),
        Edit: Tool("edit", lambda d: _diff(d.path, d.old, d.new)),
        Fetch: Tool("fetch", lambda d: {"rawInput": {"url": d.url}}),
    },
)
DEMO = Form("demo", "taskpass-demo-agent", tools={Shell: _SHELL})
# Our own program announces the calls of its client: one server's tools, and nothing else.
GATEWAY = Form(
    "mcp",
    "taskpass-mcp",
    event="call",
    holds="arguments",
    call="id",
    options=("tracker",),
    tools={Mcp: Tool("mcp", lambda d: d.arguments, lambda d: {"tool": _mcp_name(d)["tool_name"]})},
)
# It comes in through the gateway, which announces its calls; nothing of it is started.
CHATGPT = replace(GATEWAY, agent="chatgpt", tiers=())
# These announce nothing.
SANDBOX = Form("sandbox", "taskpass-sandbox")
GENERIC = Form("generic", "any-program")

FORMS = (
    CLAUDE_CODE, CODEX, CURSOR, OPENCODE, COPILOT, GEMINI, OPENCLAW, PI, QWEN, ACP, DEMO,
    GATEWAY,
    CHATGPT, SANDBOX, GENERIC,
)  # fmt: skip


def client_lines(doings: Iterable[Doing]) -> tuple[str, ...]:
    """What an MCP client sends the gateway to have these done: a greeting, then the calls."""
    call = native("mcp", "tools-call")
    params: dict[str, Any] = call.fields()["params"]
    told = (
        {"id": number, "params": {**params, "name": doing.tool, "arguments": dict(doing.arguments)}}
        for number, doing in enumerate(doings, 2)
        if isinstance(doing, Mcp)
    )
    return (native("mcp", "server-discover").body, *(call.saying(each).decode() for each in told))
