"""Copilot CLI: how it is recognised, launched, and how its hooks speak.

Source: the program itself, 1.0.102, run against a scripted model; docs.github.com, Copilot CLI
hooks reference.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles.copilot import config, mcp
from profiles.environment import HARMLESS, keep
from profiles.files import host_port, install_dir, package_version, write_private
from profiles.options import commander
from profiles.supported import Supported
from profiles.toolcalls import (
    Tools,
    call_of,
    mapping,
    phase_of,
    same_call,
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
    "SubagentStop": "notice",  # the subagent's own Stop has come already
    "Notification": "notice",
    "SessionEnd": "session_end",
}
_NOTICES = {"permission_prompt": "waits", "elicitation_dialog": "waits", "agent_idle": "idle"}
# Its hooks call some by the names that other agents have for them.
_TOOLS = Tools(
    {
        "Bash": (ToolKind.SHELL, ""),
        "Read": (ToolKind.READ, "path"),
        "Grep": (ToolKind.READ, "path"),
        "Glob": (ToolKind.READ, "path"),
        "Write": (ToolKind.WRITE, "path"),
        "Edit": (ToolKind.WRITE, "path"),
        "WebFetch": (ToolKind.FETCH, ""),
        "Agent": (ToolKind.AGENT, ""),
    },
    searches=frozenset({"Grep", "Glob"}),
)
# The server that it brings along.
_ITS_OWN = "github-mcp-server-"


class Copilot(Supported):
    """Hooks over HTTP by its root process, which deny when they fail."""

    name = "copilot"
    call_identity = CallIdentity.PROCESS

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        path = argv[0]
        return Path(path).name in self.manifest.programs or "/@github/copilot" in path

    def version(self, executable: str) -> str:
        return package_version(native_binary(executable))

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, arguments = native_binary(request.argv[0]), request.argv[1:]
        version = package_version(executable)
        self.check(version, arguments)
        words, configs = commander(arguments, mcp.OPTION)
        environ = request.environ
        person = Path(environ.get("COPILOT_HOME") or os.path.join(request.home, ".copilot"))
        home = Path(request.task_dir) / "copilot-home"
        table = config.hooks(request.hook_url, request.hook_timeout)
        config.lay_out(home, person, self.manifest.readable, table)
        env = keep(environ, (*HARMLESS, *self.manifest.keep))
        env |= {"HOME": request.home, **self.manifest.set, "COPILOT_HOME": str(home)}
        overlay, servers = mcp.behind_gateway(request, env, person, configs)
        write_private(home / mcp.FILE, servers)
        mounts = [
            install_dir(executable, request.home),
            # State is the agent's to write, what its hooks are is not.
            Mount(str(home), writable=True),
            Mount(str(home / "hooks")),
            Mount(str(home / mcp.FILE)),
            *overlay.mounts,
        ]
        if version:  # of one that did not come from npm we do not know what it unpacks
            base = config.unpacked(environ, request.home, version, packages_platform())
            env["COPILOT_PKG_CACHE_HOME"] = str(base)
            mounts.append(Mount(str(base)))
        mounts += [
            Mount(str(person / name)) for name in self.manifest.readable if (person / name).is_dir()
        ]
        return LaunchPlan(
            argv=(executable, "--secret-env-vars=" + ",".join(self._secrets()), *words),
            env=env,
            mounts=tuple(mounts),
            mcp=tuple(overlay.told),
            model_hosts=self._model_hosts(environ),
        )

    def _secrets(self) -> tuple[str, ...]:
        """Variables that it leaves out of its tools' environment."""
        return self.manifest.model_secrets

    def _model_hosts(self, environ: Mapping[str, str]) -> tuple[str, ...]:
        own = host_port(environ.get("COPILOT_PROVIDER_BASE_URL", ""))
        return (own,) if own else self.manifest.model_hosts

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        call = self._call(event) if phase in {"pre", "post", "failed"} else None
        subagent = text(event, "agent_id", required=False)
        session = text(event, "session_id", required=False)
        notice = ""
        if event["hook_event_name"] == "Notification":
            notice = _NOTICES.get(text(event, "notification_type", required=False), "")
        return HookEvent(phase, call, session, subagent, notice, event)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "tool_name")
        arguments = mapping(event, "tool_input")
        cwd = working_directory(event)
        subagent = text(event, "agent_id", required=False)
        identity = same_call(tool, arguments, subagent)
        kind = _TOOLS.kind(tool)
        if "-" in tool.strip("-"):  # none of its own has one
            kind, tool = ToolKind.MCP, _mcp(tool)
        paths = _TOOLS.paths(tool, arguments, cwd)
        return call_of(event, identity, tool, kind, cwd, paths)

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        if event.phase in ("post", "failed") and answer.reason:
            return json.dumps({"additionalContext": answer.reason}).encode()
        if event.phase != "pre":
            return b"{}"
        output: dict[str, Any] = {
            "permissionDecision": "allow" if answer.allow else "deny",
            "permissionDecisionReason": answer.reason or "This call was refused.",
        }
        if answer.allow:
            output["permissionDecisionReason"] = answer.reason
            if answer.rewritten is not None:
                output["modifiedArgs"] = dict(answer.rewritten)
        return json.dumps(output).encode()


def _mcp(tool: str) -> str:
    """`server-tool` as policies name it.

    Both may have dashes. Where more than one reading is possible none is taken: the tool has no
    name then, so that it is not one that only looks, and a person is asked about the whole.
    """
    if tool.startswith(_ITS_OWN):
        return f"mcp__{_ITS_OWN[:-1]}__{tool.removeprefix(_ITS_OWN)}"
    server, _, name = tool.partition("-")
    return f"mcp__{tool}__" if "-" in name else f"mcp__{server}__{name}"


def native_binary(executable: str) -> str:
    """The program behind npm's loader: it must itself be the task's root process.

    Raises:
        LaunchFailed: the package has no binary for this machine.
    """
    real = Path(os.path.realpath(executable))
    if real.suffix != ".js":
        return str(real)
    package = f"copilot-{packages_platform()}"
    for folder in (real.parent.parent, real.parent / "node_modules/@github"):
        if (binary := folder / package / "copilot").exists():
            return str(binary)
    raise LaunchFailed(
        f"The Copilot package in {real.parent} has no binary for this machine.",
        hint="Install @github/copilot again, without --omit=optional.",
    )


def packages_platform() -> str:
    """As its packages call this machine."""
    machine = platform.machine().lower()
    short = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
    return f"linux-{short}"
