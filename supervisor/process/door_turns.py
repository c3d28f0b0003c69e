"""The doors of a task, opened and closed as the daemon says: one word after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from supervisor.errors import LaunchFailed
from supervisor.model import Process
from supervisor.process.filedoors import Doors
from supervisor.protocol import holder_wire


class DoorTurns:
    """Answers each word of the daemon's with a `DoorsAnswered`.

    Args:
        doors: of the task's container; None where nothing contains it.
        tell: sends to the daemon.
    """

    def __init__(self, doors: Doors | None, tell: Callable[[holder_wire.FromHolder], None]) -> None:
        self._doors = doors
        self._tell = tell
        self._work: asyncio.Task[None] | None = None  # the newest; each waits for the last
        self._over = False  # the agent has ended

    def open(self, message: holder_wire.OpenDoors, root: Process | None) -> None:
        """Let a call's files into the container of `root`."""
        self._in_turn(self._open(message, root))

    def close(self, message: holder_wire.CloseDoors) -> None:
        """Take a call's files out again, and put those it made in place."""
        self._in_turn(self._close(message))

    def close_all(self) -> None:
        """Close what is open, of whatever call, and tell nobody."""
        if self._doors is not None and self._doors.any:
            self._in_turn(self._doors.close_all())

    def over(self) -> None:
        """The agent has ended: nothing is to keep its container's mounts alive."""
        self._over = True
        if self._doors is not None and not self._doors.any:
            self._doors.drop()
            self._doors = None

    def _in_turn(self, work: Coroutine[None, None, None]) -> None:
        last = self._work

        async def in_turn() -> None:
            if last is not None:
                await asyncio.wait([last])
            await work

        self._work = asyncio.create_task(in_turn())

    async def _open(self, message: holder_wire.OpenDoors, root: Process | None) -> None:
        problem = "" if self._doors is not None else "Nothing contains this task."
        try:
            if self._doors is not None and root is not None:
                await self._doors.open(message.call, message.doors, root.pid)
        except LaunchFailed as error:
            problem = error.message
        self._tell(holder_wire.DoorsAnswered(call=message.call, problem=problem))

    async def _close(self, message: holder_wire.CloseDoors) -> None:
        problem, published = "", []
        try:
            if self._doors is not None:
                published = await self._doors.close(message.call, publish=message.publish)
        except LaunchFailed as error:
            problem = error.message
        answer = holder_wire.DoorsAnswered(
            call=message.call, problem=problem, published=tuple(published)
        )
        self._tell(answer)
        if self._over:
            self.over()
