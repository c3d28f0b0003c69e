"""Qwen Code: how it is recognised, launched, and how its hooks speak.

Source: the program itself, 0.24.4, run against a scripted model.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import nodejs, private_home
from profiles.environment import HARMLESS, keep
from profiles.files import host_port, write_hook, write_private
from profiles.qwen import config, mcp
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
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

_PHASES = {
    "PreToolUse": "pre",
    "PostToolUse": "post",
    "PostToolUseFailure": "failed",
    "UserPromptSubmit": "prompt",
    "Stop": "turn_end",
    "SubagentStop": "turn_end",
    "Notification": "notice",
    "SessionEnd": "session_end",
}
_NOTICES = {"permission_prompt": "waits", "idle_prompt": "idle"}
_TOOLS = Tools(
    {
        "run_shell_command": (ToolKind.SHELL, ""),
        "read_file": (ToolKind.READ, "file_path"),
        "list_directory": (ToolKind.READ, "path"),
        "glob": (ToolKind.READ, "path"),
        "grep_search": (ToolKind.READ, "path"),
        "write_file": (ToolKind.WRITE, "file_path"),
        "edit": (ToolKind.WRITE, "file_path"),
        "web_fetch": (ToolKind.FETCH, ""),
        "agent": (ToolKind.AGENT, ""),
    },
    searches=frozenset({"list_directory", "glob", "grep_search"}),
)
# Of a command that begins so it runs the rest, unquoted in a way of its own: `bash -c 'git' push`
# is a push to it. What will run is not what is read here, so it is no command to us.
_WRAPPED = re.compile(
    r"\s*((\S+/)?(sh|bash|zsh)\s+-c|cmd\.exe\s+/c|(powershell|pwsh)(\.exe)?\s)", re.IGNORECASE
)


class QwenCode(Supported):
    """Command hooks, each a child of the root process, in a private QWEN_HOME."""

    name = "qwen"
    call_identity = CallIdentity.CALL
    hooks_by_child = True

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        return Path(argv[0]).name == "qwen" or "/@qwen-code/qwen-code/" in argv[0]

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        self.check(self.version(executable), arguments)
        person = request.environ.get("QWEN_HOME") or os.path.join(request.home, ".qwen")
        found = config.read(person, request.cwd)
        config.refuse_without_hooks(found)
        node = nodejs.runtime(request.environ, self.manifest.title)
        task_dir = Path(os.path.realpath(request.task_dir))
        home, script, shell = (
            task_dir / name for name in ("qwen-home", "qwen-hook.sh", "qwen-tools.sh")
        )
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep))
        env |= {
            "HOME": request.home,
            **self.manifest.set,
            "QWEN_HOME": str(home),
            # Each shell of a tool reads it first: the model's log-in stays with the agent, and
            # the shell asks for the call that it was started for.
            "BASH_ENV": str(shell),
        }
        secrets = self.manifest.model_secrets
        overlay, words = mcp.behind_gateway(request, env, found, arguments, secrets)
        table = config.hooks(str(script), request.hook_url, request.hook_timeout)
        told = config.user_settings(found.person.settings, table)
        settings = config.lay_out(home, person, self.manifest.readable, told)
        machines = task_dir / "qwen-system.json"
        ours = config.system_settings(found.machine.settings, table)
        write_private(machines, json.dumps(ours, indent=1))
        write_hook(script)
        write_private(shell, config.tools_environment(secrets))
        return LaunchPlan(
            argv=(*_program(executable, node), *private_home.mode(arguments), *words),
            env=env,
            mounts=(
                *private_home.mounts(
                    executable, node, request.home, home, settings, person, self.manifest.readable
                ),
                *overlay.mounts,
                Mount(str(config.SYSTEM), source=str(machines), optional=True),
            ),
            mcp=tuple(overlay.told),
            model_hosts=self._model_hosts(env),
        )

    def _model_hosts(self, env: Mapping[str, str]) -> tuple[str, ...]:
        own = host_port(env.get("OPENAI_BASE_URL", ""))
        return (own,) if own else self.manifest.model_hosts

    def started_as(self, call: ToolCall) -> tuple[str, ...]:
        return ("bash", "-c", call.command.strip())

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        call = self._call(event) if phase in {"pre", "post", "failed"} else None
        subagent = text(event, "agent_id", required=False)
        if event["hook_event_name"] == "SubagentStop" and not subagent:
            phase = "notice"  # not to be taken for the end of the agent's own turn
        notice = ""
        if event["hook_event_name"] == "Notification":
            notice = _NOTICES.get(text(event, "notification_type", required=False), "")
        session = text(event, "session_id", required=False)
        return HookEvent(phase, call, session, subagent, notice, event)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "tool_name")
        arguments = mapping(event, "tool_input")
        cwd = working_directory(event)
        kind = _TOOLS.kind(tool)
        if tool.startswith("mcp__"):
            kind = ToolKind.MCP
        elif kind is ToolKind.SHELL and (folder := text(arguments, "directory", required=False)):
            cwd = absolute(folder, cwd)
        if kind is ToolKind.SHELL and _WRAPPED.match(text(arguments, "command")):
            kind = ToolKind.OTHER
        paths = _TOOLS.paths(tool, arguments, cwd)
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
        if not answer.allow:
            output["permissionDecisionReason"] = answer.reason.strip() or "This call was refused."
        return json.dumps({"hookSpecificOutput": output}).encode()


def _program(executable: str, node: str) -> tuple[str, ...]:
    """What npm's entry would start as a child: it must itself be the task's root process."""
    real = Path(os.path.realpath(executable))
    if real.name != "cli-entry.js":
        return (executable,)
    return (node, "--expose-gc", str(real.with_name("cli.js")))
