"""HTTP/2 to servers: a connection carries one request at a time, so that a cut ends it wholly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from supervisor.channels.http.endpoint import FOREVER
from supervisor.channels.http.h2wire import H2Wire, Stream
from supervisor.channels.http.message import BadGateway, Origin
from supervisor.channels.http.pool import Pool

_KEPT_PER_ORIGIN = 16


class H2Server:
    """One connection to a server that speaks HTTP/2, and the task that reads it."""

    def __init__(self, wire: H2Wire) -> None:
        self.wire = wire
        self.reading = asyncio.get_running_loop().create_task(wire.run())

    @property
    def good(self) -> bool:
        return not (self.wire.closing or self.wire.endpoint.lost or self.reading.done())

    def abort(self) -> None:
        self.wire.endpoint.abort()


class H2Servers:
    """Idle and new connections of one task to servers that speak HTTP/2."""

    def __init__(self, pool: Pool, idle_timeout: float) -> None:
        self._pool = pool
        self._idle_timeout = idle_timeout
        self._idle: dict[Origin, list[H2Server]] = {}

    async def connect(self, origin: Origin, may_write: Callable[[], None]) -> H2Server:
        """A connection that is good, kept or new.

        Args:
            may_write: raises when nothing must go out after all.

        Raises:
            BadGateway: not reachable, or it does not speak HTTP/2.
            Denied: no address may be dialled.
        """
        idle = self._idle.get(origin)
        while idle:
            server = idle.pop()
            if server.good:
                server.wire.endpoint.wait_up_to(FOREVER)
                return server
            server.abort()
        endpoint = await self._pool.dial(origin, http2=True)
        if endpoint.alpn != "h2":
            endpoint.abort()
            raise BadGateway(
                f"{origin.authority} does not speak HTTP/2.", hint="Use HTTP/1.1 with this host."
            )
        try:
            may_write()
        except BaseException:
            endpoint.abort()
            raise
        return H2Server(H2Wire(endpoint, client=True))

    def keep(self, origin: Origin, server: H2Server, stream: Stream) -> None:
        """A request has come to its end on both sides."""
        server.wire.forget(stream)
        idle = self._idle.setdefault(origin, [])
        if not server.good or len(idle) >= _KEPT_PER_ORIGIN:
            server.abort()
            return
        server.wire.endpoint.wait_up_to(self._idle_timeout)
        idle.append(server)
