"""Rules of another tool, imported, and what they say about a command or a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import Effect, ToolCall, ToolKind, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluator
from supervisor.policy.importers import Result
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import shell_effects

HOME = "/home/ana"
# Asks about everything, so that what no imported rule covers can be told apart.
BASE = PolicySource(
    "base", '@id("base") @ask("?") permit (principal, action, resource);', Layer.PRESET
)

Import = Callable[..., "Imported"]


class Imported:
    """An imported file, and what its rules say."""

    def __init__(self, result: Result, workspace: Path) -> None:
        self.result = result
        self.workspace = str(workspace)
        source = PolicySource("imported", result.text, Layer.USER)
        self.engine = CedarEngine([BASE, source])

    def says(self, *effects: Effect, tool: str = "bash") -> str:
        """allow, ask or deny: the strictest of what the rules say; none: no rule covers one."""
        where = Evaluator(self.engine, True, self.workspace, HOME).situation
        where = type(where)(where.task, where.call_identity, where.workspace, tool=tool)
        found = set()
        for verdict in self.engine.judge(effects, where):
            ours = not any(policy.id == "base" for policy in verdict.policies)
            found.add(verdict.outcome.value if ours else "none")
        return next(word for word in ("deny", "ask", "none", "allow") if word in found)

    def command(self, text: str) -> str:
        """What the rules say about running the programs of a command."""
        effects = shell_effects(text, self.workspace, HOME)
        return self.says(*(effect for effect in effects if effect.verb is Verb.RUN))

    def file(self, verb: Verb, path: str) -> str:
        kind = ToolKind.READ if verb is Verb.READ else ToolKind.WRITE
        call = ToolCall("", "x", kind, {}, self.workspace, paths=(path,))
        return self.says(*effects_of(call, Place.of(self.workspace, HOME)), tool="read")

    @property
    def notes(self) -> str:
        return "\n".join((*self.result.notes, *self.result.lost))
