"""Any agent that speaks ACP: our program stands before it (`supervisor.acp`) and announces what
it asks its client for permission.

Source: agentclientprotocol.com, version 1 of the protocol. An agent that has a profile of its own
is better off with that, in its ACP mode too: its hooks see more than ACP tells.
"""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from profiles import nodejs
from profiles.environment import scrub
from profiles.files import install_dir, write_private
from profiles.inprocess import rendered
from profiles.manifest import load
from profiles.mcp_servers import our_mounts
from profiles.toolcalls import absolute, mapping, phase_of, text, working_directory
from supervisor.model import CallIdentity, ToolCall, ToolKind
from supervisor.ports import HookAnswer, HookEvent, LaunchPlan, LaunchRequest, Profile

_PHASES = {
    "request_permission": "pre",
    "end": "post",
    "failed": "failed",
    "prompt": "prompt",
    "turn_end": "turn_end",
}
_KINDS = {
    "execute": ToolKind.SHELL,
    **dict.fromkeys(("read", "search"), ToolKind.READ),
    **dict.fromkeys(("edit", "delete", "move"), ToolKind.WRITE),
    "fetch": ToolKind.FETCH,
}
# Names that agents have for the file of a call, in what they call their raw input.
_PATHS = ("path", "file_path", "filePath", "filepath", "fileName", "abs_path")


class Acp(Profile):
    """Our program asks the hooks itself; it is the task's root process, the agent its child."""

    name = "acp"
    call_identity = CallIdentity.PROCESS
    announces = False  # not what it does, but what it asks; so its uses are all of one call

    def __init__(self) -> None:
        self.manifest = load("acp")

    def matches(self, argv: Sequence[str]) -> bool:
        return False  # nothing tells from outside that a program speaks ACP

    def version(self, executable: str) -> str:
        return ""

    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        executable = request.argv[0]
        file = Path(request.task_dir) / "acp.json"
        told = {"argv": request.argv, "hook_url": request.hook_url, "cwd": request.cwd}
        write_private(file, json.dumps(told))
        packages = nodejs.packages(os.path.realpath(executable))
        if packages:
            node = nodejs.runtime(request.environ, "This agent")
            program = nodejs.mounts(executable, node, request.home)
        else:
            program = (install_dir(executable, request.home),)
        return LaunchPlan(
            argv=(sys.executable, "-I", "-m", "supervisor.acp.serve", str(file)),
            env=scrub(request.environ),
            mounts=(*our_mounts(), *program),
        )

    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        phase = phase_of(event, _PHASES)
        if phase in ("prompt", "turn_end"):
            return HookEvent(phase, raw=event)
        if phase != "pre":
            ended = ToolCall(text(event, "toolCallId"), "", ToolKind.OTHER, {}, "/")
            return HookEvent(phase, ended, raw=event)
        session = text(event, "session_id", required=False)
        return HookEvent(phase, _call(event), session, raw=event)

    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        return rendered(event, answer)


def _call(event: Mapping[str, Any]) -> ToolCall:
    """What is asked, as far as it says so: what it does not say makes it a tool nobody knows."""
    told = mapping(event, "toolCall")
    cwd = working_directory(event)
    given = told.get("rawInput")
    arguments: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
    kind = _KINDS.get(text(told, "kind", required=False), ToolKind.OTHER)
    command, url = "", ""
    paths: tuple[str, ...] = ()
    if kind is ToolKind.SHELL:
        command = _command(arguments)
        cwd = absolute(_first(arguments, ("cwd", "workdir", "directory")), cwd)
    elif kind is ToolKind.FETCH:
        url = _first(arguments, ("url", "uri"))
    elif kind in (ToolKind.READ, ToolKind.WRITE):
        edits = _diffs(told)
        arguments |= {"edits": edits} if edits else {}
        named = [*(e["path"] for e in edits), *_locations(told), _first(arguments, _PATHS)]
        paths = tuple(dict.fromkeys(absolute(name, cwd) for name in named if name))
    if not (command or url or paths):
        kind = ToolKind.OTHER
    return ToolCall(
        agent_call_id=text(told, "toolCallId"),
        tool=f"acp.{text(told, 'kind', required=False) or 'other'}",
        kind=kind,
        arguments=arguments,
        cwd=cwd,
        command=command,
        paths=paths,
        url=url,
        note=text(told, "title", required=False),
    )


def _command(arguments: Mapping[str, Any]) -> str:
    command = arguments.get("command")
    rest = arguments.get("args", [])
    if isinstance(command, list):
        command, rest = "", [*command, *(rest if isinstance(rest, list) else [])]
    if not isinstance(command, str | None) or not isinstance(rest, list):
        raise ValueError("command is not a text")
    if not all(isinstance(word, str) for word in rest):
        raise ValueError("args are not texts")
    return " ".join(part for part in (command or "", shlex.join(rest)) if part)


def _first(arguments: Mapping[str, Any], names: Sequence[str]) -> str:
    return next((v for name in names if isinstance(v := arguments.get(name), str) and v), "")


def _diffs(told: Mapping[str, Any]) -> list[dict[str, str]]:
    """The changes of files that it shows."""
    content = told.get("content")
    return [
        {name: each[name] for name in ("path", "oldText", "newText")
         if isinstance(each.get(name), str)}
        for each in (content if isinstance(content, list) else [])
        if isinstance(each, dict) and each.get("type") == "diff"
        and isinstance(each.get("path"), str)
    ]  # fmt: skip


def _locations(told: Mapping[str, Any]) -> list[str]:
    found = told.get("locations")
    return [
        each["path"]
        for each in (found if isinstance(found, list) else [])
        if isinstance(each, dict) and isinstance(each.get("path"), str)
    ]
