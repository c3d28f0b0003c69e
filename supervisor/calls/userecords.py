"""When a use's record has to be on disk: the first of its kind before release, the others soon.

The first use of a lease (or, without a credential, of a call) of an origin, by a method, on a route
is durable before anything leaves. Its repetitions go ahead of their records, in order, by 0.1 s at
most: a disk that falls further behind is waited for, and one that fails ends the lease. The record
of a repetition that has ended meanwhile says so (`status`, as `use.delivered` has it).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supervisor.calls.recorder import Recorder
from supervisor.calls.settlement import Settlement
from supervisor.desk import Desk
from supervisor.effects.routes import route_of
from supervisor.errors import LedgerFailed
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import (
    Approval,
    CredentialSpec,
    Decision,
    Effect,
    KillMode,
    Lease,
    LeaseState,
    Outcome,
    Verb,
)

log = logging.getLogger("supervisor")

LATEST = 0.1  # seconds that a record may be behind its use
_MOST = 4096  # uses whose records can be added to


@dataclass(frozen=True, slots=True)
class UseRecords:
    """Puts uses on record."""

    book: Book
    records: Recorder
    desk: Desk
    settlement: Settlement
    clock: Callable[[], float] = time.time
    # By use, what adds to its record.
    _open: dict[str, Callable[[Mapping[str, Any]], bool]] = field(default_factory=dict)

    async def opened(
        self,
        kind: str,
        entry: TaskEntry,
        call: CallEntry,
        use: str,
        effects: Sequence[Effect],
        decision: Decision,
        approval: Approval | None,
        *,
        lease: Lease | None = None,
        spec: CredentialSpec | None = None,
        kill_mode: KillMode = KillMode.WIRE,
        lifetime: float = 0.0,
    ) -> None:
        """Record a use before it is released, or, as a repetition, meanwhile.

        Args:
            kill_mode: of the credential's issuer; what works without us is never ahead.
            lifetime: how long what it makes may live without us, seconds.

        Raises:
            LedgerFailed: it is not on record, and must not be released.
        """
        held = lease.id if lease else ""
        same = (held, *map(_kind_of, effects))
        body = self.records.use(
            entry, call, use, effects, decision, approval, lease=lease, spec=spec
        )
        if kill_mode is not KillMode.WIRE:  # after a crash it may be live beyond its lease
            body["until"] = max(body["until"], self.clock() + lifetime)
        if (
            same in call.recorded
            and decision.outcome is Outcome.ALLOW
            and kill_mode is KillMode.WIRE
            and self.records.ledger.lag < LATEST
        ):
            task = entry.task.id
            self._open[use] = self.records.behind(
                kind, entry, body, lambda error: self._failed(task, call, held, error)
            )
            if len(self._open) > _MOST:  # of uses that never began, whose end nobody tells
                del self._open[next(iter(self._open))]
        else:
            await self.records.write(kind, entry, **body)
            call.recorded.add(same)

    def ended(self, entry: TaskEntry, use: str, lease: str, status: int) -> None:
        """Record how a use ended: with its beginning, where that is not written yet, else after."""
        add = self._open.pop(use, None)
        if add is None or not add({"status": status}):
            body = {"use": use, "lease": lease, "status": status}
            self.records.behind("use.delivered", entry, body)

    def _failed(self, task: str, call: CallEntry, lease: str, error: LedgerFailed) -> None:
        """What went ahead of its record goes no further."""
        log.error("a lease ends, since its use cannot be recorded: %s", error)
        call.recorded.clear()  # the next one waits, so that its refusal says why
        if (closed := self.book.close_lease(lease, LeaseState.CLOSED, self.clock())) is not None:
            self.settlement.cut(task, [closed])
            self.desk.spawn(self._ended(closed))

    async def _ended(self, lease: Lease) -> None:
        await self.settlement.end_upstream([lease])


def _kind_of(effect: Effect) -> Hashable:
    if effect.verb is not Verb.HTTP:
        return effect.label
    told = effect.attributes
    # One route carries all of GraphQL, and a WebSocket too.
    asked = (told.get("graphql"), told.get("fields"), told.get("websocket"))
    return effect.resource, told.get("method"), route_of(str(told.get("path", ""))), asked
