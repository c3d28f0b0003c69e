"""A proxy with everything around it: a scripted core, a scripted tree, a real TLS server."""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h11
import trustme

from supervisor.channels.http.ca import CertificateAuthority
from supervisor.channels.http.dial import upstream_context
from supervisor.channels.http.proxy import HttpProxyChannel, Timeouts
from supervisor.channels.http.upstream import NO_PROXIES, Proxies
from supervisor.errors import Denied, TaskpassError
from supervisor.model import Effect, Process, ToolCall
from supervisor.ports import ConnectionOwner, HookAnswer, Release, Secret

TASK = "t-proxytest00"
HANDLE = "c-proxytest:capability0123456789"
SURROGATE = "tok_surrogate_000000000000"
SECRET = "tok_real_5ecret_111111111"
TREE = [Process(4000, 1), Process(3000, 1)]


class FakeOwner(ConnectionOwner):
    """Every connection belongs to `TREE`, unless told otherwise."""

    def __init__(self) -> None:
        self.found: list[Process] = [TREE[0]]
        self.chains: dict[Process, list[Process]] = {TREE[0]: TREE}
        self.asked: list[tuple[tuple[str, int], tuple[str, int]]] = []

    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        self.asked.append((sockname, peername))
        return list(self.found)

    def ancestry(self, process: Process) -> list[Process]:
        return list(self.chains.get(process, []))


@dataclass
class FakeAuthorize:
    """A core in miniature: one handle, one surrogate at one host, one switch for revocation."""

    hosts: set[str] = field(default_factory=set)  # resources the secret is released to
    secret: str = SECRET
    surrogate: str = SURROGATE
    header: str = "authorization"
    scheme: str = "Bearer"
    revoked: bool = False
    forbidden: str = ""  # a path that is denied
    bound: bool = True
    model: bool = False
    problem: Exception | None = None
    gate: asyncio.Event | None = None
    uses: list[tuple[str, Effect, tuple[str, ...]]] = field(default_factory=list)
    further: list[list[str]] = field(default_factory=list)  # labels, of each use
    ancestries: list[list[Process]] = field(default_factory=list)
    refused: list[tuple[str, str, TaskpassError]] = field(default_factory=list)
    settled: list[tuple[str, int]] = field(default_factory=list)
    incidents: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    binds: list[tuple[str, list[Process]]] = field(default_factory=list)
    asked: list[list[Process]] = field(default_factory=list)  # who asked for a prefix
    told: str = "a prefix\n"  # then
    cancelled: int = 0

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        raise NotImplementedError

    def spawned(self, task: str, subagent: str, by: str) -> None:
        raise NotImplementedError

    def activity(self, task: str, notice: str) -> None:
        raise NotImplementedError

    async def settle_call(
        self, task: str, agent_call_id: str, outcome: str, *, subagent: str | None = None
    ) -> None:
        raise NotImplementedError

    def aside(self, task: str, agent_call_id: str) -> str:
        return ""

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        self.binds.append((handle, list(ancestry)))
        if self.problem is not None:
            raise self.problem
        return self.bound and task == TASK

    def prefix(self, task: str, ancestry: Sequence[Process]) -> str:
        self.asked.append(list(ancestry))
        if self.problem is not None:
            raise self.problem
        return self.told if task == TASK else ""

    async def authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
        further: Sequence[Effect] = (),
    ) -> Release:
        assert task == TASK
        self.uses.append((handle, effect, tuple(surrogates)))
        self.further.append([each.label for each in further])
        self.ancestries.append(list(ancestry))
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.cancelled += 1
                raise
        if self.problem is not None:
            raise self.problem
        if self.forbidden and effect.attributes.get("path") == self.forbidden:
            raise Denied("That path is forbidden.")
        if self.revoked or handle != HANDLE:
            raise Denied("No call with this handle is open.", hint="Run it as a new tool call.")
        number = len(self.uses)
        if self.surrogate in surrogates and effect.resource in self.hosts:
            return Release(
                f"l-{number}",
                f"u-{number}",
                Secret(self.secret),
                self.surrogate,
                self.header,
                self.scheme,
            )
        bound = effect.resource in self.hosts
        return Release(f"l-{number}", f"u-{number}", None, bound=bound)

    async def refused_use(
        self, task: str, handle: str, effects: Sequence[Effect], error: TaskpassError
    ) -> None:
        self.refused.append((handle, effects[0].label, error))

    async def used(self, task: str, release: Release, status: int) -> None:
        self.settled.append((release.use, status))

    def live(self, task: str, lease: str) -> bool:
        return not self.revoked

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        self.incidents.append((kind, dict(detail)))

    def model_access(self, task: str, ancestry: Sequence[Process], host: str, port: int) -> bool:
        return self.model and not self.revoked


@dataclass
class Seen:
    """A request as the server got it."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: int = 0

    def get(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


_RECEIVED = 1 << 20  # bytes that a server keeps for a test to look at
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Upstream:
    """A real server. h11 reads what the proxy writes; the path says what it answers.

    Paths: /status/N, /echo (the request's Authorization in header and body), /bytes/N, /chunks/N,
    /close/N (no length), /sse (an event at a time, by `go`), anything else: 200 and the body's
    length.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.received = bytearray()  # everything, as it came
        self.connections = 0
        self.raw: bytes | None = None  # answer this instead
        self.drop_idle = False  # close a connection after its first response
        self.go: asyncio.Queue[bytes] = asyncio.Queue()
        self.writers: set[Writer] = set()
        self.port = 0
        self.ended = asyncio.Event()

    async def handle(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        self.writers.add(writer)
        conn = h11.Connection(h11.SERVER)
        try:
            while await self._one(conn, reader, writer) and not self.drop_idle:
                conn.start_next_cycle()
        except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()
            self.ended.set()

    async def _one(self, conn: h11.Connection, reader: Reader, writer: Writer) -> bool:
        seen: Seen | None = None
        while True:
            event = conn.next_event()
            if event is h11.NEED_DATA:
                data = await reader.read(65536)
                if len(self.received) < _RECEIVED:
                    self.received += data
                conn.receive_data(data)
            elif isinstance(event, h11.Request):
                seen = Seen(
                    event.method.decode(),
                    event.target.decode(),
                    [(k.decode(), v.decode("latin-1")) for k, v in event.headers],
                )
                self.seen.append(seen)
                if seen.target == "/early":
                    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno\n")
                    await writer.drain()
                    return False
            elif isinstance(event, h11.Data):
                assert seen is not None
                seen.body += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert seen is not None
        return await self._answer(conn, seen, reader, writer)

    async def _answer(
        self, conn: h11.Connection, seen: Seen, reader: Reader, writer: Writer
    ) -> bool:
        if self.raw is not None:
            writer.write(self.raw)
            await writer.drain()
            return False
        _, kind, *rest = seen.target.partition("?")[0].split("/")
        if kind == "ws":
            accept = h11.InformationalResponse(
                status_code=101, headers=[("Upgrade", "websocket"), ("Connection", "Upgrade")]
            )
            writer.write(conn.send(accept) or b"")
            while data := await reader.read(65536):
                writer.write(b"echo:" + data)
                await writer.drain()
            return False
        status, headers, pieces = 200, [], [f"{seen.body} bytes\n".encode()]
        if kind == "status":
            status = int(rest[0])
            pieces = [] if status in (204, 304) else pieces
        elif kind == "echo":
            value = " ".join(seen.get("authorization") + seen.get("x-api-key"))
            headers, pieces = [("X-Echo", value)], [value.encode()]
        elif kind == "bodyecho":
            pieces = [" ".join(seen.get("authorization")).encode()]
        elif kind == "bytes":
            whole, part = divmod(int(rest[0]), 65536)
            pieces = [b"x" * 65536] * whole + [b"x" * part] * (part > 0)
        chunked = kind in ("chunks", "sse")
        if kind == "chunks":
            pieces = [b"y" * 1000] * int(rest[0])
        if not chunked and kind != "close" and status not in (204,):
            headers.append(("Content-Length", str(sum(map(len, pieces)))))
        elif chunked:
            headers.append(("Transfer-Encoding", "chunked"))
        elif kind == "close":
            headers.append(("Connection", "close"))
            pieces = [b"z" * int(rest[0])]
        writer.write(conn.send(h11.Response(status_code=status, headers=headers)) or b"")
        if kind == "sse":
            while event := await self.go.get():
                writer.write(conn.send(h11.Data(event)) or b"")
                await writer.drain()
        elif seen.method != "HEAD":
            for piece in pieces:
                writer.write(conn.send(h11.Data(piece)) or b"")
                await writer.drain()
        writer.write(conn.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        return conn.our_state is h11.DONE and conn.their_state is h11.DONE


@dataclass
class Rig:
    """A running proxy and what is around it."""

    channel: HttpProxyChannel
    authorize: FakeAuthorize
    owner: FakeOwner
    upstream: Upstream
    plain: Upstream
    ca: CertificateAuthority
    bundle: Path
    roots: Path

    @property
    def origin(self) -> str:
        return f"localhost:{self.upstream.port}"

    @property
    def url(self) -> str:
        return f"http://{HANDLE}@127.0.0.1:{self.channel.port}"

    def basic(self, handle: str = HANDLE) -> str:
        """The handle as a proxy is shown it."""
        return "Basic " + base64.b64encode(handle.encode()).decode()

    def client_tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.bundle))
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def dial(self) -> tuple[Reader, Writer]:
        return await asyncio.open_connection("127.0.0.1", self.channel.port, limit=1 << 20)

    async def tunnel(
        self, authority: str = "", *, handle: str = HANDLE, sni: str = "localhost"
    ) -> tuple[Reader, Writer]:
        """A client's TLS connection through the proxy."""
        reader, writer = await self.dial()
        authority = authority or self.origin
        writer.write(
            f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
            f"Proxy-Authorization: {self.basic(handle)}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
            writer.close()
            raise ConnectionRefusedError((head + body).decode())
        await writer.start_tls(self.client_tls(), server_hostname=sni)
        return reader, writer

    async def curl(self, *args: str, proxy: str | None = None) -> tuple[int, str, str]:
        """Real curl through the proxy: (exit code, stdout, stderr)."""
        process = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "--max-time", "20", "--cacert", str(self.bundle)),
            *("--proxy", proxy or self.url, "--noproxy", ""),
            *args,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return process.returncode or 0, out.decode("latin-1"), err.decode()


def listening() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


@asynccontextmanager
async def proxy_rig(
    directory: Path,
    *,
    timeouts: Timeouts | None = None,
    model_hosts: Sequence[str] = (),
    splice: Sequence[str] = (),
    http2: Sequence[str] = (),
    private: bool = True,
    proxies: Proxies = NO_PROXIES,
    names: Sequence[str] = (),
    roots: Sequence[bytes] = (),
) -> AsyncIterator[Rig]:
    """A proxy before a TLS server and a plain one, both on loopback.

    `names`: of the TLS server, besides its own. `roots`: further authorities that are believed.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", *names).configure_cert(context)
    trusted = directory / "upstream-roots.pem"
    trusted.write_bytes(b"\n".join((authority.cert_pem.bytes(), *roots)))
    upstream, plain = Upstream(), Upstream()
    server = await asyncio.start_server(upstream.handle, "127.0.0.1", 0, ssl=context)
    plain_server = await asyncio.start_server(plain.handle, "127.0.0.1", 0)
    upstream.port = server.sockets[0].getsockname()[1]
    plain.port = plain_server.sockets[0].getsockname()[1]
    ca = CertificateAuthority()
    bundle = directory / "bundle.pem"
    bundle.write_bytes(ca.pem())
    authorize, owner = FakeAuthorize(), FakeOwner()
    authorize.hosts = {f"localhost:{upstream.port}"}
    hosts, spliced, preferring = (
        frozenset(host.format(tls=upstream.port, plain=plain.port) for host in listed)
        for listed in (model_hosts, splice, http2)
    )
    contexts = [upstream_context(str(trusted), http2=http2) for http2 in (False, True)]
    channel = HttpProxyChannel(
        TASK,
        listening(),
        authorize,
        owner,
        ca,
        upstream_tls=contexts.__getitem__,
        http2=preferring,
        proxies=proxies,
        model_hosts=hosts,
        splice=spliced,
        allow_private=lambda: frozenset({"localhost", "127.0.0.1"} if private else ()),
        timeouts=timeouts,
    )
    await channel.serve()
    try:
        yield Rig(channel, authorize, owner, upstream, plain, ca, bundle, trusted)
    finally:
        await channel.close()
        for end in (server, plain_server):
            end.close()
        for writer in [*upstream.writers, *plain.writers]:
            writer.transport.abort()


async def eventually(condition: Callable[[], bool], what: str, within: float = 5.0) -> None:
    """Poll until `condition` holds; fails, naming `what`, when it does not in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not condition():
        assert loop.time() < end, f"not within {within} s: {what}"
        await asyncio.sleep(0.005)
