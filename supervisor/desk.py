"""What the parts of the engine share about running tasks: their live parts, and telling screens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from supervisor.effects.files import Place
from supervisor.grants.book import TaskEntry
from supervisor.model import Process, TaskState
from supervisor.ports import Channel, ConnectionOwner, PolicyEngine, Profile, TaskControl
from supervisor.protocol.wire import Event, TaskChanged

log = logging.getLogger("supervisor")


@dataclass(slots=True)
class TaskRuntime:
    """The live parts of one task, handed to the engine by the launcher."""

    profile: Profile
    policy: PolicyEngine
    control: TaskControl
    owner: ConnectionOwner
    channels: list[Channel]
    shell_prefix: Callable[[str], str]  # handle → text put before a shell command
    model_hosts: frozenset[str]  # "host:port"
    watch: Callable[[Process, Callable[[], None]], None]  # tell when a process has exited
    # As it was when the task began: a link that takes the workspace's place later moves nothing.
    place: Place


@dataclass(slots=True)
class Desk:
    """The running tasks, what is going on behind them, and the screens that watch."""

    publish: Callable[[Event], None]
    view: Callable[[TaskEntry], Any]  # TaskEntry → wire.TaskView
    watched: Callable[[], bool] = lambda: True  # whether there is a screen
    runtimes: dict[str, TaskRuntime] = field(default_factory=dict)
    _background: set[asyncio.Future[None]] = field(default_factory=set)

    def set_activity(self, entry: TaskEntry, state: TaskState) -> None:
        if entry.activity is not state:
            entry.activity = state
            self.changed(entry)

    def changed(self, entry: TaskEntry) -> None:
        if self.watched():  # else no call waits for what nobody sees
            self.publish(TaskChanged(task=self.view(entry)))

    def spawn(self, work: Awaitable[None]) -> None:
        """Let `work` go on behind whatever asked for it; a failure is logged."""
        job = asyncio.ensure_future(work)
        self._background.add(job)
        job.add_done_callback(self._reap)

    def _reap(self, job: asyncio.Future[None]) -> None:
        self._background.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            log.error("background work failed", exc_info=error)
