"""A crowd of processes that are hard to end, and how to see when the last of them is gone.

Each leaves its tree by fork and setsid, ignores signals, and holds a pipe open for as long as it
lives: so it is the kernel that tells.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from pathlib import Path

from tests.support.live import PATIENCE, wait_for

SIZE = 200
PIPE = "crowd"  # a FIFO in the directory where the script runs
SCRIPT = f"""
exec 3>{PIPE}
i=0
while [ $i -lt {SIZE} ]; do
  (setsid sh -c 'trap "" TERM HUP INT; printf x >&3; exec sleep 1000' &)
  i=$((i + 1))
done
exec sleep 1000
"""


class Gate:
    """The other end of the pipe."""

    def __init__(self, pipe: Path) -> None:
        self._reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._here = 0

    def __enter__(self) -> Gate:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reader)

    def all_here(self, size: int = SIZE) -> None:
        """Wait for the whole crowd."""
        wait_for(lambda: self.here(size), f"{size} processes", 2 * PATIENCE)

    def here(self, size: int) -> bool:
        """Whether so many have come; each has written one byte."""
        with contextlib.suppress(BlockingIOError):
            self._here += len(os.read(self._reader, 4096))
        return self._here >= size

    def all_gone(self) -> int:
        """Wait until nobody holds the other end any more; when that was, as `time.time_ns`."""
        poller = select.poll()
        poller.register(self._reader, 0)  # POLLHUP is always told
        assert poller.poll(PATIENCE * 1000), "some of the crowd live on"
        return time.time_ns()
