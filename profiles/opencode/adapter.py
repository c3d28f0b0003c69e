"""opencode: how it is recognised, launched, and what our plugin in it tells.

Source: the program itself, 1.18.33, run against a scripted model; opencode.ai/docs/plugins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.environment import HARMLESS, keep
from profiles.files import host_port, install_dir, write_private
from profiles.opencode import config, mcp
from profiles.supported import Supported
from profiles.toolcalls import (
    Tools,
    absolute,
    call_of,
    mapping,
    patched,
    phase_of,
    text,
    texts,
    working_directory,
)
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

_PHASES = {
    "tool.execute.before": "pre",
    "tool.execute.after": "post",
    "tool.execute.error": "failed",
    "prompt": "prompt",
    "session.idle": "turn_end",
    "permission.asked": "notice",
}
_TOOLS = Tools(
    {
        "bash": (ToolKind.SHELL, ""),
        "read": (ToolKind.READ, "filePath"),
        "glob": (ToolKind.READ, "path"),
        "grep": (ToolKind.READ, "path"),
        "list": (ToolKind.READ, "path"),
        "write": (ToolKind.WRITE, "filePath"),
        "edit": (ToolKind.WRITE, "filePath"),
        "apply_patch": (ToolKind.WRITE, ""),
        "webfetch": (ToolKind.FETCH, ""),
        "task": (ToolKind.AGENT, ""),
    },
    searches=frozenset({"glob", "grep", "list"}),
)


class OpenCode(Supported):
    """A plugin posts its hooks from the root process, and throws where no answer comes."""

    name = "opencode"
    call_identity = CallIdentity.CALL

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        self.check(self.version(executable), arguments)
        base = Path(request.task_dir, "opencode")
        found = config.places(request.home, request.environ, base)
        own = config.person_texts(found, request.environ)
        keys = config.variables_named(own)
        plugin, shell = base / "plugin.js", base / "bash_env.sh"
        write_private(shell, Path(__file__).with_name("bash_env.sh").read_text("utf-8"))
        config.lay_out(found, (*self.manifest.writable, *self.manifest.readable))
        secrets = (*self.manifest.model_secrets, *keys)
        write_private(plugin, self._plugin(request, found, shell, secrets))
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep, *keys, "OPENCODE_CONFIG"))
        overlay, servers = mcp.behind_gateway(request, env, (*own[1:], own[0]))
        content = request.environ.get("OPENCODE_CONFIG_CONTENT", "")
        settings = config.content(content, str(plugin), servers)
        env |= {
            "HOME": request.home,
            **self.manifest.set,
            **found.private,
            "OPENCODE_CONFIG_CONTENT": settings,
        }
        return LaunchPlan(
            argv=request.argv,
            env=env,
            mounts=(*self._mounts(request, found, base), *overlay.mounts),
            mcp=tuple(overlay.told),
            guarded=config.missing(request.cwd),
            model_hosts=self._model_hosts(own),
        )

    def _plugin(
        self, request: LaunchRequest, found: config.Places, shell: Path, secrets: Sequence[str]
    ) -> str:
        """The plugin's text, with what it has to know of this task."""
        # Its tools see the person's own places, and not the model's log-in.
        environment = {
            variable: request.environ.get(variable) or path for variable, path in found.real.items()
        } | dict.fromkeys(secrets, "")
        settings = {
            "url": request.hook_url,
            "seconds": request.hook_timeout,
            "environment": environment,
            "bash_env": str(shell),
        }
        source = Path(__file__).with_name("plugin.js").read_text("utf-8")
        return source.replace("SETTINGS", json.dumps(settings), 1)

    def _mounts(
        self, request: LaunchRequest, found: config.Places, base: Path
    ) -> tuple[Mount, ...]:
        mounts = [install_dir(request.argv[0], request.home)]
        # State is the agent's to write; its configuration, with our plugin, is not.
        for variable, path in found.private.items():
            mounts.append(Mount(path, writable=variable != "XDG_CONFIG_HOME"))
        for names, writable in ((self.manifest.writable, True), (self.manifest.readable, False)):
            for name in names:
                original = found.original(name)
                if os.path.lexists(original):
                    mounts.append(Mount(original, writable))
        file = request.environ.get("OPENCODE_CONFIG", "")
        if file and os.path.isfile(file):
            mounts.append(Mount(os.path.realpath(file)))
        return tuple(mounts)

    def _model_hosts(self, own: Sequence[str]) -> tuple[str, ...]:
        named = [host for url in config.base_urls(own) if (host := host_port(url))]
        return tuple(dict.fromkeys((*named, *self.manifest.model_hosts)))

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        call = self._call(event) if phase in {"pre", "post", "failed"} else None
        subagent = text(event, "agent_id", required=False)
        session = text(event, "session_id", required=False)
        notice = "waits" if phase == "notice" else ""
        return HookEvent(phase, call, session, subagent, notice, event)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "tool_name")
        arguments = mapping(event, "tool_input")
        cwd = working_directory(event)
        kind = _TOOLS.kind(tool)
        if kind is ToolKind.OTHER and (name := _mcp(tool, texts(event, "mcp_servers"))):
            kind, tool = ToolKind.MCP, name
        if kind is ToolKind.SHELL and (folder := text(arguments, "workdir", required=False)):
            cwd = absolute(folder, cwd)
        paths = _TOOLS.paths(tool, arguments, cwd)
        if tool == "apply_patch":
            paths = patched(text(arguments, "patchText"), cwd)
        return call_of(event, text(event, "tool_use_id"), tool, kind, cwd, paths)

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        if event.phase != "pre":
            return json.dumps({"reason": answer.reason} if answer.reason else {}).encode()
        output: dict[str, Any] = {
            "decision": "allow" if answer.allow else "deny",
            "reason": answer.reason,
        }
        if answer.allow and answer.rewritten is not None:
            output["tool_input"] = dict(answer.rewritten)
        return json.dumps(output).encode()


def _mcp(tool: str, servers: Sequence[str]) -> str:
    """`server_tool` as policies name it, "" when it is of no known server. The longest name wins:
    one server's may begin another's."""
    found = [name for name in servers if name and tool.startswith(f"{name}_")]
    if not found:
        return ""
    server = max(found, key=len)
    return f"mcp__{server}__{tool.removeprefix(server + '_')}"
