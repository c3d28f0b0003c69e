"""Fan-out of events to screens: a slow screen falls behind alone."""

from __future__ import annotations

import asyncio

from supervisor.protocol.wire import Event

_BACKLOG = 10_000  # events; a screen further behind is cut off and reconnects to a snapshot


class Events:
    """Publishes to every subscriber on the running loop."""

    def __init__(self) -> None:
        self._subscribers: set[asyncio.Queue[Event | None]] = set()

    @property
    def subscribers(self) -> int:
        return len(self._subscribers)

    def publish(self, event: Event) -> None:
        for queue in list(self._subscribers):
            try:
                queue.put_nowait(event)
            except asyncio.QueueFull:
                self._subscribers.discard(queue)
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(None)

    def subscribe(self) -> asyncio.Queue[Event | None]:
        """A queue of events; None means: too slow, connect again."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_BACKLOG)
        self._subscribers.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[Event | None]) -> None:
        self._subscribers.discard(queue)
