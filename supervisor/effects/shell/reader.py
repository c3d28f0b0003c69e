"""From a command line to its effects."""

from __future__ import annotations

import os

from supervisor.effects.files import Place
from supervisor.effects.programs.invocation import run_effect
from supervisor.effects.reading import Reading, Word
from supervisor.effects.shell.walk import BUDGET, Walker
from supervisor.model import Effect


def shell_effects(command: str, cwd: str, place: Place) -> tuple[Effect, ...]:
    """All effects of `command` started in `cwd`; at least one. Never raises.

    `run` effects carry: `program` (base name), `argv0`, `arguments` (joined by spaces),
    `subcommand`, `text` (the simple command, quoted anew), `known`, `uninspectable`, `act`
    (see knowledge/README.md), `source` (where an interpreter takes its program from: "",
    "arguments", "file", "input", "download") and `why` (the reason, where it is unknown or
    uninspectable).

    A text that nobody would write (unseen characters, beyond the limits) also has the effect
    `other` on "unreadable command", which no preset allows without asking.
    """
    reading = Reading(budget=BUDGET)
    Walker(place, reading).whole(command, os.path.realpath(cwd))
    effects = reading.effects
    if not effects:
        return (run_effect([Word("true")]),)
    if len(effects) < 3:
        return tuple(effects)
    unique: dict[tuple[object, ...], Effect] = {}
    for effect in effects:
        key = (effect.verb, effect.resource, tuple(effect.attributes.values()))
        unique.setdefault(key, effect)
    return tuple(unique.values())
