"""The end of calls and leases: cut on the wire, revoked upstream, on record."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from supervisor.calls.filedoors import FileDoors
from supervisor.calls.recorder import Recorder
from supervisor.calls.revoking import Revoking
from supervisor.desk import Desk
from supervisor.errors import LedgerFailed
from supervisor.grants.book import Book, CallEntry
from supervisor.model import Lease, LeaseState
from supervisor.protocol.wire import LeaseChanged


@dataclass(slots=True)
class Settlement:
    """Ends what `core` opened."""

    book: Book
    records: Recorder
    desk: Desk
    doors: FileDoors
    revoking: Revoking
    bind_grace: float  # seconds a background command's shell has to bind
    clock: Callable[[], float] = time.time
    step: Callable[[str], None] = lambda name: None
    settled: Callable[[str], None] = lambda task: None  # told whose call it was
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)  # by call

    def arm(self, opened: CallEntry) -> None:
        """End a call at its maximum age, whatever its processes do."""
        call = opened.call
        self._timers[call.id] = asyncio.get_running_loop().call_later(
            max(0.0, opened.deadline - self.clock()),
            lambda: self.desk.spawn(
                self.settle(call.task, call.id, "maximum age", LeaseState.EXPIRED)
            ),
        )

    def expect_bind(self, reported: CallEntry, outcome: str) -> None:
        """Settle a call that its agent reported as done, unless a shell binds it very soon."""
        call = reported.call

        async def look() -> None:
            opened = self.book.call(call.id)
            if opened is not None and opened.call.root is None:
                await self.settle(call.task, call.id, outcome, LeaseState.CLOSED)

        asyncio.get_running_loop().call_later(self.bind_grace, lambda: self.desk.spawn(look()))

    async def settle(self, task: str, call: str, outcome: str, state: LeaseState) -> None:
        """Close a call with its leases; nothing happens when it is closed already."""
        opened = self.book.call(call)
        if opened is None:
            return
        task = opened.call.task  # or a subagent's below the one that was named
        closed = self.book.settle(call, state=state, now=self.clock())
        if timer := self._timers.pop(call, None):
            timer.cancel()
        self.cut(task, closed)
        self.step("settle.cut")
        await self.doors.close(opened.call)
        await self.end_upstream(closed)
        with contextlib.suppress(LedgerFailed):
            await self.records.write(
                "call.settled",
                self.book.task(task),
                call=call,
                outcome=outcome,
                # Of others the next supervisor says that they are possibly live.
                leases=[lease.id for lease in closed if self.revoking.safe(lease.id)],
                seconds=round(self.clock() - opened.call.opened, 3),
            )
        self.step("settle.recorded")
        self.settled(task)

    def cut(self, task: str, leases: Sequence[Lease]) -> int:
        """Abort the connections of `leases` and tell the screens; how many there were."""
        runtime = self.desk.runtimes.get(task)
        cut = 0
        for lease in leases:
            if runtime is not None:
                cut += sum(channel.cut(lease.id) for channel in runtime.channels)
            self.desk.publish(LeaseChanged(lease=lease))
        return cut

    async def end_upstream(self, leases: Sequence[Lease]) -> int:
        """Revoke what was minted for `leases`; how many are not confirmed yet."""
        return await self.revoking.end(leases)
