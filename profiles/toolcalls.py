"""Checked access to the fields of a hook input. Pure: malformed input is a ValueError."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.model import ToolCall, ToolKind

_PATCHED = re.compile(r"^\*\*\* (?:Add File|Update File|Delete File|Move to): (.+?)\s*$", re.M)


@dataclass(frozen=True, slots=True)
class Tools:
    """What an agent's tools are.

    Attributes:
        known: tool → its kind, and the argument that names its file ("" for none).
        searches: those that look at the working directory when they name nothing.
    """

    known: Mapping[str, tuple[ToolKind, str]]
    searches: frozenset[str] = frozenset()

    def kind(self, tool: str) -> ToolKind:
        return self.known.get(tool, (ToolKind.OTHER, ""))[0]

    def paths(self, tool: str, arguments: Mapping[str, Any], cwd: str) -> tuple[str, ...]:
        """The file that a call names, absolute. Raises ValueError: it has to, and does not."""
        _, argument = self.known.get(tool, (ToolKind.OTHER, ""))
        if not argument:
            return ()
        path = text(arguments, argument, required=tool not in self.searches) or cwd
        return (absolute(path, cwd),)


def phase_of(event: Mapping[str, Any], phases: Mapping[str, str]) -> str:
    """What a hook's event is to us, by its name. Raises ValueError: it is none that we know."""
    phase = phases.get(text(event, "hook_event_name"))
    if phase is None:
        raise ValueError("unknown hook event")
    return phase


def call_of(
    event: Mapping[str, Any],
    identity: str,
    tool: str,
    kind: ToolKind,
    cwd: str,
    paths: tuple[str, ...],
    url: str = "",
) -> ToolCall:
    """A call told with the fields that Claude Code began with, as most agents do.

    Args:
        identity: the agent's own name for the call.
        url: of a page that is fetched; "" where an argument names it.
    """
    arguments = mapping(event, "tool_input")
    if kind is ToolKind.FETCH and not url:
        url = text(arguments, "url")
    return ToolCall(
        agent_call_id=identity,
        tool=tool,
        kind=kind,
        arguments=arguments,
        cwd=cwd,
        command=text(arguments, "command") if kind is ToolKind.SHELL else "",
        paths=paths,
        url=url,
        subagent=text(event, "agent_id", required=False),
        subagent_kind=text(event, "agent_type", required=False),
        note=str(arguments.get("description", "")),
    )


def aside(event: Mapping[str, Any], reason: str) -> bytes:
    """What is told to the model besides the result of its call."""
    told = {"hookEventName": text(event, "hook_event_name"), "additionalContext": reason}
    return json.dumps({"hookSpecificOutput": told}).encode()


def text(event: Mapping[str, Any], key: str, *, required: bool = True) -> str:
    """A string field; "" when it may be missing and is."""
    value = event.get(key)
    if isinstance(value, str) and (value or not required):
        return value
    if value is None and not required:
        return ""
    raise ValueError(f"{key} is not a text")


def mapping(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A field that must be an object."""
    value = event.get(key)
    if not isinstance(value, dict):
        raise ValueError(f"{key} is not an object")
    return value


def texts(event: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """A field that may be missing, and is a list of strings."""
    value = event.get(key, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{key} is not a list of texts")
    return tuple(value)


def working_directory(event: Mapping[str, Any]) -> str:
    """`cwd`, which must be absolute: relative paths are judged against it."""
    cwd = text(event, "cwd")
    if not os.path.isabs(cwd):
        raise ValueError("cwd is not absolute")
    return cwd


def absolute(path: str, cwd: str, home: str = "") -> str:
    """An absolute, lexically normalised path. A leading `~/` is the home's."""
    if home and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    return os.path.normpath(os.path.join(cwd, path))


def patched(patch: str, cwd: str) -> tuple[str, ...]:
    """The files that a patch ("*** Begin Patch") names. None named: not one that we understand.

    Raises:
        ValueError: no file is named.
    """
    found = tuple(dict.fromkeys(absolute(name, cwd) for name in _PATCHED.findall(patch)))
    if not found:
        raise ValueError("a patch without files")
    return found


def same_call(tool: str, arguments: Mapping[str, Any], subagent: str) -> str:
    """A name for a call whose agent gives it none: the same for the same words.

    So the end of a call that is told with its arguments finds its beginning; two that say the
    same at once cannot be told apart.
    """
    words = json.dumps([tool, arguments, subagent], sort_keys=True)
    return f"same-{hashlib.sha256(words.encode()).hexdigest()[:24]}"
