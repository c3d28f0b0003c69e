"""What follows from the word of a task's holder: its agent runs, has ended, or was lost."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.core import Engine
from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.identity.attest_linux import SockDiagOwner
from supervisor.intake.hooks_http import HookIntake
from supervisor.model import Process
from supervisor.ports import Channel
from supervisor.process import cgroup
from supervisor.process.placeholders import Placeholders
from supervisor.process.unchanged import differing
from supervisor.tasks import saved
from supervisor.tasks.holder_link import HolderLink
from supervisor.tasks.lifecycle import Lifecycle
from supervisor.tasks.reviewing import Reviews
from supervisor.tasks.saved import TaskFile

_SHOWN = 30.0  # seconds for which a command under a task is listed after its end


@dataclass(slots=True)
class Followed:
    """One task, from the start of its agent to the end of its holder."""

    engine: Engine
    lifecycle: Lifecycle
    reviews: Reviews
    placeholders: Placeholders
    delegation: cgroup.Delegation
    entry: TaskEntry
    task_file: TaskFile
    folder: Path
    link: HolderLink
    owner: SockDiagOwner
    services: Sequence[Channel | HookIntake]
    forget: Callable[[], object]  # that there is a holder
    reopened: str  # handle of the one call of an agent that runs already and announces none
    _finishing: asyncio.Lock = field(default_factory=asyncio.Lock)

    def listen(self) -> None:
        """Heed the holder from now on."""
        spawn = self.engine.desk.spawn
        self.link.on_limit_met = lambda limit, times: spawn(
            self.lifecycle.limit_met(self.entry.task.id, limit, times)
        )
        self.link.on_clipboard = lambda answer: spawn(
            self.lifecycle.clipboard_answered(self.entry.task.id, answer)
        )
        self.link.on_spawned = lambda root: spawn(self.serve(root))
        self.link.on_exited = lambda code: spawn(self.finish(code))
        self.link.on_lost = lambda: spawn(self._lost())
        self.link.on_failed = lambda error: spawn(self._failed(error))
        spawn(self.link.listen())

    async def serve(self, root: Process) -> None:
        """The agent is there: it may be served."""
        task = self.entry.task.id
        await self.lifecycle.started(task, root)
        if self.reopened and not self.entry.revoked:
            await self.lifecycle.reopen_process_call(task, self.reopened)
        for service in self.services:
            await service.serve()

    async def finish(self, code: int, *, lost: bool = False) -> None:
        """The agent has ended; its pane may stay."""
        async with self._finishing:
            if not self.entry.ended:
                # First, so that whoever waits for the end finds the workspace as it was.
                await self._tidy()
            await self.lifecycle.ended(self.entry.task.id, code, lost=lost)
            if self.entry.task.overlay:
                await self.reviews.keep(self.entry.task.id)
            for service in self.services:
                await service.close()
            await asyncio.to_thread(shutil.rmtree, saved.agent_dir(self.folder), ignore_errors=True)
        if not self.task_file.pane:
            # There is no last screen to look at: its holder has nothing left to do.
            with contextlib.suppress(LaunchFailed):
                await self.link.kill()

    async def _lost(self) -> None:
        # A holder that dies takes its tree with it, whatever it was going to report.
        await self.finish(125, lost=not self.entry.revoked)
        self.owner.close()
        task = self.entry.task
        if cgroup.limited(task.limits):  # a holder that was killed could not
            await asyncio.to_thread(cgroup.of(self.delegation.path, task.id).remove)
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
        self.engine.desk.runtimes.pop(task.id, None)
        self.forget()
        if self.entry.above is not None:  # a command under another task is soon of no interest
            forget = self.engine.book.forget_child
            asyncio.get_running_loop().call_later(_SHOWN, forget, self.entry)

    async def _failed(self, error: TaskpassError) -> None:
        await self.lifecycle.fail(self.entry, str(error))

    async def _tidy(self) -> None:
        """Say what did not stay as it had to, and take away what was put there for the task."""
        task = self.entry.task.id

        def look() -> list[str]:
            free = (*self.task_file.folders, *self.placeholders.made())
            changed = differing(self.task_file.marks, free)
            self.placeholders.release(task)
            return changed

        if changed := await asyncio.to_thread(look):
            await self.engine.incident(task, "guarded_changed", {"paths": changed})
