"""Gemini CLI: how it is recognised, launched, and how its hooks speak.

Source: the program itself, 0.61.0, run against a scripted model, and its shipped source.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from profiles import nodejs, private_home
from profiles.environment import HARMLESS, keep
from profiles.files import host_port, write_hook, write_private
from profiles.gemini import config, mcp
from profiles.supported import Supported
from profiles.toolcalls import (
    Tools,
    absolute,
    aside,
    call_of,
    mapping,
    phase_of,
    same_call,
    text,
    working_directory,
)
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest

_PHASES = {
    "BeforeTool": "pre",
    "AfterTool": "post",
    "BeforeAgent": "prompt",
    "AfterAgent": "turn_end",
    "Notification": "notice",
    "SessionEnd": "session_end",
}
_TOOLS = Tools(
    {
        "run_shell_command": (ToolKind.SHELL, ""),
        "read_file": (ToolKind.READ, "file_path"),
        "list_directory": (ToolKind.READ, "dir_path"),
        "glob": (ToolKind.READ, "dir_path"),
        "grep_search": (ToolKind.READ, "dir_path"),
        "write_file": (ToolKind.WRITE, "file_path"),
        "replace": (ToolKind.WRITE, "file_path"),
        "invoke_agent": (ToolKind.AGENT, ""),
    },
    searches=frozenset({"list_directory", "glob", "grep_search"}),
)


class GeminiCli(Supported):
    """Command hooks, each a child of the root process, in the settings of a private home."""

    name = "gemini"
    call_identity = CallIdentity.PROCESS
    hooks_by_child = True

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        self.check(self.version(executable), arguments)
        node = nodejs.runtime(request.environ, self.manifest.title)
        task_dir = Path(os.path.realpath(request.task_dir))
        home, person = task_dir / "gemini-home", os.path.join(request.home, ".gemini")
        script, shell = task_dir / "gemini-hook.sh", task_dir / "gemini-tools.sh"
        found = config.read(person, request.cwd, request.environ)
        config.refuse_other_hooks(found)
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep))
        env |= {
            "HOME": request.home,
            **self.manifest.set,
            "GEMINI_CLI_HOME": str(home),
            "BASH_ENV": str(shell),
        }
        secrets = self.manifest.model_secrets
        overlay, servers, words = mcp.behind_gateway(request, env, found, arguments, secrets)
        table = config.hooks(str(script), request.hook_url, request.hook_timeout)
        told = config.user_settings(found.person.settings, table, servers)
        settings = config.lay_out(home, person, self.manifest.readable, told)
        write_hook(script)
        write_private(shell, config.tools_environment(secrets))
        return LaunchPlan(
            argv=(executable, *private_home.mode(arguments), *words),
            env=env,
            mounts=(
                *private_home.mounts(
                    executable, node, request.home, home, settings, person, self.manifest.readable
                ),
                *overlay.mounts,
            ),
            mcp=tuple(overlay.told),
            model_hosts=self._model_hosts(env),
        )

    def _model_hosts(self, env: Mapping[str, str]) -> tuple[str, ...]:
        own = host_port(env.get("GOOGLE_GEMINI_BASE_URL", ""))
        return (own,) if own else self.manifest.model_hosts

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        call = self._call(event) if phase in {"pre", "post"} else None
        notice = ""
        if event["hook_event_name"] == "Notification":
            asks = text(event, "notification_type", required=False) == "ToolPermission"
            notice = "waits" if asks else ""
        return HookEvent(phase, call, text(event, "session_id", required=False), "", notice, event)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "tool_name")
        arguments = mapping(event, "tool_input")
        cwd = working_directory(event)
        identity = same_call(tool, arguments, "")
        kind = _TOOLS.kind(tool)
        url = ""
        if event.get("mcp_context") is not None:
            context = mapping(event, "mcp_context")
            server, name = text(context, "server_name"), text(context, "tool_name")
            kind, tool = ToolKind.MCP, f"mcp__{mcp.named(server)}__{name}"
        elif tool == "web_fetch":
            # It takes pages out of words; of several none is the one to be judged.
            words = text(arguments, "prompt", required=False).split()
            urls = {word for word in words if "://" in word}
            if len(urls) == 1 and (only := urls.pop()).startswith(("http://", "https://")):
                kind, url = ToolKind.FETCH, only
        elif kind is ToolKind.SHELL and (folder := text(arguments, "dir_path", required=False)):
            cwd = absolute(folder, cwd)
        paths = _TOOLS.paths(tool, arguments, cwd)
        call = call_of(event, identity, tool, kind, cwd, paths, url)
        return replace(call, subagent="", subagent_kind="")  # it has no words for whose it is

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        if event.phase == "post" and answer.reason:
            return aside(event.raw, answer.reason)
        if event.phase != "pre":
            return b"{}"
        if not answer.allow:
            reason = answer.reason.strip() or "This call was refused."
            return json.dumps({"decision": "deny", "reason": reason}).encode()
        output: dict[str, Any] = {"decision": "allow"}
        if answer.rewritten is not None:
            rewritten = {"hookEventName": "BeforeTool", "tool_input": dict(answer.rewritten)}
            output["hookSpecificOutput"] = rewritten
        return json.dumps(output).encode()
