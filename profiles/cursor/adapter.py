"""Cursor's command line agent: how it is recognised, launched, and how its hooks speak.

Its model is its makers' alone, so our tests cannot run it. Source: cursor.com/docs/agent/hooks,
and the hook runner in its makers' package `@cursor/sdk` 1.0.32, read and not copied.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from profiles.environment import HARMLESS, keep
from profiles.files import existing, install_dir, tool_shell, write_private
from profiles.supported import Supported
from profiles.toolcalls import absolute, mapping, phase_of, text, texts
from supervisor.errors import LaunchFailed
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Mount

MANAGED = "/etc/cursor/hooks.json"

_PHASES = {
    "preToolUse": "pre",
    "beforeShellExecution": "pre",
    "beforeMCPExecution": "pre",
    "beforeReadFile": "pre",
    "subagentStart": "pre",
    "postToolUse": "post",
    "afterMCPExecution": "post",
    "postToolUseFailure": "failed",
    "beforeSubmitPrompt": "prompt",
    "stop": "turn_end",
    "subagentStop": "turn_end",
    "sessionEnd": "session_end",
}
# Event → what it is asked for, a regular expression of JavaScript. One answer a call: preToolUse
# knows all tools, but not of which server one of MCP is, nor what a subagent is for.
_ASKED = {"preToolUse": "^(?!MCP:|Task$)", "beforeMCPExecution": "", "subagentStart": ""}
_TOLD = {
    "postToolUse": "^(?!MCP:)", "postToolUseFailure": "^(?!MCP:)", "afterMCPExecution": "",
    "beforeSubmitPrompt": "", "stop": "", "subagentStop": "", "sessionEnd": "",
}  # fmt: skip
_REPORT_TIMEOUT = 15

# Tool → kind; each of them names its file, or nothing, in `file_path`.
_TOOLS: Mapping[str, ToolKind] = {
    "Shell": ToolKind.SHELL,
    **dict.fromkeys(("Read", "Grep", "Glob", "List", "ReadLints"), ToolKind.READ),
    **dict.fromkeys(("Write", "Edit", "StrReplace", "EditNotebook", "Delete"), ToolKind.WRITE),
    **dict.fromkeys(("Fetch", "WebFetch"), ToolKind.FETCH),
}
# A search without a path looks at the working directory.
_DEFAULT_TO_CWD = frozenset({"Grep", "Glob", "List", "ReadLints"})
# …/cursor-agent/versions/2026.10.01-4f2c1aa/cursor-agent
_VERSION = re.compile(r"/cursor-agent/versions/(\d{4}\.\d+\.\d+)[^/]*/")


class Cursor(Supported):
    """Command hooks, each a child of the root process, that deny when they fail."""

    name = "cursor"
    call_identity = CallIdentity.CALL
    hooks_by_child = True

    def matches(self, argv: Sequence[str]) -> bool:
        if not argv:
            return False
        return Path(argv[0]).name in self.manifest.programs or bool(_VERSION.search(argv[0]))

    def version(self, executable: str) -> str:
        found = _VERSION.search(os.path.realpath(executable))
        return found[1] if found else ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable, *arguments = request.argv
        self.check(self.version(executable), arguments)
        if not request.contained:
            raise LaunchFailed(
                f"Cursor takes hooks that nobody can switch off from {MANAGED} only, which is not "
                "changed for a task.",
                hint="Start it without --contain off: its container has a file of its own there.",
            )
        task_dir = Path(request.task_dir)
        script, settings = task_dir / "cursor-hook.sh", task_dir / "cursor-hooks.json"
        shell = task_dir / "shell" / "bash"
        write_private(script, Path(__file__).with_name("hook.sh").read_text("utf-8"))
        write_private(script.with_suffix(".url"), request.hook_url + "\n")
        ours = hooks(str(script), request.hook_timeout)
        write_private(settings, uncommented(joined(ours, _managed(Path(MANAGED)))))
        write_private(shell, tool_shell(self.manifest.model_secrets), mode=0o700)
        env = keep(request.environ, (*HARMLESS, *self.manifest.keep))
        env |= {"HOME": request.home, **self.manifest.set, "SHELL": str(shell)}
        kept = [os.path.join(request.home, name) for name in self.manifest.readable]
        return LaunchPlan(
            argv=request.argv,
            env=env,
            mounts=(
                install_dir(executable, request.home),
                *existing(request.home, self.manifest.writable, writable=True),
                *(Mount(path) for path in kept if os.path.lexists(path)),
                Mount(MANAGED, source=str(settings)),
            ),
            guarded=tuple(
                path
                for path in kept
                if os.path.isdir(os.path.dirname(path)) and not os.path.lexists(path)
            ),
            model_hosts=self.manifest.model_hosts,
            agent_sandbox=self.manifest.own_sandbox,
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        name = text(event, "hook_event_name")
        phase = phase_of(event, _PHASES)
        session = text(event, "conversation_id", required=False)
        if phase == "pre":
            return HookEvent(phase, _READERS[name](event), session, raw=event)
        if phase in ("post", "failed"):
            identifier = _mcp_id(event) if "MCP" in name else text(event, "tool_use_id")
            ended = ToolCall(identifier, text(event, "tool_name"), ToolKind.OTHER, {}, "/")
            return HookEvent(phase, ended, session, raw=event)
        subagent = text(event, "subagent_id", required=False)
        if name == "subagentStop" and not subagent:
            phase = "notice"  # not to be taken for the end of the agent's own turn
        return HookEvent(phase, None, session, subagent, raw=event)

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        if event.phase != "pre":
            aside = {"additional_context": answer.reason} if answer.reason else {}
            return json.dumps(aside).encode()
        if not answer.allow:
            reason = answer.reason or "This call was refused."
            told = {"permission": "deny", "user_message": reason, "agent_message": reason}
            return json.dumps(told).encode()
        allowed: dict[str, Any] = {"permission": "allow"}
        if answer.rewritten is not None:
            allowed["updated_input"] = dict(answer.rewritten)
        return json.dumps(allowed).encode()


def hooks(script: str, timeout: int) -> dict[str, Any]:
    """The managed configuration. Pure. One wrong entry, and Cursor discards all of it."""
    table: dict[str, Any] = {}
    for events, seconds in ((_ASKED, timeout), (_TOLD, _REPORT_TIMEOUT)):
        for event, matcher in events.items():
            # The script ends before Cursor gives up on it. The shell is replaced, so that an
            # announcement does not come from one process further away.
            words = ["/bin/sh", script, event, str(max(1, seconds - 5))]
            hook: dict[str, Any] = {"command": "exec " + shlex.join(words), "timeout": seconds}
            if matcher:
                hook["matcher"] = matcher
            if events is _ASKED:
                hook["failClosed"] = True
            table[event] = [hook]
    return {"version": 1, "hooks": table}


def joined(ours: dict[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Our configuration with the hooks of the one that it takes the place of. Pure.

    Raises:
        LaunchFailed: that has another form.
    """
    table: dict[str, Any] = dict(ours["hooks"])
    others = theirs.get("hooks", {})
    if not isinstance(others, dict) or not all(isinstance(o, list) for o in others.values()):
        raise _unknown_form()
    for event, hooks_of_it in others.items():
        table[event] = [*table.get(event, []), *hooks_of_it]
    return {**ours, "hooks": table}


def uncommented(config: Mapping[str, Any]) -> str:
    """As JSON, in which nothing looks like a comment to Cursor, whatever texts are in it."""
    text = json.dumps(config, indent=1)
    return text.replace("//", r"/\u002f").replace("/*", r"/\u002a")


def _managed(file: Path) -> dict[str, Any]:
    """What the machine's own managers have there; {} for nothing.

    Raises:
        LaunchFailed: it cannot be joined with ours, and is not to be left out.
    """
    try:
        told = json.loads(file.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise _unknown_form() from error
    if not isinstance(told, dict) or told.get("version") != 1:
        raise _unknown_form()
    return told


def _unknown_form() -> LaunchFailed:
    return LaunchFailed(
        f"The hooks in {MANAGED} cannot be joined with ours, so Cursor is not started.",
        hint="As JSON without comments, of version 1, they can be.",
    )


def _cwd(event: Mapping[str, Any], named: str = "") -> str:
    """Where the call works: as it says, else the first of the folders that Cursor works in.

    Raises:
        ValueError: there is none, or it is not absolute.
    """
    roots = texts(event, "workspace_roots")
    cwd = os.path.join(roots[0] if roots else "", named or text(event, "cwd", required=False))
    if not os.path.isabs(cwd):
        raise ValueError("cwd is not absolute")
    return os.path.normpath(cwd)


def _tool(event: Mapping[str, Any]) -> ToolCall:
    tool = text(event, "tool_name")
    arguments = mapping(event, "tool_input")
    kind = _TOOLS.get(tool, ToolKind.OTHER)
    shell = kind is ToolKind.SHELL
    cwd = _cwd(event, text(arguments, "cwd", required=False) if shell else "")
    paths: tuple[str, ...] = ()
    if kind in (ToolKind.READ, ToolKind.WRITE):
        path = text(arguments, "file_path", required=tool not in _DEFAULT_TO_CWD) or cwd
        paths = (absolute(path, cwd),)
    return ToolCall(
        agent_call_id=text(event, "tool_use_id"),
        tool=tool,
        kind=kind,
        arguments=arguments,
        cwd=cwd,
        command=text(arguments, "command") if shell else "",
        paths=paths,
        url=text(arguments, "url") if kind is ToolKind.FETCH else "",
        subagent=text(event, "parent_tool_call_id", required=False),
    )


def _shell(event: Mapping[str, Any]) -> ToolCall:
    """Of versions that ask by this hook alone: it has no id, and no rewrite."""
    command = text(event, "command")
    identifier = _digest(event, "command", "cwd")
    arguments = {"command": command}
    return ToolCall(identifier, "Shell", ToolKind.SHELL, arguments, _cwd(event), command=command)


def _file(event: Mapping[str, Any]) -> ToolCall:
    """Its content comes with it, and is none of our business."""
    path, cwd = text(event, "file_path"), _cwd(event)
    identifier = _digest(event, "file_path")
    paths = (absolute(path, cwd),)
    return ToolCall(identifier, "Read", ToolKind.READ, {"file_path": path}, cwd, paths=paths)


def _mcp(event: Mapping[str, Any]) -> ToolCall:
    given = event.get("tool_input")
    if isinstance(given, str):
        try:
            given = json.loads(given or "{}")
        except json.JSONDecodeError as error:
            raise ValueError("tool_input is not JSON") from error
    arguments = mapping({"tool_input": given}, "tool_input")
    url = text(event, "url", required=False) or text(event, "mcp_server_url", required=False)
    return ToolCall(
        agent_call_id=_mcp_id(event),
        tool=f"mcp__{_server(event, url)}__{text(event, 'tool_name')}",
        kind=ToolKind.MCP,
        arguments=arguments,
        cwd=_cwd(event),
        url=url,
    )


def _server(event: Mapping[str, Any], url: str) -> str:
    """The name that the person gave it; without one, its host or its program."""
    name = text(event, "mcp_server_name", required=False)
    if not name and url:
        name = urlsplit(url).hostname or ""
    if not name:
        name = os.path.basename((text(event, "command").split() or [""])[0])
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)


def _mcp_id(event: Mapping[str, Any]) -> str:
    """Cursor gives none: the same in both of its hooks, and another in each answer of the model."""
    given = event.get("tool_input")
    text_of = given if isinstance(given, str) else json.dumps(given, sort_keys=True)
    return _digest({**event, "tool_input": text_of}, "tool_name", "tool_input")


def _digest(event: Mapping[str, Any], *names: str) -> str:
    names = ("conversation_id", "generation_id", *names)
    said = json.dumps([text(event, name, required=False) for name in names])
    return "cursor-" + hashlib.sha256(said.encode()).hexdigest()[:24]


def _subagent(event: Mapping[str, Any]) -> ToolCall:
    kind, task = text(event, "subagent_type"), text(event, "task", required=False)
    return ToolCall(
        agent_call_id=text(event, "tool_call_id", required=False) or text(event, "subagent_id"),
        tool="Task",
        kind=ToolKind.AGENT,
        arguments={"subagent_type": kind, "task": task},
        cwd=_cwd(event),
        subagent_kind=kind,
        note=task,
    )


_READERS = {
    "preToolUse": _tool,
    "beforeShellExecution": _shell,
    "beforeMCPExecution": _mcp,
    "beforeReadFile": _file,
    "subagentStart": _subagent,
}
