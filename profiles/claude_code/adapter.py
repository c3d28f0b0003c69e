"""Claude Code: how it is recognised, launched, and how its hooks speak.

Source: the program itself, 2.1.330, run against a scripted model; code.claude.com/docs/en/hooks.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.claude_code import mcp
from profiles.claude_code.settings import (
    managed,
    read_settings,
    sandbox_setting,
    supervised,
    take_settings,
)
from profiles.environment import HARMLESS, keep
from profiles.files import existing, host_port, install_dir, write_private
from profiles.manifest import older, refuse_options
from profiles.mcp_servers import Overlay
from profiles.supported import Supported
from profiles.toolcalls import (
    Tools,
    absolute,
    aside,
    call_of,
    mapping,
    phase_of,
    text,
    working_directory,
)
from supervisor.errors import LaunchFailed
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

_PHASES = {
    "PreToolUse": "pre",
    "PostToolUse": "post",
    "PostToolUseFailure": "failed",
    "UserPromptSubmit": "prompt",
    "Stop": "turn_end",
    "StopFailure": "turn_end",
    "SubagentStop": "turn_end",
    "Notification": "notice",
    "SessionEnd": "session_end",
}

_NOTICES = {"permission_prompt": "waits", "elicitation_dialog": "waits", "idle_prompt": "idle"}

_TOOLS = Tools(
    {
        "Bash": (ToolKind.SHELL, ""),
        "Read": (ToolKind.READ, "file_path"),
        "NotebookRead": (ToolKind.READ, "notebook_path"),
        "Glob": (ToolKind.READ, "path"),
        "Grep": (ToolKind.READ, "path"),
        "LS": (ToolKind.READ, "path"),
        "Write": (ToolKind.WRITE, "file_path"),
        "Edit": (ToolKind.WRITE, "file_path"),
        "MultiEdit": (ToolKind.WRITE, "file_path"),
        "NotebookEdit": (ToolKind.WRITE, "notebook_path"),
        "WebFetch": (ToolKind.FETCH, ""),
        "Agent": (ToolKind.AGENT, ""),
        "Task": (ToolKind.AGENT, ""),
    },
    searches=frozenset({"Glob", "Grep", "LS"}),
)

_WILDCARD = re.compile(r"[*?\[{]")

_MANAGED = Path("/etc/claude-code/managed-settings.json")

# The native installer keeps each version as one file named by its version.
_VERSIONED = re.compile(r"/claude/versions/(\d+(?:\.\d+)+)$")


class ClaudeCode(Supported):
    """Hooks over HTTP by its root process, blocking when they fail."""

    name = "claude-code"
    call_identity = CallIdentity.CALL

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        path = argv[0]
        return (
            Path(path).name.removesuffix(".exe") in self.manifest.programs
            or "/@anthropic-ai/claude-code" in path
            or _VERSIONED.search(path) is not None
        )

    def version(self, executable: str) -> str:
        real = os.path.realpath(executable)
        if found := _VERSIONED.search(real):
            return found[1]
        try:
            package = json.loads(Path(real).parent.parent.joinpath("package.json").read_text())
            return str(package["version"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        version = self.version(executable)
        if older(version, self.manifest.minimum):
            raise LaunchFailed(
                f"Claude Code {version} goes on when a hook fails, so it cannot be supervised.",
                hint=f"Update it to {self.manifest.minimum} or later.",
            )
        refuse_options(self.manifest, arguments)
        arguments, value = take_settings(arguments)
        own = read_settings(value, request.cwd)
        rest, configs, strict = mcp.take_configs(arguments)
        if not request.contained:
            _refuse_own_sandbox(request)
        task_dir = Path(request.task_dir)
        wrapper = task_dir / "tool-shell"
        # Also in the settings, where it wins over `env` in project and user settings.
        guard = {"CLAUDE_CODE_SHELL_PREFIX": str(wrapper)}
        settings = supervised(
            own, request.hook_url, request.hook_timeout, guard, contained=request.contained
        )
        file = task_dir / "claude-settings.json"
        write_private(wrapper, self._tool_shell(), mode=0o700)
        write_private(file, json.dumps(settings, indent=1))
        machines = task_dir / "claude-managed.json"
        write_private(machines, json.dumps(managed(settings), indent=1))
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep))
        env |= {"HOME": request.home, **self.manifest.set, **guard}
        overlay = Overlay(request, env)
        if not mcp.MANAGED.exists():
            overlay = mcp.behind_gateway(request, env, rest, configs, strict=strict)
            servers = task_dir / "claude-mcp.json"
            write_private(servers, mcp.configuration(overlay))
            arguments = [f"--mcp-config={servers}", "--strict-mcp-config", *rest]
            if overlay.started:
                env |= mcp.waiting(rest)
        return LaunchPlan(
            argv=(executable, "--settings", str(file), *arguments),
            env=env,
            mounts=(
                *self._mounts(request, env),
                *overlay.mounts,
                Mount(str(_MANAGED), source=str(machines), optional=True),
            ),
            mcp=tuple(overlay.told),
            guarded=self._missing(request, env),
            folders=tuple(os.path.join(request.cwd, name) for name in self.manifest.folders),
            model_hosts=self._model_hosts(env, settings),
            agent_sandbox=self.manifest.own_sandbox if request.contained else "off, as you have it",
        )

    def _tool_shell(self) -> str:
        """A wrapper around each tool's shell: the model's log-in stays with the agent."""
        names = " ".join(self.manifest.model_secrets)
        return f'#!/bin/sh\nunset {names}\nexec /bin/bash -c "$1"\n'

    def _mounts(self, request: LaunchRequest, env: Mapping[str, str]) -> tuple[Mount, ...]:
        mounts = [install_dir(request.argv[0], request.home)]
        config = env.get("CLAUDE_CONFIG_DIR")
        if config and os.path.isdir(config):
            mounts.append(Mount(config, writable=True))
        mounts += existing(request.home, self.manifest.writable, writable=True)
        settings = self._settings(request, env)
        mounts += [Mount(path) for path in settings if os.path.lexists(path)]
        return tuple(mounts)

    def _missing(self, request: LaunchRequest, env: Mapping[str, str]) -> tuple[str, ...]:
        settings = self._settings(request, env)
        return tuple(
            path
            for path in settings
            if os.path.isdir(os.path.dirname(path)) and not os.path.lexists(path)
        )

    def _settings(self, request: LaunchRequest, env: Mapping[str, str]) -> list[str]:
        """What the next session would run, in every folder where it may look for its settings."""
        places = [os.path.join(request.home, ".claude"), env.get("CLAUDE_CONFIG_DIR", "")]
        names = [name.removeprefix(".claude/") for name in self.manifest.readable]
        return [os.path.join(place, name) for place in places if place for name in names]

    def _model_hosts(self, env: Mapping[str, str], settings: Mapping[str, Any]) -> tuple[str, ...]:
        url = settings["env"].get("ANTHROPIC_BASE_URL") or env.get("ANTHROPIC_BASE_URL", "")
        own = host_port(url)
        return (own,) if own else self.manifest.model_hosts

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        call = self._call(event) if phase in {"pre", "post", "failed"} else None
        subagent = text(event, "agent_id", required=False)
        if event["hook_event_name"] == "SubagentStop" and not subagent:
            phase = "notice"  # not to be taken for the end of the agent's own turn
        session, notice = text(event, "session_id", required=False), ""
        if event["hook_event_name"] == "Notification":
            notice = _NOTICES.get(text(event, "notification_type", required=False), "")
        spawned = _spawned(event) if call is not None and call.kind is ToolKind.AGENT else ""
        return HookEvent(phase, call, session, subagent, notice, event, spawned=spawned)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "tool_name")
        arguments = mapping(event, "tool_input")
        cwd = working_directory(event)
        kind = _TOOLS.kind(tool)
        if tool.startswith("mcp__"):
            kind = ToolKind.MCP
        elif tool == "Monitor" and "command" in arguments:  # it can also open a web socket
            kind = ToolKind.SHELL
        paths = _TOOLS.paths(tool, arguments, cwd)
        if tool == "Glob":
            # An absolute pattern looks elsewhere than in `path`.
            fixed = _WILDCARD.split(text(arguments, "pattern"), maxsplit=1)[0]
            paths = tuple({*paths, absolute(os.path.dirname(fixed), paths[0])})
        return call_of(event, text(event, "tool_use_id"), tool, kind, cwd, paths)

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        if event.phase in ("post", "failed") and answer.reason:
            return aside(event.raw, answer.reason)
        if event.phase != "pre":
            return b"{}"
        output: dict[str, Any] = {
            "hookEventName": "PreToolUse",
            "permissionDecision": "allow" if answer.allow else "deny",
            "permissionDecisionReason": answer.reason,
        }
        if answer.allow and answer.rewritten is not None:
            output["updatedInput"] = dict(answer.rewritten)
        return json.dumps({"hookSpecificOutput": output}).encode()


def _spawned(event: Mapping[str, Any]) -> str:
    """The subagent that a call of the Agent tool has brought; "" before it is there."""
    response = event.get("tool_response")
    name = response.get("agentId") if isinstance(response, dict) else ""
    return name if isinstance(name, str) else ""


def _refuse_own_sandbox(request: LaunchRequest) -> None:
    """Refuse a start in which no call could be announced.

    With its own sandbox on, Claude Code sends HTTP hooks through that sandbox's proxy, which
    refuses loopback; each tool call would be blocked. To let loopback pass would let its tools
    speak to us in the agent's name.

    Raises:
        LaunchFailed: names the settings file that switches it on.
    """
    config = request.environ.get("CLAUDE_CONFIG_DIR") or os.path.join(request.home, ".claude")
    found = sandbox_setting(
        [
            _MANAGED,
            Path(request.cwd, ".claude/settings.local.json"),
            Path(request.cwd, ".claude/settings.json"),
            Path(config, "settings.json"),
        ]
    )
    if found:
        raise LaunchFailed(
            f"Claude Code's own sandbox ({found}) keeps its hooks from reaching the supervisor.",
            hint="Start without --contain off: taskpass then holds it, and switches its own off. "
            "Where this machine cannot, set sandbox.enabled to false.",
        )
