"""Web requests over a unix socket in the task's directory: of programs that can be told to use one.

Such a program (gh, by `http_unix_socket`) sends plain HTTP that it means for `https://HOST`; TLS
begins here, so that it needs no certificate of ours. Who it is, the kernel tells of the socket
(SO_PEERCRED, or a pidfd); its call is the one whose process tree it is in. All else is as through
the proxy. What is inherited stays whose it was: the process that connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import replace

from supervisor.channels.http.connection import Connection
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import parse_authority
from supervisor.channels.http.services import Services
from supervisor.errors import NotAttested
from supervisor.model import Process
from supervisor.ports import ConnectionOwner, Egress

_PAUSE = 0.1  # seconds


class _Peer(ConnectionOwner):
    """The owner of one connection, as the kernel has named it; nobody, where it could not."""

    def __init__(self, process: Process | None, owner: ConnectionOwner) -> None:
        self._process = process
        self._owner = owner

    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        return [self._process] if self._process is not None else []

    def ancestry(self, process: Process) -> list[Process]:
        return self._owner.ancestry(process)


class LocalConnection(Connection):
    """One connection; each of its requests says by Host where it is to go."""

    def __init__(self, client: Endpoint, services: Services, egress: Egress) -> None:
        super().__init__(client, services)
        self._egress = egress

    async def _serve(self) -> None:
        while (head := await self._next_head()) is not None:
            ancestry = self._visitor.attested("unix socket")
            self._visitor.handle = self._egress.handle_of(self._services.task, ancestry)
            origin = parse_authority(head.host, tls=True, default=443)
            if not await self._requests.serve(head, head.target, origin):
                return
            self._client.wait_up_to(self._services.idle_timeout)


class LocalListener:
    """Accepts on one unix socket. Owns it.

    Args:
        peer: names the process at the other end of an accepted socket. Raises NotAttested.
    """

    def __init__(
        self,
        services: Services,
        listener: socket.socket,
        egress: Egress,
        peer: Callable[[socket.socket], Process],
        registry: set[Endpoint],
        accepted: Callable[[Connection], None],
    ) -> None:
        self._services = services
        self._listener = listener
        self._egress = egress
        self._peer = peer
        self._registry = registry
        self._accepted = accepted
        self._accepting: asyncio.Task[None] | None = None

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
            try:
                process: Process | None = self._peer(connection)
            except (OSError, NotAttested):  # it is gone: whoever has its end now is told
                process = None
            services = replace(self._services, owner=_Peer(process, self._services.owner))
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(self._endpoint(services), connection)

    def _endpoint(self, services: Services) -> Callable[[], Endpoint]:
        def made(endpoint: Endpoint) -> None:
            self._accepted(LocalConnection(endpoint, services, self._egress))

        return lambda: Endpoint(self._registry, made)

    async def close(self) -> None:
        if self._accepting is not None:
            self._accepting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._accepting
        self._listener.close()
