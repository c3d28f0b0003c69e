"""`HttpProxyChannel`: accepts on a task's listener, keeps account of connections, cuts them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.connection import Connection
from supervisor.channels.http.dial import Dialer
from supervisor.channels.http.direct import DirectConnection, DirectListener
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.kinds import KINDS
from supervisor.channels.http.local import LocalListener
from supervisor.channels.http.message import Origin
from supervisor.channels.http.pool import Pool
from supervisor.channels.http.services import Carrier, End, Services
from supervisor.channels.http.upstream import NO_PROXIES, Proxies
from supervisor.errors import TaskpassError
from supervisor.model import Process
from supervisor.ports import Authorize, Channel, ConnectionOwner, Egress, Kind, Release

if TYPE_CHECKING:
    from supervisor.channels.http.h2upstream import H2Servers
    from supervisor.channels.http.visitor import Visitor

_BACKLOG = 512
_SETTLE_AFTER = 0.002  # seconds
_CONNECTIONS = 2048  # of one task, both directions together


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds. `sweep` is how often the silent ones are looked for."""

    head: float = 30.0  # for a first request, and for TLS
    idle: float = 120.0  # between requests, and in the pool
    connect: float = 20.0
    silence: float = 900.0  # within a body, or before an answer: models think for minutes
    sweep: float = 5.0


class HttpProxyChannel(Channel):
    """The HTTPS proxy of one task.

    Args:
        task: id of the task; every question to `authorize` names it.
        listener: a listening TCP socket; may live in another network namespace. Owned from here.
        authorize: decides, releases and records.
        owner: finds the process at the other end of a connection.
        ca: makes the certificates that tools see.
        upstream_tls: how servers are verified (`dial.upstream_context`), for HTTP/1.1
            (False) and HTTP/2.
        proxies: of the person's network, that connections go through.
        model_hosts: `host:port` the agent itself may talk to; never intercepted when it does.
        splice: `host:port`s whose tunnels a person lets pass unread.
        http2: `host:port`s that clients are offered HTTP/2 for before HTTP/1.1; one that offers
            nothing else gets it anywhere.
        allow_private: answers `host`s and `host:port`s that may be loopback or private addresses;
            asked at each dial, because a person may name another while the task runs.
    """

    def __init__(
        self,
        task: str,
        listener: socket.socket,
        authorize: Authorize,
        owner: ConnectionOwner,
        ca: CertificateAuthority,
        *,
        upstream_tls: Callable[[bool], ssl.SSLContext],
        proxies: Proxies = NO_PROXIES,
        model_hosts: frozenset[str] = frozenset(),
        splice: frozenset[str] = frozenset(),
        http2: frozenset[str] = frozenset(),
        allow_private: Callable[[], frozenset[str]] = frozenset,
        timeouts: Timeouts | None = None,
    ) -> None:
        self._task = task
        self._authorize = authorize
        self._listener = listener
        self._timeouts = timeouts or Timeouts()
        self._endpoints: set[Endpoint] = set()
        self._exchanges: dict[str, set[Carrier]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._records: set[asyncio.Task[None]] = set()
        self._ended: list[tuple[Release, int]] = []  # uses, and how they ended
        self._pool = Pool(
            Dialer(self._endpoints, upstream_tls, proxies, self._timeouts.connect),
            allow_private,
            idle_timeout=self._timeouts.idle,
        )
        self._services = Services(
            task=task,
            authorize=authorize,
            owner=owner,
            ca=ca,
            pool=self._pool,
            model_hosts=model_hosts,
            splice=splice,
            http2=http2,
            speak_http2=self._speak_http2,
            head_timeout=self._timeouts.head,
            idle_timeout=self._timeouts.idle,
            silence_timeout=self._timeouts.silence,
            track=self._track,
            record=self._record,
            settle=self._settle,
            credentialed=set[Origin](),
        )
        self._upstream_tls = upstream_tls
        self._http2: H2Servers | None = None
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._direct: list[DirectListener | LocalListener] = []

    @property
    def port(self) -> int:
        """The listener's port, in its own namespace."""
        return int(self._listener.getsockname()[1])

    @property
    def connections(self) -> int:
        """Live connections, to clients and to servers."""
        return len(self._endpoints)

    @classmethod
    def kinds(cls) -> tuple[Kind, ...]:
        return KINDS

    async def serve(self) -> None:
        """Start accepting; returns at once."""
        self._listener.setblocking(False)
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Endpoint(self._endpoints, self._accepted),
            sock=self._listener,
            backlog=_BACKLOG,
        )
        self._sweeper = asyncio.create_task(self._sweep())

    def serve_direct(
        self,
        listener: socket.socket,
        *,
        tls: bool,
        host_of: Callable[[str], str],
        egress: Egress,
    ) -> None:
        """Take connections that programs make without asking for a proxy; returns at once.

        Args:
            listener: a listening TCP socket on every address of the task. Owned from here.
            tls: whether its port speaks TLS.
            host_of: the name that an address stands for, or the address itself.
            egress: tells which call a process belongs to, and records what fails.
        """

        def accepted(endpoint: Endpoint, origin: Origin) -> None:
            self._start(DirectConnection(endpoint, self._services, origin, egress))

        direct = DirectListener(
            self._services, listener, tls, host_of, egress, self._endpoints, accepted
        )
        direct.start()
        self._direct.append(direct)

    def serve_local(
        self,
        listener: socket.socket,
        *,
        egress: Egress,
        peer: Callable[[socket.socket], Process],
    ) -> None:
        """Take connections on a listening unix socket, owned from here; returns at once.

        Args:
            egress: tells which call a process belongs to.
            peer: names the process at the other end of an accepted socket.
        """
        local = LocalListener(self._services, listener, egress, peer, self._endpoints, self._start)
        local.start()
        self._direct.append(local)

    def cut(self, lease: str = "") -> int:
        """Abort what carries `lease`, or everything; returns how many connections.

        Synchronous: when it returns, nothing more of theirs reaches the network.
        """
        if lease:
            doomed: set[End] = {
                end for exchange in self._exchanges.get(lease, ()) for end in exchange.ends()
            }
        else:
            doomed = set(self._endpoints)
            self._pool.forget()
        for endpoint in doomed:
            endpoint.abort()
        return len(doomed)

    async def close(self) -> None:
        """Stop accepting, cut everything, and wait for the last records."""
        if self._server is not None:
            self._server.close()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for direct in self._direct:
            await direct.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        # Cancelled connections leave a last record each.
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        self._settle_ended()
        if self._records:
            await asyncio.wait(set(self._records))
        if self._sweeper is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._sweeper
        self._listener.close()

    async def _speak_http2(self, client: Endpoint, visitor: Visitor, origin: Origin) -> None:
        # Loaded with the first client that needs it, and not while others wait.
        h2 = await asyncio.to_thread(_http2, self._upstream_tls)
        if self._http2 is None:
            self._http2 = h2.H2Servers(self._pool, self._timeouts.idle)
        await h2.H2Front(client, self._services, visitor, origin, self._http2).run()

    def _accepted(self, endpoint: Endpoint) -> None:
        self._start(Connection(endpoint, self._services))

    def _start(self, connection: Connection) -> None:
        endpoint = connection.client
        if len(self._endpoints) > _CONNECTIONS:
            endpoint.abort()
            return
        task = asyncio.get_running_loop().create_task(connection.run())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A client that went away is asked no more questions about, and its server is let go.
        endpoint.when_lost(task.cancel)

    def _track(self, exchange: Carrier, active: bool) -> None:
        if active:
            self._exchanges.setdefault(exchange.lease, set()).add(exchange)
        elif (exchanges := self._exchanges.get(exchange.lease)) is not None:
            exchanges.discard(exchange)
            if not exchanges:
                del self._exchanges[exchange.lease]

    def _settle(self, release: Release, status: int) -> None:
        """Record how a use ended. Nobody waits for it: a little later, it shares the commit of
        another use's intent, which somebody does wait for."""
        if not self._ended:
            asyncio.get_running_loop().call_later(_SETTLE_AFTER, self._settle_ended)
        self._ended.append((release, status))

    def _settle_ended(self) -> None:
        ended, self._ended = self._ended, []
        if ended:
            self._record(self._tell(ended))

    async def _tell(self, ended: Sequence[tuple[Release, int]]) -> None:
        for release, status in ended:
            with contextlib.suppress(TaskpassError):  # of a task that is forgotten already
                await self._authorize.used(self._task, release, status)

    def _record(self, record: Coroutine[Any, Any, None]) -> None:
        """Run a record to its end, whatever becomes of the connection it is about."""
        task = asyncio.get_running_loop().create_task(record)
        self._records.add(task)
        task.add_done_callback(self._recorded)

    def _recorded(self, task: asyncio.Task[None]) -> None:
        self._records.discard(task)
        if not task.cancelled():
            # The ledger reports its own failures; there is nobody here to tell.
            task.exception()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._timeouts.sweep)
            now = loop.time()
            for endpoint in [e for e in self._endpoints if now - e.touched > e.patience]:
                endpoint.abort()


def _http2(upstream_tls: Callable[[bool], ssl.SSLContext]) -> ModuleType:
    from supervisor.channels.http import h2front

    upstream_tls(True)  # the system's roots take their time too
    return h2front
