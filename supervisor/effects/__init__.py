"""What a call would do, as typed effects. Reads the file system, changes nothing."""

from __future__ import annotations

import os
from dataclasses import replace

from supervisor.effects.content import content_of, written
from supervisor.effects.files import Place, file_effects
from supervisor.effects.http import http_effect
from supervisor.effects.mcp import mcp_effects
from supervisor.effects.patch import changes
from supervisor.effects.shell import shell_effects
from supervisor.model import Effect, ToolCall, ToolKind, Verb

__all__ = ["effects_of"]


def effects_of(call: ToolCall, place: Place) -> tuple[Effect, ...]:
    """Everything `call` would do, as far as it can be read; never empty.

    Args:
        call: normalised by its profile.
        place: where its task works.

    What cannot be read is still an effect: `run` with `uninspectable`, or `other`.
    """
    match call.kind:
        case ToolKind.SHELL:
            return shell_effects(call.command, call.cwd, place)
        case ToolKind.READ:
            return _reads(call, place)
        case ToolKind.WRITE:
            return _writes(call, place)
        case ToolKind.FETCH:
            return (http_effect(call.url),)
        case ToolKind.MCP:
            return mcp_effects(call.tool, call.arguments, call.cwd, place)
        case ToolKind.AGENT:
            return (Effect(Verb.SPAWN, call.subagent or "subagent"),)
        case _:
            return _other(call)


def _reads(call: ToolCall, place: Place) -> tuple[Effect, ...]:
    """A reading tool without a path (a search) reads where it stands."""
    effects = tuple(
        effect
        for path in call.paths or (call.cwd,)
        for effect in file_effects(Verb.READ, path, call.cwd, place)
    )
    return effects or _other(call)


def _writes(call: ToolCall, place: Place) -> tuple[Effect, ...]:
    """A file tool's writes, each with what its text would do; of a patch also its deletions."""
    if not call.paths:  # a write of nobody-knows-what is not a write of nothing
        return _other(call)
    text = written(call.arguments)
    # What is written into a file may look like a patch without being one.
    commands = (
        [] if text is not None else [v for v in call.arguments.values() if isinstance(v, str)]
    )
    patch = [change for command in commands for change in changes(command)]
    planned: list[tuple[Verb, str, str | None]] = [
        (change.verb, change.path, change.added) for change in patch
    ]
    patched = {os.path.normpath(os.path.join(call.cwd, change.path)) for change in patch}
    # What its profile found counts as well, whatever we make of the patch.
    planned += [(Verb.WRITE, path, text) for path in call.paths if path not in patched]
    effects: list[Effect] = []
    for verb, path, text in planned:
        content = content_of(text)
        effects += (
            replace(effect, attributes={**effect.attributes, "content": content})
            for effect in file_effects(verb, path, call.cwd, place)
        )
    return tuple(effects) or _other(call)


def _other(call: ToolCall) -> tuple[Effect, ...]:
    return (Effect(Verb.OTHER, call.tool, {"kind": call.kind.value}),)
