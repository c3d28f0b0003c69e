"""What a call would do, as typed effects. Reads the file system, changes nothing."""

from __future__ import annotations

from supervisor.effects.files import Place, file_effects
from supervisor.effects.http import http_effect
from supervisor.effects.mcp import mcp_effect
from supervisor.effects.shell import shell_effects
from supervisor.model import Effect, ToolCall, ToolKind, Verb

__all__ = ["effects_of"]


def effects_of(call: ToolCall, workspace: str, home: str = "") -> tuple[Effect, ...]:
    """Everything `call` would do, as far as it can be read; never empty.

    Args:
        call: normalised by its profile.
        workspace: directory the task works in.
        home: the person's home directory; "" for that of this process.

    What cannot be read is still an effect: `run` with `uninspectable`, or `other`.
    """
    place = Place.of(workspace, home)
    match call.kind:
        case ToolKind.SHELL:
            return shell_effects(call.command, call.cwd, place)
        case ToolKind.READ:
            return _files(Verb.READ, call, place)
        case ToolKind.WRITE:
            if not call.paths:  # a write of nobody-knows-what is not a write of nothing
                return (Effect(Verb.OTHER, call.tool, {"kind": call.kind.value}),)
            return _files(Verb.WRITE, call, place)
        case ToolKind.FETCH:
            return (http_effect(call.url),)
        case ToolKind.MCP:
            return (mcp_effect(call.tool),)
        case ToolKind.AGENT:
            return (Effect(Verb.SPAWN, call.subagent or "subagent"),)
        case _:
            return (Effect(Verb.OTHER, call.tool, {"kind": call.kind.value}),)


def _files(verb: Verb, call: ToolCall, place: Place) -> tuple[Effect, ...]:
    """A reading tool without a path (a search) reads where it stands."""
    effects = tuple(
        effect
        for path in call.paths or (call.cwd,)
        for effect in file_effects(verb, path, call.cwd, place)
    )
    return effects or (Effect(Verb.OTHER, call.tool, {"kind": call.kind.value}),)
