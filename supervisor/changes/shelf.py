"""Where change sets lie until a person has decided: one directory a task, ours alone.

TASK/base.json       whose it is, and when it began (its own time is the file system's clock)
TASK/upper, work     the overlay's
TASK/kept            there when the set is on record
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from supervisor.changes.applying import apply
from supervisor.changes.change import Change, Kind, Type, digest_lines
from supervisor.changes.comparing import Layers, compare
from supervisor.changes.diffs import MOST, unified
from supervisor.errors import Denied, NotFound, TaskpassError, UsageError
from supervisor.paths import private_dir
from supervisor.process.staging import UPPER, WORK
from supervisor.safefiles import open_plain

_LONGEST = 4 * 1024 * 1024  # characters of diff, all files together
_BASE, _KEPT = "base.json", "kept"


class Base(msgspec.Struct, frozen=True):
    """What a change set is about."""

    task: str
    number: int
    purpose: str
    workspace: str


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one task changed, as it is now."""

    base: Base
    changes: tuple[Change, ...]

    def count(self, kind: Kind) -> int:
        return sum(change.kind is kind for change in self.changes)

    @property
    def size(self) -> int:
        """Bytes of the files in it."""
        return sum(change.size for change in self.changes)

    @property
    def digest(self) -> str:
        """`sha256:<hex>` over every path, type, mode and content."""
        lines = "\n".join(digest_lines(self.changes))
        return f"sha256:{hashlib.sha256(lines.encode('utf-8', 'surrogateescape')).hexdigest()}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The change sets of one user. Everything here blocks on the disk."""

    root: Path

    def open(self, base: Base) -> str:
        """Make room for a task's overlay; the directory with its `upper` and `work`.

        Raises:
            LaunchFailed, OSError: it cannot be made.
        """
        place = private_dir(private_dir(self.root) / base.task)
        (place / UPPER).mkdir()
        (place / WORK).mkdir(mode=0o700)
        shown = stat.S_IMODE(os.stat(base.workspace).st_mode)
        (place / UPPER).chmod(shown)  # the workspace's own, as the task sees it
        real = msgspec.structs.replace(base, workspace=os.path.realpath(base.workspace))
        (place / _BASE).write_bytes(msgspec.json.encode(real))
        return str(place)

    def names(self) -> list[str]:
        """Tasks with a change set, also those that still run."""
        return sorted(path.parent.name for path in self.root.glob(f"t-*/{_BASE}"))

    def base(self, task: str) -> Base:
        """Raises NotFound: this task has no change set."""
        try:
            return msgspec.json.decode((self._place(task) / _BASE).read_bytes(), type=Base)
        except (OSError, msgspec.MsgspecError):
            raise NotFound(
                f"There are no changes of {task} to review.", hint="See `taskpass changes`."
            ) from None

    def read(self, task: str) -> ChangeSet:
        """Compare a task's layer with the real workspace. The task must be over.

        Raises:
            NotFound: this task has no change set.
            OSError: it cannot be read.
        """
        return ChangeSet(self.base(task), tuple(compare(self._layers(task))))

    def unrecorded(self, task: str) -> ChangeSet | None:
        """The task is over: its change set, None where nothing changed or `recorded` was said.

        Raises as `read`.
        """
        place = self._place(task)
        if (place / _KEPT).exists():
            return None
        found = self.read(task)
        if not found.changes:
            self.drop(task)
            return None
        return found

    def recorded(self, task: str) -> None:
        """The set is on record. Raises OSError."""
        (self._place(task) / _KEPT).touch()

    def diff(self, found: ChangeSet) -> str:
        """Unified diffs of the files in a set, as the files have them; cut where it gets too long.

        Raises OSError.
        """
        layers = self._layers(found.base.task)
        shown: list[str] = []
        size = 0
        for at, change in enumerate(found.changes):
            shown.append(self._diff(layers, change))
            size += len(shown[-1])
            if size > _LONGEST:
                shown.append(f"Not shown: {len(found.changes) - at - 1} more changes.\n")
                break
        return "".join(shown)

    def _diff(self, layers: Layers, change: Change) -> str:
        real, upper = (os.path.join(layer, change.path) for layer in (layers.lower, layers.upper))
        before = _content(real) if change.before is Type.FILE else None
        after = _content(upper) if change.after is Type.FILE else None
        return unified(change.shown, before, after)

    def apply(self, task: str, paths: Sequence[str], *, risky: bool) -> ChangeSet:
        """Apply a task's changes, or those at and below `paths`; what was applied.

        A set of which nothing is left is gone afterwards.

        Raises:
            NotFound, UsageError: no such set, or nothing in it at a path.
            Denied: the real workspace has changed meanwhile, or `risky` was not said for what
                deserves a second look. Nothing was applied.
            TaskpassError: the disk refused on the way; what was applied differs no more.
        """
        found = self.read(task)
        wanted = chosen(found.changes, paths)
        _refuse([c for c in wanted if c.conflict], lambda c: c.conflict, _CONFLICT)
        if not risky:
            _refuse([c for c in wanted if c.risk], lambda c: c.risk, _RISKY)
        try:
            apply(self._layers(task), wanted)
        except OSError as error:
            raise TaskpassError(
                f"Not everything could be applied: {error.strerror}: {error.filename or ''}.",
                hint="The rest is still there: `taskpass changes`.",
            ) from error
        if not self.read(task).changes:
            self.drop(task)
        return ChangeSet(found.base, tuple(wanted))

    def drop(self, task: str) -> None:
        """Forget a task's changes for good. Raises NotFound, OSError."""
        self.base(task)
        place = self._place(task)
        for folder, names, _ in os.walk(place):
            for name in names:
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)  # the task may have closed it, the kernel does
        shutil.rmtree(place)

    def _place(self, task: str) -> Path:
        if os.path.basename(task) != task or not task.startswith("t-"):
            raise UsageError(f"{task} is no task.")
        return self.root / task

    def _layers(self, task: str) -> Layers:
        place = self._place(task)
        began = (place / _BASE).stat().st_ctime_ns
        return Layers(str(place / UPPER), self.base(task).workspace, began)


_CONFLICT = "Put your version aside, or apply the others by name."
_RISKY = "Look at them, then say --risky."


def chosen(changes: Sequence[Change], paths: Sequence[str]) -> list[Change]:
    """The changes at or below `paths`, all of them for none.

    Raises:
        UsageError: there is no change at one of them.
    """
    if not paths:
        return list(changes)
    wanted: dict[str, Change] = {}
    for path in paths:
        below = path.rstrip("/")
        found = [c for c in changes if c.shown == below or c.shown.startswith(below + "/")]
        if not found:
            raise UsageError(f"Nothing was changed at {path}.", hint="See `taskpass changes`.")
        wanted |= {change.path: change for change in found}
    return list(wanted.values())


def _refuse(changes: Sequence[Change], why: Callable[[Change], str], hint: str) -> None:
    if changes:
        told = "; ".join(f"{change.shown} {why(change)}" for change in changes[:5])
        more = f"; and {len(changes) - 5} more" if len(changes) > 5 else ""
        raise Denied(f"Nothing was applied: {told}{more}.", hint=hint)


def _content(path: str) -> bytes:
    """A file's content, with more of it than is shown where it is too long for that."""
    with open_plain(path) as file:
        return file.read(MOST + 1)
