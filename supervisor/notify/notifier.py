"""The supervisor's own notifications: the desktop and a webhook, for who looks at no screen."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from supervisor.model import ApprovalRequest
from supervisor.notify import desktop
from supervisor.notify.pace import Pace
from supervisor.notify.words import Waiting

log = logging.getLogger("supervisor")

DELAY = 2.0  # seconds: screens tell first, and say so
_MOST_AT_ONCE = 4  # messages on their way; more are dropped

Tell = Callable[[Sequence[Waiting]], Awaitable[object]]


@dataclass(slots=True)
class Way:
    """One way of telling, with what it need not tell."""

    tell: Tell
    pace: Pace = field(default_factory=lambda: Pace(delay=DELAY))
    seen: set[str] = field(default_factory=set)
    again: asyncio.TimerHandle | None = None
    sending: set[asyncio.Future[object]] = field(default_factory=set)


class Notifier:
    """Tells each way at its own pace.

    Args:
        waiting: the requests that wait, oldest first.
        known: what is known of a request's task.
        on_desktop: whether the desktop is told, where there is one.
        webhook: tells a webhook; None without one.
    """

    def __init__(
        self,
        waiting: Callable[[], Sequence[ApprovalRequest]],
        known: Callable[[ApprovalRequest], Waiting],
        *,
        on_desktop: bool = True,
        webhook: Tell | None = None,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._waiting = waiting
        self._known = known
        self._ticks = ticks
        self._desktop: Way | None = None
        if on_desktop and desktop.available(os.environ):
            self._desktop = Way(lambda found: desktop.tell(found, os.environ))
        self._webhook = Way(webhook) if webhook is not None else None

    def heard(self) -> None:
        """Something was asked."""
        for way in (self._desktop, self._webhook):
            if way is not None:
                self._look(way)

    def noticed(self, ids: Sequence[str], *, looked_at: bool) -> None:
        """A screen shows these to its person, or told the desktop of them by its terminal."""
        if self._desktop is not None:
            self._desktop.seen.update(ids)
        if self._webhook is not None and looked_at:
            self._webhook.seen.update(ids)

    def close(self) -> None:
        """Nobody is told any more."""
        for way in (self._desktop, self._webhook):
            if way is not None:
                if way.again is not None:
                    way.again.cancel()
                for job in way.sending:
                    job.cancel()

    def _look(self, way: Way) -> None:
        if way.again is not None:
            way.again.cancel()
            way.again = None
        waiting = {one.id: one for one in self._waiting()}
        way.seen &= set(waiting)
        due = way.pace.due(list(waiting), way.seen, self._ticks())
        if due.again is not None:
            way.again = asyncio.get_running_loop().call_later(due.again, self._look, way)
        if due.ids and len(way.sending) < _MOST_AT_ONCE:
            job = asyncio.ensure_future(way.tell([self._known(waiting[one]) for one in due.ids]))
            way.sending.add(job)
            job.add_done_callback(way.sending.discard)
            job.add_done_callback(_failed)


def _failed(job: asyncio.Future[object]) -> None:
    if not job.cancelled() and (error := job.exception()) is not None:
        log.error("a notification failed", exc_info=error)
