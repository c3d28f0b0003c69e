"""Minds the person's policy files: what tightens holds at once, what loosens waits for them."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.core import Engine
from supervisor.errors import NotFound, TaskpassError
from supervisor.policy.engine import CedarEngine
from supervisor.policy.in_force import Change, Policies

log = logging.getLogger("supervisor")

_MAX_DIFF = 16_000  # characters of a change that are kept on record
_GATHER = 100  # milliseconds without a further change, after which one is looked at
_STEP = 50


@dataclass(slots=True)
class PolicyWatch:
    """Looks at the files whenever something in their directory changes."""

    engine: Engine
    policies: Policies
    directory: Path  # with `policy/` and `rules.toml`; it exists
    _fault: str = ""  # what was said last of files that cannot be used
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """Until cancelled. What was changed while nobody watched is seen first."""
        # After the start, and beside the loop: nothing waits for it.
        watchfiles = await asyncio.to_thread(importlib.import_module, "watchfiles")
        waiting = await asyncio.to_thread(self.policies.pending)
        if waiting.loosens:  # from before our start
            with contextlib.suppress(TaskpassError):
                await self._tell(waiting, [])
        for polling in (None, True):  # of itself; else as where nothing more can be watched
            await self.look()
            try:
                changes = watchfiles.awatch(
                    self.directory, debounce=_GATHER, step=_STEP, force_polling=polling
                )
                async for _ in changes:
                    await self.look()
            except (OSError, RuntimeError) as error:
                log.warning("cannot watch %s: %s", self.directory, error)

    async def look(self) -> Change | None:
        """Put what has been tightened in force, also for running tasks, and the change on record.

        Asked before each task starts as well: it does not depend on what could be watched.

        Returns:
            The change, None where there is none or the files cannot be used.
        """
        async with self._looking:
            return await self._look()

    async def _look(self) -> Change | None:
        try:
            change = await asyncio.to_thread(self.policies.look)
            if change is None:
                return None
            self._fault = ""
            tasks = await asyncio.to_thread(self._tighten)
            await self._tell(change, tasks)
        except TaskpassError as error:
            await self._report(str(error))
            return None
        return change

    async def accept(self, digest: str, by: str) -> Change:
        """Put the files in force as the person was shown them. On record first.

        Raises:
            NotFound: the files are others by now, or nothing waits.
            LedgerFailed, PolicyError, ConfigError: nothing is accepted.
        """
        await self.look()
        pending = self.policies.pending()
        if not pending.loosens or pending.digest != digest:
            raise NotFound(
                "The policy files are not those that were shown.",
                hint="Look at them again: taskpass policy accept.",
            )
        accepted = {"by": by, "digest": digest, "loosens": list(pending.loosens)}
        await self.engine.ledger.append("policy.accepted", accepted)
        return await asyncio.to_thread(self.policies.accept, digest)

    async def _tell(self, change: Change, tasks: list[str]) -> None:
        diff = self.engine.records.redact(change.diff)[:_MAX_DIFF]
        told = {"digest": change.digest, "diff": diff, "waits": list(change.loosens)}
        await self.engine.ledger.append("policy.changed", told | {"tasks": tasks})

    def _tighten(self) -> list[str]:
        """Tighten running tasks. Returns those whose policy is another now."""
        changed: list[str] = []
        for entry in list(self.engine.book.tasks()):
            runtime = self.engine.desk.runtimes.get(entry.task.id)
            if runtime is None or not isinstance(runtime.policy, CedarEngine):
                continue
            tightened = self.policies.tightened(runtime.policy)
            if tightened is not runtime.policy:
                runtime.policy, entry.policy = tightened, tightened.digest
                changed.append(entry.task.id)
        return changed

    async def _report(self, fault: str) -> None:
        if fault != self._fault:
            self._fault = fault
            log.warning("the policy files stay out of force: %s", fault)
            with contextlib.suppress(TaskpassError):
                await self.engine.ledger.append("policy.unusable", {"reason": fault})
