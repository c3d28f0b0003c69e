"""Doors: TCP listeners inside a task that lead somewhere else, connection by connection.

A door is there from the start (services of the machine's loopback that the person listed, and
ports that programs use without a proxy), or is opened while the task runs: by a spare socket
that lies in the task's network, bound when a person or policy lets a refused connection be tried
again. Whatever opened it, each connection is attested and judged as a `connect` of the call whose
processes made it, and recorded; a door is no permission.

Bytes are carried untouched. Where an outside name leads is looked up once for a task: what was
approved is where every connection goes (DNS rebinding changes nothing).
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from supervisor.channels.http.address import allowed, resolve
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import BadRequest, Origin, parse_authority
from supervisor.channels.network.names import Names, stands_for_a_name
from supervisor.errors import TaskpassError
from supervisor.model import Effect, Process, Verb
from supervisor.ports import Attempt, Authorize, Channel, ConnectionOwner, Egress, Release

_BACKLOG = 128
_CHUNK = 256 * 1024
_CONNECTIONS = 512  # of one task, both directions together
_CONNECT_TIMEOUT = 20.0  # seconds
_LOOPBACK = "127.0.0.1"
_LISTENING = "0A"
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_AT_ONCE = struct.pack("ii", 1, 0)  # struct linger: closing drops what is left, and says so
WEB_PORTS = {80: False, 443: True}  # taken by the proxy itself → whether they speak TLS
_CONNECTED = 200  # as a proxy would say it


class _End(Endpoint):
    """An end that may have said its last word and still listen: plain protocols do that."""

    __slots__ = ()

    def eof_received(self) -> bool:
        super().eof_received()
        return True

    def reset(self) -> None:
        """Close so that the other side sees a refusal, not an end."""
        ours = self._transport.get_extra_info("socket")
        if not self.lost and ours is not None:
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(ours.fileno())) as own:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self.abort()

    def write_eof(self) -> None:
        if not self.lost:
            with contextlib.suppress(OSError, RuntimeError):
                self._transport.write_eof()


async def _move(source: _End, target: _End) -> None:
    while data := await source.some(_CHUNK):
        target.write(data)
        await target.drain()
    target.write_eof()


@dataclass(slots=True)
class _Door:
    """A listener and where it leads."""

    listener: socket.socket
    loopback: bool  # to the machine's loopback; else to the host that was dialled
    listed: bool = True  # the person named it beforehand
    port: int = 0  # where it leads, 0: to the port at which it was reached
    server: asyncio.Server | None = None


@dataclass(slots=True)
class Doors(Channel):
    """The doors of one task.

    Args:
        listeners: by name: `listed:PORT` and `direct:PORT` (`supervisor.process.netns`).
        spares: unbound TCP sockets in the task's network.
        allow_private: `host`s and `host:port`s that may be private addresses.
    All sockets are owned from here.
    """

    task: str
    authorize: Authorize
    egress: Egress
    owner: ConnectionOwner
    names: Names
    listeners: Mapping[str, socket.socket]
    spares: Sequence[socket.socket]
    allow_private: Callable[[], frozenset[str]]
    _doors: dict[tuple[str, int], _Door] = field(default_factory=dict)  # by address and port
    _free: list[socket.socket] = field(default_factory=list)
    _endpoints: set[Endpoint] = field(default_factory=set)
    _jobs: set[asyncio.Task[None]] = field(default_factory=set)
    _routes: dict[tuple[str, int], list[str]] = field(default_factory=dict)  # as looked up

    async def serve(self) -> None:
        for name, listener in self.listeners.items():
            kind, _, port = name.partition(":")
            await self._open(listener, _Door(listener, kind == "listed", port=int(port)))
        for spare in self.spares:
            if spare.getsockname()[1]:
                # An earlier supervisor's door: what was approved then is void.
                with contextlib.suppress(OSError):
                    spare.shutdown(socket.SHUT_RDWR)
            else:
                self._free.append(spare)

    async def expect(self, effects: Sequence[Effect]) -> None:
        """Doors for hosts and ports that a command has announced: its first attempt finds one.

        Not to the machine's loopback: announced, that is the task's own.
        """
        for effect in effects:
            target = _target(effect)
            if target is None or not self._may_lead(*target):
                continue
            host, port = target
            address = host if _is_address(host) else self.names.address(host)
            if address and (address, port) not in self._doors and not self._always(port):
                await self._open_spare(address, port, loopback=False)

    # ── opening while the task runs ─────────────────────────────────────────────────────

    async def ask_loopback(self, port: int) -> None:
        """Open a door to a service of the machine, if policy or a person says so."""
        effect = Effect(Verb.CONNECT, f"localhost:{port}", {"port": port, "unlisted": True})
        # Not before the answer: the task may be about to start a server of its own there.
        if await self.egress.opens(self.task, effect):
            await self._open_spare(_LOOPBACK, port, loopback=True)

    async def ask_outside(self, attempt: Attempt) -> None:
        """Open a door to the host that was dialled, if policy or a person says so."""
        if (attempt.address, attempt.port) in self._doors or ":" in attempt.address:
            return
        host = attempt.name or attempt.address
        if not self._may_lead(host, attempt.port):
            return  # a person's yes would open nothing
        effect = _connect(host, attempt.port)
        opening: list[asyncio.Task[None]] = []

        def asking() -> None:
            work = self._open_spare(attempt.address, attempt.port, loopback=False)
            opening.append(asyncio.ensure_future(work))

        opened = await self.egress.opens(self.task, effect, asking)
        if opened and not opening:
            await self._open_spare(attempt.address, attempt.port, loopback=False)
        if not opened and opening:
            await opening[0]
            self._shut(attempt.address, attempt.port)

    async def _open_spare(self, address: str, port: int, *, loopback: bool) -> None:
        if not self._free:
            return
        spare = self._free.pop()
        try:
            spare.bind((address, port))
            spare.listen(_BACKLOG)
        except OSError:
            return  # the task has a server of its own there by now
        await self._open(spare, _Door(spare, loopback, listed=False))

    async def _open(self, listener: socket.socket, door: _Door) -> None:
        listener.setblocking(False)
        address, port = listener.getsockname()[:2]
        self._doors[address, port] = door
        door.server = await asyncio.get_running_loop().create_server(
            lambda: _End(self._endpoints, lambda client: self._accepted(client, door)),
            sock=listener,
            backlog=_BACKLOG,
        )

    def _shut(self, address: str, port: int) -> None:
        door = self._doors.pop((address, port), None)
        if door is not None and door.server is not None:
            # The holder has the socket too: closing ours alone would leave it listening.
            with contextlib.suppress(OSError):
                door.listener.shutdown(socket.SHUT_RDWR)
            door.server.close()

    # ── one connection ──────────────────────────────────────────────────────────────────

    def _accepted(self, client: Endpoint, door: _Door) -> None:
        if len(self._endpoints) > _CONNECTIONS:
            client.abort()
            return
        assert isinstance(client, _End)
        job = asyncio.get_running_loop().create_task(self._carry(client, door))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)
        client.when_lost(job.cancel)

    async def _carry(self, client: _End, door: _Door) -> None:
        upstream: _End | None = None
        try:
            address, port = client.sockname[0], door.port or client.sockname[1]
            ancestry = self._attest(client)
            host = "localhost" if door.loopback else self.names.name(address) or address
            if not door.loopback and not self._may_lead(host, port):
                client.reset()
                await self.egress.refused(self.task, Attempt("tcp", address, port))
                return
            effect = _connect(host, port)
            if door.loopback and not door.listed:
                effect = Effect(effect.verb, effect.resource, {"port": port, "unlisted": True})
            release = await self._judged(ancestry, effect, door)
            try:
                upstream = await self._dial(host, port, door)
                if not client.lost:  # cut meanwhile
                    await asyncio.gather(_move(client, upstream), _move(upstream, client))
                    client.close()
                    upstream.close()
            finally:
                if client.lost and upstream is not None:
                    upstream.abort()
                status = _CONNECTED if upstream is not None else 0
                await asyncio.shield(self.authorize.used(self.task, release, status))
        except (TaskpassError, OSError):
            # On record by whoever refused; a stream of bytes has no words for it.
            client.reset()
            if upstream is not None:
                upstream.abort()

    async def _judged(self, ancestry: list[Process], effect: Effect, door: _Door) -> Release:
        """Raises TaskpassError: it may not be made."""
        if door.loopback and door.listed:
            own = await self.egress.own_connection(self.task, ancestry, effect)
            if own is not None:
                return own
        handle = self.egress.handle_of(self.task, ancestry)
        return await self.authorize.authorize_use(self.task, handle, ancestry, effect, ())

    def _attest(self, client: Endpoint) -> list[Process]:
        owners = self.owner.owners(client.sockname, client.peername)
        chains = [self.owner.ancestry(owner) for owner in owners]
        # A socket that was handed on is everybody's who holds it: each has to qualify.
        return chains[0] if chains and all(chains) else []

    async def _dial(self, host: str, port: int, door: _Door) -> _End:
        """Raises OSError, TaskpassError: it cannot or must not be reached."""
        if door.loopback:
            return await self._connect(_LOOPBACK, port)
        origin = Origin(host, port, tls=False)
        addresses = self._routes.get((host, port))
        if addresses is None:
            addresses = await resolve(origin, private=self._may_be_private(origin))
        self._routes[host, port] = addresses
        problem: OSError = ConnectionRefusedError()
        for address in addresses:
            try:
                return await self._connect(address, port)
            except OSError as error:
                problem = error
        raise problem

    def _always(self, port: int) -> bool:
        """Whether connections to any host arrive at this port as it is."""
        return any(name == f"direct:{port}" for name in self.listeners) or port in WEB_PORTS

    def _may_lead(self, host: str, port: int) -> bool:
        """Whether a door to this host could be used: a name, or an address that may be dialled.

        What a name stands for is not asked before its connection is allowed: to ask tells it.
        """
        if not _is_address(host):
            return True
        address = ipaddress.ip_address(host)
        if stands_for_a_name(host):
            return False  # a program kept it from before a restart: nobody knows for what
        return allowed(address, private=self._may_be_private(Origin(host, port, tls=False)))

    def _may_be_private(self, origin: Origin) -> bool:
        hosts = self.allow_private()
        return origin.host in hosts or origin.authority in hosts

    async def _connect(self, address: str, port: int) -> _End:
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(_CONNECT_TIMEOUT):
            _, made = await loop.create_connection(lambda: _End(self._endpoints), address, port)
        return made

    # ── ending ──────────────────────────────────────────────────────────────────────────

    def cut(self, lease: str = "") -> int:
        if lease:
            return 0  # no lease is carried here
        doomed = set(self._endpoints)
        for endpoint in doomed:
            endpoint.abort()
        return len(doomed)

    async def close(self) -> None:
        for address, port in list(self._doors):
            self._shut(address, port)
        self.cut()
        for job in set(self._jobs):
            job.cancel()
        if self._jobs:
            await asyncio.wait(set(self._jobs))
        for spare in self.spares:
            spare.close()


def _target(effect: Effect) -> tuple[str, int] | None:
    """Host and port of a connection to elsewhere that a program can make from inside a task."""
    if effect.verb is not Verb.CONNECT:
        return None
    try:
        origin = parse_authority(effect.resource, tls=False, default=None)
    except BadRequest:  # a variable in it, or no port
        return None
    local = origin.host == "localhost" or origin.host.endswith(".localhost") or ":" in origin.host
    if local or (_is_address(origin.host) and ipaddress.ip_address(origin.host).is_loopback):
        return None
    return origin.host, origin.port


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _connect(host: str, port: int) -> Effect:
    shown = f"[{host}]" if ":" in host else host
    return Effect(Verb.CONNECT, f"{shown}:{port}", {"port": port})


def listening_ports() -> set[int]:
    """TCP ports that something on this machine listens at (proc(5))."""
    ports: set[int] = set()
    for table in _TABLES:
        with contextlib.suppress(OSError), table.open() as lines:
            next(lines, None)
            for line in lines:
                words = line.split(None, 4)
                if words[3] == _LISTENING:
                    ports.add(int(words[1].rpartition(":")[2], 16))
    return ports
