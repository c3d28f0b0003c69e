"""Learn that a process has exited, without being its parent (pidfd_open(2))."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from supervisor import procfs
from supervisor.model import Process


def watch(process: Process, exited: Callable[[], None]) -> None:
    """Call `exited` once on the running loop when `process` is gone, at once if it is already."""
    loop = asyncio.get_running_loop()
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        loop.call_soon(exited)
        return
    # The pid may have been reused before the descriptor was opened; after, it cannot be.
    if not procfs.lives(process):
        os.close(descriptor)
        loop.call_soon(exited)
        return

    def on_exit() -> None:
        loop.remove_reader(descriptor)
        os.close(descriptor)
        exited()

    loop.add_reader(descriptor, on_exit)
