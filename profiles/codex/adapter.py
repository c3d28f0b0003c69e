"""Codex: how it is recognised, launched, and how its hooks speak.

Source: the program itself, 0.169.0, run against a scripted model.
"""

from __future__ import annotations

import json
import os
import platform
import pwd
import re
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from profiles.codex import mcp, requirements, sandbox
from profiles.codex.config import hooks, key_variables, provider, supervised
from profiles.environment import HARMLESS, keep
from profiles.files import host_port, install_dir, link, write_hook, write_private
from profiles.supported import Supported
from profiles.toolcalls import absolute, aside, mapping, patched, phase_of, text, working_directory
from supervisor.errors import ConfigError, LaunchFailed, UsageError
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

_PHASES = {
    "PreToolUse": "pre",
    "PostToolUse": "post",
    "UserPromptSubmit": "prompt",
    "Stop": "turn_end",
    "SubagentStop": "turn_end",
}
_SHELLS = frozenset({"Bash", "exec_command", "shell", "local_shell", "unified_exec"})
# Codex runs this form itself, without a shell: prefixed, it would not be recognised any more.
_PATCH_COMMAND = re.compile(r"\s*(?:apply_patch|applypatch)\s+<<")
# Subcommands that are not the interactive program, and so know no --no-daemon.
_HEADLESS = frozenset(
    {"exec", "e", "review", "login", "logout", "mcp", "plugin", "completion", "update", "doctor",
     "sandbox", "debug", "apply", "a", "queue", "archive", "delete", "unarchive", "features"}
)  # fmt: skip


class Codex(Supported):
    """Command hooks, each a child of the root process, in a private CODEX_HOME."""

    name = "codex"
    call_identity = CallIdentity.CALL
    hooks_by_child = True

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        name = Path(argv[0]).name.removesuffix(".js").removesuffix(".exe")
        return name in self.manifest.programs

    def version(self, executable: str) -> str:
        real = Path(os.path.realpath(executable))
        for file in (
            real.parent.parent / "codex-package.json",
            real.parent.parent / "package.json",
        ):
            try:
                return str(json.loads(file.read_text("utf-8"))["version"])
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable = native_binary(request.argv[0])
        arguments = request.argv[1:]
        version = self.version(executable)
        self.check(version, arguments)
        _refuse_overrides(arguments)
        user_home = Path(request.environ.get("CODEX_HOME") or Path(request.home, ".codex"))
        own = _read_config(user_home / "config.toml")
        held = _sandbox(own, arguments, contained=request.contained)
        # Resolved, because Codex names its hooks by the real path of the configuration.
        task_dir = Path(os.path.realpath(request.task_dir))
        home = task_dir / "codex-home"
        config = home / "config.toml"
        script = task_dir / "codex-hook.sh"
        write_hook(script)
        keys = key_variables(own)
        hook_table = hooks(str(config), str(script), request.hook_url, request.hook_timeout)
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep, *keys))
        overlay, servers, options = mcp.behind_gateway(
            request, env, own, waits=bool(_HEADLESS.intersection(arguments))
        )
        settings = supervised(
            own | {"mcp_servers": servers},
            sandbox=held.mode if held.mode in sandbox.MODES else "",
            model_secrets=(*self.manifest.model_secrets, *keys),
            hook_table=hook_table,
        )
        write_private(config, tomli_w.dumps(settings))
        required = task_dir / "codex-requirements.toml"
        machines = _read_config(requirements.FILE)
        told = requirements.required(machines, hook_table, str(task_dir))
        write_private(required, tomli_w.dumps(told))
        helpers = task_dir / "bin"
        link(helpers / "apply_patch", executable)
        link(helpers / "codex-linux-sandbox", executable)
        search = [str(helpers), str(Path(executable).parent.parent / "codex-path")]
        env |= {
            "HOME": request.home,
            **self.manifest.set,
            "CODEX_HOME": str(home),
            "PATH": ":".join([*search, env.get("PATH", "/usr/bin:/bin")]),
        }
        return LaunchPlan(
            argv=(
                executable,
                *self._options(version, arguments),
                *options,
                *held.options,
                *arguments,
            ),
            env=env,
            mounts=(
                *self._mounts(request, executable, user_home, home),
                *overlay.mounts,
                Mount(str(requirements.FILE), source=str(required), optional=True),
            ),
            mcp=tuple(overlay.told),
            model_hosts=self._model_hosts(own, env),
            agent_sandbox=self.manifest.own_sandbox if request.contained else held.words,
            tools_online=held.online,
        )

    def _options(self, version: str, arguments: Sequence[str]) -> list[str]:
        # Command-line configuration wins over a project's, so hooks cannot be turned off there.
        options = ["-c", "features.hooks=true", "-c", "features.daemon_auto_start=false"]
        if version not in self.manifest.tested:
            # The trust we wrote may not be recognised, and untrusted hooks are skipped.
            options.append("--dangerously-bypass-hook-trust")
        if not _HEADLESS.intersection(arguments):
            options.append("--no-daemon")
        return options

    def _mounts(
        self, request: LaunchRequest, executable: str, user_home: Path, home: Path
    ) -> tuple[Mount, ...]:
        package = Path(executable).parent
        if package.name == "bin" and (package.parent / "codex-package.json").exists():
            mounts = [Mount(str(package.parent))]
        else:
            mounts = [install_dir(executable, request.home)]
        # State is the agent's to write, its configuration with our hooks is not.
        mounts += [Mount(str(home), writable=True), Mount(str(home / "config.toml"))]
        for names, writable in ((self.manifest.writable, True), (self.manifest.readable, False)):
            for name in names:
                original = user_home / name
                if original.exists():
                    link(home / name, str(original))
                    mounts.append(Mount(str(original), writable))
        return tuple(mounts)

    def _model_hosts(self, own: Mapping[str, Any], env: Mapping[str, str]) -> tuple[str, ...]:
        url = provider(own).get("base_url") or env.get("OPENAI_BASE_URL", "")
        own_host = host_port(url) if isinstance(url, str) else ""
        return (own_host,) if own_host else self.manifest.model_hosts

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        name = text(event, "hook_event_name")
        phase = phase_of(event, _PHASES)
        call = self._call(event) if phase in {"pre", "post"} else None
        subagent = text(event, "agent_id", required=False)
        if (phase == "prompt" and subagent) or (name == "SubagentStop" and not subagent):
            phase = "notice"  # neither the person's word, nor the end of the agent's own turn
        session = text(event, "session_id", required=False)
        spawned = _spawned(event) if call is not None and call.kind is ToolKind.AGENT else ""
        return HookEvent(phase, call, session, subagent, raw=event, spawned=spawned)

    def _call(self, event: Mapping[str, Any]) -> ToolCall:
        tool = text(event, "tool_name")
        arguments = mapping(event, "tool_input")
        cwd = working_directory(event)
        kind, command = ToolKind.OTHER, ""
        paths: tuple[str, ...] = ()
        if tool in _SHELLS:
            kind, command = ToolKind.SHELL, text(arguments, "command")
            if _PATCH_COMMAND.match(command):
                kind, paths = ToolKind.WRITE, patched(command, cwd)
        elif tool == "apply_patch":
            kind, paths = ToolKind.WRITE, patched(text(arguments, "command"), cwd)
        elif tool == "view_image":
            kind, paths = ToolKind.READ, (absolute(text(arguments, "path"), cwd),)
        elif tool.startswith("mcp__"):
            kind = ToolKind.MCP
        elif tool.endswith("spawn_agent"):
            kind = ToolKind.AGENT
        return ToolCall(
            agent_call_id=text(event, "tool_use_id"),
            tool=tool,
            kind=kind,
            arguments=arguments,
            cwd=cwd,
            command=command if kind is ToolKind.SHELL else "",
            paths=paths,
            subagent=text(event, "agent_id", required=False),
            subagent_kind=text(event, "agent_type", required=False),
            note=str(arguments.get("justification", "")),
        )

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        if event.phase == "post" and answer.reason:
            return aside(event.raw, answer.reason)
        # An allowance without a rewrite is marked as a failed hook: silence allows.
        if event.phase != "pre" or (answer.allow and answer.rewritten is None):
            return b""
        output: dict[str, Any] = {"hookEventName": "PreToolUse"}
        if answer.allow and answer.rewritten is not None:
            output |= {"permissionDecision": "allow", "updatedInput": dict(answer.rewritten)}
        else:
            # An empty reason makes the denial malformed, and a malformed denial lets it run.
            reason = answer.reason.strip() or "This call was refused."
            output |= {"permissionDecision": "deny", "permissionDecisionReason": reason}
        return json.dumps({"hookSpecificOutput": output}).encode()

    def with_prefix(self, call: ToolCall, prefix: str) -> Mapping[str, Any]:
        command = prefix + call.command
        if prefix and os.path.basename(pwd.getpwuid(os.getuid()).pw_shell) != "bash":
            # Codex takes the account's shell, whatever SHELL says; the prefix is bash's alone.
            command = f"exec /bin/bash -c {shlex.quote(command)}"
        return {**call.arguments, "command": command}


def native_binary(executable: str) -> str:
    """The program behind npm's Node wrapper: it must itself be the task's root process.

    Raises:
        LaunchFailed: the package has no binary for this machine.
    """
    real = Path(os.path.realpath(executable))
    if real.suffix != ".js":
        return str(real)
    root = real.parent.parent
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    vendor = f"vendor/{machine}-*/bin/codex"
    for base, pattern in (
        (root.parent, f"codex-*/{vendor}"),
        (root, f"node_modules/@openai/codex-*/{vendor}"),
        (root, vendor),
    ):
        if found := sorted(base.glob(pattern)):
            return str(found[0])
    raise LaunchFailed(
        f"The Codex package in {root} has no binary for {machine}.",
        hint="Install @openai/codex again, without --omit=optional.",
    )


def _refuse_overrides(arguments: Sequence[str]) -> None:
    """Refuse command-line configuration of what the supervision rests on."""
    for index, argument in enumerate(arguments):
        if argument == "--":
            return
        previous = arguments[index - 1] if index else ""
        value = ""
        if previous in {"-c", "--config"}:
            value = argument
        elif argument.startswith(("--config=", "-c")) and argument not in {"-c", "--config"}:
            value = argument.removeprefix("--config").removeprefix("-c").removeprefix("=")
        key = re.sub(r"[\s\"']", "", value.split("=", 1)[0])
        disabled = argument if previous == "--disable" else argument.removeprefix("--disable=")
        hooks_off = disabled == "hooks" and (previous == "--disable" or disabled != argument)
        if hooks_off or key == "features" or key.startswith(("hooks", "features.hooks")):
            raise UsageError(
                "Codex cannot be supervised with its hooks changed on the command line.",
                hint="Leave that option out.",
            )
        if key.startswith("mcp_servers"):
            raise UsageError(
                "Codex cannot be supervised with MCP servers that its command line starts.",
                hint="List them in config.toml: they are put behind the gateway.",
            )


def _sandbox(
    own: Mapping[str, Any], arguments: Sequence[str], *, contained: bool
) -> sandbox.Sandbox:
    """None of its own inside a container of ours; outside it is all there is, and the person's.

    Raises:
        UsageError: the command line asks for one that cannot start.
    """
    if not contained:
        return sandbox.asked_for(own, arguments)
    if sandbox.on_command_line(arguments) not in ("", sandbox.OFF):
        raise UsageError(
            "Codex's own sandbox cannot start inside a contained task: ours holds it instead.",
            hint="Leave that option out, or give --contain off.",
        )
    return sandbox.Sandbox(sandbox.OFF)


def _read_config(path: Path) -> dict[str, Any]:
    """The person's own configuration; {} without one.

    Raises:
        ConfigError: it cannot be read or parsed.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot use {path}: {error}.", hint="Correct the file; Codex itself needs it too."
        ) from error


def _spawned(event: Mapping[str, Any]) -> str:
    """The subagent that a call of spawn_agent has brought: its answer is JSON, as text."""
    try:
        name = json.loads(str(event.get("tool_response") or "{}")).get("agent_id")
    except (ValueError, AttributeError):
        return ""
    return name if isinstance(name, str) else ""
