"""Web requests of programs that know nothing of proxies.

Inside a task every name has an address of its own, and every address is local, so that such a
program's connection arrives here, and its address tells which host it is for. The call comes from
the process tree that made it, since there is no handle; all else is as through the proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

from supervisor.channels.http.connection import Connection
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import Origin
from supervisor.channels.http.services import Services
from supervisor.ports import Attempt, Egress

_HANDSHAKES = 64  # at once, of one listener
_PAUSE = 0.1  # seconds


class DirectConnection(Connection):
    """One connection whose origin is known before its first byte."""

    def __init__(
        self, client: Endpoint, services: Services, origin: Origin, egress: Egress
    ) -> None:
        super().__init__(client, services)
        self._origin = origin
        self._egress = egress

    async def _serve(self) -> None:
        ancestry = self._visitor.attested(f"direct {self._origin.authority}")
        self._visitor.handle = self._egress.handle_of(self._services.task, ancestry)
        await self._serve_origin(self._origin)


class DirectListener:
    """Accepts on one port, with the certificate of the host that was dialled."""

    def __init__(
        self,
        services: Services,
        listener: socket.socket,
        tls: bool,
        host_of: Callable[[str], str],
        egress: Egress,
        registry: set[Endpoint],
        accepted: Callable[[Endpoint, Origin], None],
    ) -> None:
        self._services = services
        self._listener = listener
        self._tls = tls
        self._host_of = host_of
        self._egress = egress
        self._registry = registry
        self._accepted = accepted
        self._accepting: asyncio.Task[None] | None = None
        self._admitting: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._listener.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError:  # no descriptors left, or a client that is gone already
                await asyncio.sleep(_PAUSE)
                continue
            if len(self._admitting) >= _HANDSHAKES:
                connection.close()
                continue
            job = loop.create_task(self._admit(connection))
            self._admitting.add(job)
            job.add_done_callback(self._admitting.discard)

    async def _admit(self, connection: socket.socket) -> None:
        services = self._services
        loop = asyncio.get_running_loop()
        address, port = connection.getsockname()
        host = self._host_of(address)
        origin = Origin(host, port, self._tls)
        tls = {"ssl_handshake_timeout": services.head_timeout} if self._tls else {}
        http2 = origin.authority in services.http2
        context = services.ca.context(host, http2=http2) if self._tls else None
        try:
            await loop.connect_accepted_socket(
                lambda: Endpoint(self._registry, lambda made: self._accepted(made, origin)),
                connection,
                ssl=context,
                **tls,
            )
        except OSError:
            # Not TLS, for another host, or a program that does not trust our authority.
            connection.close()
            name = host if host != address else ""
            await self._egress.refused(services.task, Attempt("tcp", address, port, name))

    async def close(self) -> None:
        if self._accepting is not None:
            for job in (self._accepting, *self._admitting):
                job.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await job
        self._listener.close()
