"""Change sets of tasks that ran over an overlay: made room for, put on record, decided about.

A task that asked for it (or whose project does) works on an overlay of its workspace. What it left
there waits here, across restarts, until a person applies or drops it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from supervisor.changes.change import Change, Kind
from supervisor.changes.shelf import Base, ChangeSet, Shelf
from supervisor.core import Engine
from supervisor.errors import Denied, NotFound, TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.protocol.wire import AppliedView, ChangeSetView, ChangeView

log = logging.getLogger("supervisor")
_T = TypeVar("_T")


@dataclass(slots=True)
class Reviews:
    """Every change set of this user. The disk is read in threads, one at a time for each set."""

    shelf: Shelf
    engine: Engine
    _turns: defaultdict[str, asyncio.Lock] = field(
        default_factory=lambda: defaultdict(asyncio.Lock)
    )

    async def make_room(self, entry: TaskEntry) -> str:
        """A directory for the overlay of a task that starts.

        Raises:
            LaunchFailed, OSError: there is none to be had.
        """
        task = entry.task
        base = Base(task.id, entry.number, task.purpose, task.workspace)
        return await asyncio.to_thread(self.shelf.open, base)

    async def discard(self, task: str) -> None:
        """The task never ran: nothing of it is kept."""
        with contextlib.suppress(NotFound, OSError):
            await self._alone(task, lambda: self.shelf.drop(task))

    async def keep(self, task: str) -> None:
        """The task is over: what it changed goes on record, once, and is shown as to be reviewed.

        Never raises: what cannot be read now is still there to be read later.
        """
        try:
            found = await self._alone(task, lambda: self.shelf.unrecorded(task))
            if found is not None:
                await self._record("changes.kept", found.base, found)
                await self._alone(task, lambda: self.shelf.recorded(task))
                self._tell(task, len(found.changes))
        except (OSError, TaskpassError) as error:
            log.warning("the changes of %s: %s", task, error)

    async def keep_left(self) -> None:
        """After a start: put on record what tasks left that ended while no supervisor ran."""
        for task in await asyncio.to_thread(self.shelf.names):
            if not self._running(task):
                await self.keep(task)

    async def listing(self) -> list[ChangeSetView]:
        """All sets, without the changes themselves; of a running task only that there is one."""
        views = []
        for task in await asyncio.to_thread(self.shelf.names):
            with contextlib.suppress(NotFound):  # decided about meanwhile
                views.append(_view(await self._read(task), running=self._running(task)))
        return views

    async def show(self, task: str, *, diff: bool) -> ChangeSetView:
        """One set, change by change; with `diff` also as text.

        Raises:
            NotFound: there is none.
            Denied: the task still runs.
        """
        self._require_over(task)
        found = await self._read(task)
        text = await self._alone(task, lambda: self.shelf.diff(found)) if diff else ""
        return _view(found, running=False, changes=True, diff=text)

    async def apply(self, task: str, paths: Sequence[str], *, risky: bool, by: str) -> AppliedView:
        """Carry changes over into the real workspace; see `Shelf.apply`.

        Raises:
            Denied, NotFound, UsageError, TaskpassError.
        """
        self._require_over(task)

        def carry() -> tuple[ChangeSet, int]:
            applied = self.shelf.apply(task, paths, risky=risky)
            left = self.shelf.read(task) if task in self.shelf.names() else None
            return applied, len(left.changes) if left else 0

        applied, left = await self._alone(task, carry)
        await self._record("changes.applied", applied.base, applied, by=by, left=left)
        self._tell(task, left)
        return AppliedView(applied=len(applied.changes), left=left)

    async def drop(self, task: str, *, by: str) -> int:
        """Forget a set for good; how many changes that were.

        Raises:
            Denied, NotFound, OSError.
        """
        self._require_over(task)
        found = await self._read(task)
        # On record first: afterwards nobody could tell what it was.
        await self._record("changes.dropped", found.base, found, by=by)
        await self._alone(task, lambda: self.shelf.drop(task))
        self._tell(task, 0)
        return len(found.changes)

    async def _alone(self, task: str, work: Callable[[], _T]) -> _T:
        async with self._turns[task]:
            return await asyncio.to_thread(work)

    async def _read(self, task: str) -> ChangeSet:
        if self._running(task):
            return ChangeSet(await asyncio.to_thread(self.shelf.base, task), ())
        return await self._alone(task, lambda: self.shelf.read(task))

    def _entry(self, task: str) -> TaskEntry | None:
        with contextlib.suppress(NotFound):
            return self.engine.book.task(task)
        return None

    def _running(self, task: str) -> bool:
        entry = self._entry(task)
        return entry is not None and not entry.ended

    def _require_over(self, task: str) -> None:
        if self._running(task):
            raise Denied(
                "This task still works on its changes.", hint="Review them when it has ended."
            )

    def _tell(self, task: str, left: int) -> None:
        if (entry := self._entry(task)) is not None:
            entry.to_review = left
            self.engine.desk.changed(entry)

    async def _record(
        self, kind: str, base: Base, found: ChangeSet, *, by: str = "", left: int = 0
    ) -> None:
        """Raises LedgerFailed."""
        entry = self._entry(base.task)
        who = self.engine.records.who(entry) if entry else {"task": base.task}
        counts = {kind.value: found.count(kind) for kind in Kind}
        body = {
            "workspace": base.workspace,
            "preview": ", ".join(f"{count} {kind}" for kind, count in counts.items()),
            "bytes": found.size,
            "digest": found.digest,
            "left": left,
            "by": by,
        }
        await self.engine.ledger.append(kind, who | body | counts)


def _view(
    found: ChangeSet, *, running: bool, changes: bool = False, diff: str = ""
) -> ChangeSetView:
    return ChangeSetView(
        task=found.base.task,
        number=found.base.number,
        purpose=found.base.purpose,
        workspace=found.base.workspace,
        running=running,
        added=found.count(Kind.ADDED),
        modified=found.count(Kind.MODIFIED),
        deleted=found.count(Kind.DELETED),
        size=found.size,
        digest=found.digest,
        changes=tuple(_change(change) for change in found.changes) if changes else (),
        diff=diff,
    )


def _change(change: Change) -> ChangeView:
    return ChangeView(
        path=change.shown,
        kind=change.kind,
        before=change.before,
        after=change.after,
        mode=change.mode,
        mode_before=change.mode_before,
        size=change.size,
        risk=change.risk,
        conflict=change.conflict,
    )
