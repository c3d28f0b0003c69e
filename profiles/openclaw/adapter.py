"""OpenClaw: how it is recognised, launched, and how its plugin speaks.

Source: the program itself, 2026.9.6, run against a scripted model, and its `docs/plugins/hooks`.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import inprocess, nodejs
from profiles.environment import HARMLESS, keep
from profiles.files import existing, tool_shell, write_private
from profiles.openclaw import config, mcp
from profiles.supported import Supported
from profiles.toolcalls import mapping, patched, phase_of, text, working_directory
from supervisor.errors import UsageError
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

_PHASES = {"before_tool_call": "pre", "after_tool_call": "post", "agent_end": "turn_end"}
_FILE_TOOLS = {
    **dict.fromkeys(("read", "ls", "find", "grep"), ToolKind.READ),
    **dict.fromkeys(("write", "edit"), ToolKind.WRITE),
}
# Where a command of `exec` runs here, and not on another machine or in another container.
_HERE = frozenset({"", "auto", "gateway"})
# The way of starting it in which plugins were seen to be asked: the words that have to be there.
_EMBEDDED = frozenset({"agent", "--local"})
_HARMLESS_WORDS = frozenset({"--version", "-V", "-v", "--help", "-h"})


class OpenClaw(Supported):
    """A plugin posts from inside its root process; OpenClaw blocks a call whose plugin fails."""

    name = "openclaw"
    call_identity = CallIdentity.CALL
    servers_below = 2  # a relay, and what that reaps them by

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        return Path(argv[0]).name.removesuffix(".mjs") in self.manifest.programs

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        self.check(self.version(executable), arguments)
        _refuse_other_ways(arguments)
        node = nodejs.runtime(request.environ, self.manifest.title)
        task_dir = Path(request.task_dir)
        plugin, shell = task_dir / "openclaw-plugin", task_dir / "shell" / "bash"
        source = Path(__file__).parent
        sources = [source / n for n in ("plugin.mjs", "package.json", "openclaw.plugin.json")]
        inprocess.install(request, sources, plugin)
        write_private(shell, tool_shell(self.manifest.model_secrets), mode=0o700)
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep))
        state = env.get("OPENCLAW_STATE_DIR") or os.path.join(request.home, ".openclaw")
        path = env.get("OPENCLAW_CONFIG_PATH") or os.path.join(state, "openclaw.json")
        own, ours = config.read(path), task_dir / "openclaw.json"
        overlay, base = mcp.behind_gateway(request, env, own)
        told = config.of_task(base, own, plugin, request)
        write_private(ours, json.dumps(told, indent=1))
        env |= {
            "HOME": request.home,
            **self.manifest.set,
            "SHELL": str(shell),
            "OPENCLAW_STATE_DIR": state,
            "OPENCLAW_CONFIG_PATH": str(ours),
            "OPENCLAW_INCLUDE_ROOTS": os.path.dirname(os.path.realpath(path)),
        }
        settings = [os.path.join(state, name) for name in self.manifest.readable]
        return LaunchPlan(
            argv=(executable, *arguments),
            env=env,
            mounts=(
                *nodejs.mounts(executable, node, request.home),
                *existing("/", [state], writable=True),
                *existing("/", [path], writable=False),
                *(Mount(path) for path in settings if os.path.lexists(path)),
                *overlay.mounts,
            ),
            mcp=tuple(overlay.told),
            guarded=tuple(
                path
                for path in settings
                if os.path.isdir(os.path.dirname(path)) and not os.path.lexists(path)
            ),
            model_hosts=(*config.own_hosts(own), *self.manifest.model_hosts),
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        session = text(event, "session_id", required=False)
        if phase == "turn_end":
            return HookEvent(phase, session_id=session, subagent=_subagent(event), raw=event)
        if phase == "pre":
            return HookEvent(phase, _call(event), session, raw=event)
        ended = ToolCall(
            text(event, "toolCallId"), text(event, "toolName"), ToolKind.OTHER, {}, "/"
        )
        failed = event.get("failed") is True
        return HookEvent("failed" if failed else phase, ended, session, raw=event)

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        return inprocess.rendered(event, answer)

    def with_prefix(self, call: ToolCall, prefix: str) -> Mapping[str, Any]:
        return {**call.arguments, "command": prefix + str(call.arguments.get("command", ""))}


def _call(event: Mapping[str, Any]) -> ToolCall:
    tool = text(event, "toolName")
    arguments = mapping(event, "params")
    cwd = working_directory(event)
    kind, name, command = ToolKind.OTHER, tool, ""
    paths: tuple[str, ...] = ()
    if tool == "exec" and not event.get("toolKind"):  # code mode has a tool of the same name
        if arguments.get("host", "") in _HERE and not arguments.get("node"):
            kind = ToolKind.SHELL
            command = _with_environment(text(arguments, "command"), arguments.get("env"))
            cwd = working_directory({"cwd": arguments.get("workdir", cwd)})
    elif tool in _FILE_TOOLS:
        kind = _FILE_TOOLS[tool]
        paths = (os.path.normpath(working_directory({"cwd": arguments.get("path")})),)
    elif tool == "apply_patch":
        kind, paths = ToolKind.WRITE, patched(text(arguments, "input"), cwd)
    elif tool == "process":  # to look at a running command is one thing, to write to it another
        name = f"process.{text(arguments, 'action')}"
    elif tool == "web_fetch":
        kind = ToolKind.FETCH
    elif tool == "sessions_spawn":
        kind = ToolKind.AGENT
    elif "__" in tool:
        kind, name = ToolKind.MCP, f"mcp__{tool}"
    return ToolCall(
        agent_call_id=text(event, "toolCallId"),
        tool=name,
        kind=kind,
        arguments=arguments,
        cwd=cwd,
        command=command,
        paths=paths,
        url=text(arguments, "url") if kind is ToolKind.FETCH else "",
        subagent=_subagent(event),
    )


def _subagent(event: Mapping[str, Any]) -> str:
    """What OpenClaw calls the subagent that speaks, "" for the agent itself."""
    return text(event, "session_key", required=False).partition(":subagent:")[2]


def _with_environment(command: str, env: Any) -> str:
    """The command as it runs: with the variables that the call sets for it.

    Raises:
        ValueError: they are none.
    """
    if not env:
        return command
    if not isinstance(env, dict) or not all(
        name.isidentifier() and isinstance(value, str) for name, value in env.items()
    ):
        raise ValueError("env is not a map of texts")
    words = (f"{name}={shlex.quote(value)}" for name, value in env.items())
    return f"export {' '.join(words)}\n{command}"


def _refuse_other_ways(arguments: Sequence[str]) -> None:
    """Refuse to start what does its work elsewhere, or does not load plugins that see calls.

    Raises:
        UsageError: names the way that works.
    """
    words = set(arguments)
    if words & _HARMLESS_WORDS:
        return
    position = arguments.index("agent") if "agent" in arguments else -1
    if position >= 0 and arguments[position + 1 : position + 2] == ["exec"]:
        raise UsageError(
            "`openclaw agent exec` does not load the plugin that announces its calls.",
            hint="Use `openclaw agent --local --agent main --message …`.",
        )
    if not words >= _EMBEDDED:
        raise UsageError(
            "Started so, openclaw works in its Gateway, or without what announces its calls.",
            hint="Use `openclaw agent --local --agent main --message …`.",
        )
