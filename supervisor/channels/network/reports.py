"""Refused attempts on their way to the history: the first at a target at once, the rest in sums."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from supervisor.channels.network.tally import Tally
from supervisor.ports import Attempt, Channel, Egress

_FIRST_SUMMARY, _LAST_SUMMARY = 5.0, 300.0  # seconds between summaries, doubled each time


class Reports(Channel):
    """Of one task. A channel of its own where a gate refuses (tier B): it carries nothing."""

    def __init__(self, task: str, egress: Egress, unseen: Callable[[], int] = lambda: 0) -> None:
        """`unseen`: how many attempts nobody saw one by one, since it was last asked."""
        self._task = task
        self._egress = egress
        self._unseen = unseen
        self._tally = Tally()
        self._pause = _FIRST_SUMMARY
        self._timer: asyncio.TimerHandle | None = None
        self._records: set[asyncio.Task[None]] = set()
        self._closed = False

    def add(self, attempt: Attempt) -> bool:
        """Put it on record, now or in a summary; whether it is at a target to be asked about."""
        if self._closed:
            return False
        now = time.monotonic()
        tell, fresh = self._tally.add(attempt, now)
        if tell:
            self._record(attempt)
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._pause, self._summarise)
            self._pause = min(self._pause * 2, _LAST_SUMMARY)
        return fresh and not self._tally.scanning(now)

    @property
    def scanning(self) -> bool:
        return self._tally.scanning(time.monotonic())

    def _summarise(self) -> None:
        self._timer = None
        self._tally.lost(self._unseen())
        for attempt, times in self._tally.summary():
            self._record(attempt, times)

    def _record(self, attempt: Attempt, times: int = 1) -> None:
        work = self._egress.refused(self._task, attempt, times)
        job = asyncio.get_running_loop().create_task(work)
        self._records.add(job)
        job.add_done_callback(self._records.discard)

    async def serve(self) -> None:
        """There is nothing to listen at."""

    def cut(self, lease: str = "") -> int:
        return 0

    async def close(self) -> None:
        """Put the last attempts on record, and take no more."""
        if self._closed:
            return
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._summarise()
        await asyncio.gather(*self._records)
