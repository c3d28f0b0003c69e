"""Which policies a task is under: a preset, the person's own files, what its project tightens.

The person's files are pinned as they were accepted. A change from outside tightens at once; what
it loosens waits until the person accepts the files as they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from supervisor.errors import NotFound, PolicyError
from supervisor.paths import replace_file
from supervisor.policy.engine import CedarEngine
from supervisor.policy.files import user_sources
from supervisor.policy.outside import difference, loosened
from supervisor.policy.source import PolicySource


@dataclass(frozen=True, slots=True)
class Change:
    """How the person's files differ from what they accepted."""

    digest: str  # of the files as they are, "sha256:<hex>"
    diff: str  # unified; "" where they are as accepted
    loosens: tuple[str, ...]  # what waits for the person, one line each


class _Pin(msgspec.Struct, frozen=True):
    """The accepted files, as they are kept on disk."""

    files: tuple[PolicySource, ...]


@dataclass(slots=True)
class Policies:
    """Engines, made once for each set of files.

    A task keeps the engine it started with, but for what is tightened later: see `tightened`.
    """

    preset: str
    user_directory: Path
    protected: Sequence[str]
    pin: Path | None = None  # where accepted files are kept; None: for this process alone
    _accepted: tuple[PolicySource, ...] = field(init=False)
    _seen: tuple[PolicySource, ...] = field(init=False)
    _engines: dict[tuple[str, tuple[PolicySource, ...]], CedarEngine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises PolicyError, UsageError: the person's own policy cannot be used."""
        self._seen = self._read()
        accepted = self._pinned()
        self._accepted = self._seen if accepted is None else accepted
        self._engines[self.preset, ()] = self._engine(self.preset, self._seen)
        if accepted is None:
            self._keep()

    def for_task(self, preset: str = "", project: Sequence[PolicySource] = ()) -> CedarEngine:
        """What a task with this preset ("" for the person's) in this project is under.

        Raises:
            PolicyError: the project's policies cannot be used.
            UsageError: no such preset.
        """
        key = (preset or self.preset, tuple(project))
        engine = self._engines.get(key)
        if engine is None:
            if key[1]:
                engine = self.for_task(preset).tightened(key[1])
            else:
                engine = self._engine(key[0], self._seen)
            self._engines[key] = engine
        return engine

    def tightened(self, engine: CedarEngine) -> CedarEngine:
        """The `engine` of a running task with what the files, as last seen, tighten of it."""
        return engine.tightened_by(self._seen)

    def look(self) -> Change | None:
        """Read the files; a change since they were last seen tightens tasks that start from now on.

        Raises PolicyError: they cannot be used; what was in force stays so.
        """
        files = self._read()
        if files == self._seen:
            return None
        self._take(files)
        change = self.pending()
        if not change.loosens:
            self._accept()
        return change

    def pending(self) -> Change:
        """What waits for the person; without `loosens`: nothing does."""
        state = hashlib.sha256()
        for source in self._seen:
            state.update(msgspec.json.encode((source.name, source.text)) + b"\n")
        return Change(
            digest=f"sha256:{state.hexdigest()}",
            diff=difference(self._accepted, self._seen),
            loosens=loosened(self._accepted, self._seen),
        )

    def accept(self, digest: str) -> Change:
        """Put the files in force as they were shown, for tasks that start from now on.

        Args:
            digest: of the change that the person was shown.

        Raises:
            NotFound: the files are others by now, or nothing waits.
            PolicyError: they cannot be used.
        """
        self.look()
        pending = self.pending()
        if not pending.loosens or pending.digest != digest:
            raise NotFound(
                "The policy files are not those that were shown.",
                hint="Look at them again: taskpass policy accept.",
            )
        self._accept()
        return pending

    def as_accepted(self) -> bool:
        """Whether the files are as the person accepted them. Raises PolicyError: none of ours."""
        return self._read() == self._accepted

    def adopt(self) -> None:
        """Accept the files as they are: we have just written them.

        Raises PolicyError: they cannot be used; what was in force stays so.
        """
        self._take(self._read())
        self._accept()

    def _take(self, files: tuple[PolicySource, ...]) -> None:
        fresh = self._engine(self.preset, files)
        self._seen = files
        self._engines.clear()
        self._engines[self.preset, ()] = fresh

    def _accept(self) -> None:
        self._accepted = self._seen
        self._engines.clear()
        self._keep()

    def _engine(self, preset: str, files: tuple[PolicySource, ...]) -> CedarEngine:
        whole = CedarEngine.of(preset, files, self.protected)
        if files == self._accepted:
            return whole
        return CedarEngine.of(preset, self._accepted, self.protected).tightened_by(files)

    def _read(self) -> tuple[PolicySource, ...]:
        return user_sources(self.user_directory, self.user_directory.parent / "rules.toml")

    def _pinned(self) -> tuple[PolicySource, ...] | None:
        """The accepted files; None before any were. A pin that cannot be used accepts nothing."""
        if self.pin is None or not self.pin.exists():
            return None
        try:
            files = msgspec.json.decode(self.pin.read_bytes(), type=_Pin).files
            CedarEngine.of(self.preset, files)
        except (OSError, msgspec.MsgspecError, PolicyError):
            return ()
        return files

    def _keep(self) -> None:
        if self.pin is not None:
            replace_file(self.pin, msgspec.json.encode(_Pin(self._accepted)))
