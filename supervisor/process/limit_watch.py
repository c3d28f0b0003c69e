"""Tells when a task meets a limit of its cgroup: the first time at once, then in sums."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

from supervisor.process import linux
from supervisor.process.cgroup import Group

_PAUSE = 30.0  # seconds between two notices: a fork bomb meets its limit thousands of times
_BUFFER = 64 * 1024


class LimitWatch:
    """Watches one group from the running loop. `tell` is given the limit's name and how often."""

    def __init__(self, group: Group, tell: Callable[[str, int], None]) -> None:
        self._group = group
        self._tell = tell
        self._told = group.hits()
        self._waiting: asyncio.TimerHandle | None = None
        self._inotify = -1
        # An account has few of these, and editors use them up: then it is told at the end.
        with contextlib.suppress(OSError):
            self._inotify = linux.inotify(group.watched)
            asyncio.get_running_loop().add_reader(self._inotify, self._changed)

    def _changed(self) -> None:
        os.read(self._inotify, _BUFFER)  # what changed is read from the group
        if self._waiting is None:
            self.look()

    def look(self) -> None:
        """Tell what has not been told yet."""
        loop = asyncio.get_running_loop()
        now = self._group.hits()
        fresh = {name: count - self._told[name] for name, count in now.items()}
        self._told = now
        self._waiting = None
        for name, times in fresh.items():
            if times > 0:
                self._tell(name, times)
                self._waiting = self._waiting or loop.call_later(_PAUSE, self.look)

    def close(self) -> None:
        """Tell the rest, and watch no more."""
        self.look()
        if self._waiting is not None:
            self._waiting.cancel()
        if self._inotify >= 0:
            asyncio.get_running_loop().remove_reader(self._inotify)
            os.close(self._inotify)
