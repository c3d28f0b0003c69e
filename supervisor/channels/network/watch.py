"""What a contained task was refused: recorded, and sometimes asked about.

Nothing depends on it: while no supervisor reads, the kernel refuses all the same.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from supervisor.channels.network.doors import Doors, listening_ports
from supervisor.channels.network.names import Names
from supervisor.channels.network.packets import is_loopback, refused
from supervisor.channels.network.reports import Reports
from supervisor.ports import Attempt, Channel, Egress

_PACKET = 256  # bytes looked at: the headers
_AT_ONCE = 64  # packets read before others get their turn
_AT_END = 4096  # more than the socket holds
_RESPITE = 0.1  # seconds
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_STATISTICS = struct.Struct("=II")  # struct tpacket_stats: packets, drops
_SETTLE = 0.3  # seconds until a new target is asked about: a scan shows itself by then


class EgressWatch(Channel):
    """Reads one task's watching socket, which it owns from here."""

    def __init__(
        self, task: str, watch: socket.socket, egress: Egress, names: Names, doors: Doors
    ) -> None:
        self._watch = watch
        watch.setblocking(False)  # also for a task that ends before it is served
        self._reports = Reports(task, egress, self._unseen)
        self._names = names
        self._doors = doors
        self._full_batch = float("-inf")  # when one was read last
        self._resuming: asyncio.TimerHandle | None = None
        self._knocked: set[int] = set()  # ports of the task's loopback that were tried
        self._looking: asyncio.Task[None] | None = None
        self._jobs: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        self._listen()

    def _read(self) -> None:
        if self._drain(_AT_ONCE) and self._fast(time.monotonic()):
            # A flood: what the socket cannot hold meanwhile is counted by the kernel.
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._watch.fileno())
            self._resuming = loop.call_later(_RESPITE, self._listen)

    def _listen(self) -> None:
        asyncio.get_running_loop().add_reader(self._watch.fileno(), self._read)

    def _drain(self, most: int) -> bool:
        """Note what has come, up to so many; whether there may be more."""
        for _ in range(most):
            try:
                packet = self._watch.recv(_PACKET)
            except OSError:  # no more for now, or the namespace is going away
                return False
            attempt = refused(packet)
            if attempt is not None:
                self._note(attempt)
        return True

    def _fast(self, now: float) -> bool:
        """Whether whole batches follow each other faster than a program has use for."""
        recent, self._full_batch = now - self._full_batch < _RESPITE, now
        return recent

    def _note(self, attempt: Attempt) -> None:
        if is_loopback(attempt.address):
            # The task's own loopback, where a server of its own may just not be up yet: that
            # concerns nobody, unless the machine has a service there.
            if attempt.protocol == "tcp":
                self._knocked.add(attempt.port)
                if self._looking is None or self._looking.done():
                    self._looking = self._ask(self._look_at_loopback())
            return
        attempt = replace(attempt, name=self._names.name(attempt.address))
        if self._reports.add(attempt) and attempt.protocol == "tcp":
            self._ask(self._outside(attempt))

    async def _outside(self, attempt: Attempt) -> None:
        await asyncio.sleep(_SETTLE)
        if not self._reports.scanning:
            await self._doors.ask_outside(attempt)

    async def _look_at_loopback(self) -> None:
        """Of the ports tried on the task's loopback, those where the machine has a service."""
        while self._knocked:
            for port in await self._services_knocked_at():
                self._ask(self._loopback(port))
            await asyncio.sleep(_SETTLE)  # whoever waits for a server tries again and again

    async def _loopback(self, port: int) -> None:
        await asyncio.sleep(_SETTLE)
        if not self._reports.scanning:
            await self._doors.ask_loopback(port)

    async def _services_knocked_at(self) -> list[int]:
        """Put them on record; those to be asked about."""
        serving = await asyncio.to_thread(listening_ports)
        knocked, self._knocked = self._knocked, set()
        return [
            port
            for port in knocked & serving
            if self._reports.add(Attempt("tcp", "127.0.0.1", port, "localhost"))
        ]

    def _unseen(self) -> int:
        """Packets that the socket could not hold since it was last asked."""
        counters = self._watch.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _STATISTICS.size)
        return int(_STATISTICS.unpack(counters)[1])

    def _ask(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        job = asyncio.get_running_loop().create_task(work)
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        return job

    def cut(self, lease: str = "") -> int:
        return 0  # it carries nothing

    async def close(self) -> None:
        """Put the last attempts on record, and stop."""
        if self._watch.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._watch.fileno())
        if self._resuming is not None:
            self._resuming.cancel()
        self._drain(_AT_END)
        if self._knocked:  # a task may be over sooner than we look
            await self._services_knocked_at()
        for job in set(self._jobs):
            job.cancel()
        await self._reports.close()
        self._watch.close()
