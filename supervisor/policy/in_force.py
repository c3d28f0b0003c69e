"""Which policies a task is under: a preset, the person's own files, what its project tightens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.policy.engine import CedarEngine
from supervisor.policy.source import PolicySource


@dataclass(slots=True)
class Policies:
    """Engines, made once for each set of files. The person's files are read when this is made.

    A task keeps the engine it started with: nothing that is written later changes its policy.
    """

    preset: str
    user_directory: Path
    protected: Sequence[str]
    _engines: dict[tuple[str, tuple[PolicySource, ...]], CedarEngine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises PolicyError, UsageError: the person's own policy cannot be used."""
        self.for_task()

    def for_task(self, preset: str = "", project: Sequence[PolicySource] = ()) -> CedarEngine:
        """What a task with this preset ("" for the person's) in this project is under.

        Raises:
            PolicyError: the project's policies cannot be used.
            UsageError: no such preset.
        """
        key = (preset or self.preset, tuple(project))
        engine = self._engines.get(key)
        if engine is None:
            engine = self._engines[key] = self._load(*key)
        return engine

    def reload(self) -> None:
        """Read the person's files again, for tasks that start from now on.

        Raises PolicyError: they cannot be used; what was in force stays so.
        """
        fresh = self._load(self.preset, ())
        self._engines.clear()
        self._engines[self.preset, ()] = fresh

    def _load(self, preset: str, project: tuple[PolicySource, ...]) -> CedarEngine:
        if project:
            return self.for_task(preset).tightened(project)
        return CedarEngine.load(
            preset,
            user_directory=self.user_directory,
            user_rules=self.user_directory.parent / "rules.toml",
            protected=self.protected,
        )
