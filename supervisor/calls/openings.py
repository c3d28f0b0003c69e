"""Opened calls on their way to the disk.

A shell command is bound to its call before anything of it runs (`core.bind_call`); there it waits
for the record, which is written while the agent starts the shell. Every other call waits here, and
so does each one after a record that failed, so that its refusal says why.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from supervisor.calls.recorder import Recorder
from supervisor.calls.settlement import Settlement
from supervisor.errors import LedgerFailed
from supervisor.grants.book import TaskEntry
from supervisor.model import Approval, Call, LeaseState, ToolKind

log = logging.getLogger("supervisor")


@dataclass(slots=True)
class Openings:
    """Records them; a call ends whose record fails."""

    records: Recorder
    settlement: Settlement
    denied: Callable[[TaskEntry], object]  # told whose call was refused after all
    step: Callable[[str], None]
    _works: bool = True  # False: the last record failed
    _pending: dict[str, asyncio.Future[None]] = field(default_factory=dict)  # by call

    async def record(self, entry: TaskEntry, call: Call, approval: Approval | None) -> bool:
        """Put an opened call on record, or on its way there; whether time has gone by.

        Raises:
            LedgerFailed: it must not open.
        """
        if call.tool_call.kind is ToolKind.SHELL and self._works:
            later = self._record(entry, call, approval)
            self._pending[call.id] = asyncio.ensure_future(later)
            return False
        await self.records.call("call.opened", entry, call, approval)
        self._works = True
        self.step("open.recorded")
        return True

    async def recorded(self, call: str) -> bool:
        """Wait until the call is on record; False where that was so before."""
        if (pending := self._pending.get(call)) is None:
            return False
        await asyncio.shield(pending)
        return True

    async def _record(self, entry: TaskEntry, call: Call, approval: Approval | None) -> None:
        try:
            await self.records.call("call.opened", entry, call, approval)
            self.step("open.recorded")
        except LedgerFailed as error:
            log.error("a call ends, since it cannot be recorded: %s", error)
            self._works = False
            self.denied(entry)
            await self.settlement.settle(entry.task.id, call.id, "not recorded", LeaseState.CLOSED)
        finally:
            self._pending.pop(call.id, None)
