"""A TLS server and a client for the benchmarks, each its own process.

Both are as light as Python allows, so that what lies between them is what is measured. The client
also runs inside a task, alone: nothing of the project is imported here.

    load.py serve CERTIFICATE SECRET                     prints its port
    load.py drive HOST:PORT CONNECTIONS SECONDS [PATH]   requests one after the other
    load.py stream HOST:PORT CONNECTIONS FILE PATH       notes in FILE when bytes come
    load.py fetch HOST:PORT BYTES                        one body of that size
    load.py events HOST:PORT COUNT                       one stream of so many server-sent events

The client is told what a tool is told: `HTTPS_PROXY` (with user info), `SSL_CERT_FILE` and
`BENCH_TOKEN`. Each prints one JSON line: `drive` requests, seconds, p50_ms, p99_ms, bad (and before
it `begun`, when it begins to count); `fetch` bytes, seconds; `events` the delays from the server's
write to our read, p50_ms, p99_ms.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import ssl
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import unquote, urlsplit

import uvloop

_BODY = b'{"id": 17, "state": "ready", "owner": "bench"}\n'
_GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(_BODY),
    _BODY,
)
_BAD = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
_WARM_UP = 0.5  # seconds not counted
BEGUN = "begun"
_EVENT = re.compile(rb"data: ([0-9]+)")
_PIECE = bytes(64 * 1024)
_PAUSE = 0.01  # seconds between events


class Server(asyncio.Protocol):
    """Answers each request, 401 without the real credential."""

    def __init__(self, secret: str) -> None:
        self._wanted = b"Bearer " + secret.encode()
        self._buffer = b""

        self._goes_on = asyncio.Event()
        self._goes_on.set()
        self._job: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._goes_on.set()

    def pause_writing(self) -> None:
        self._goes_on.clear()

    def resume_writing(self) -> None:
        self._goes_on.set()

    def data_received(self, data: bytes) -> None:
        *heads, self._buffer = (self._buffer + data).split(b"\r\n\r\n")
        for head in heads:
            if self._wanted not in head:
                self._transport.write(_BAD)
            elif head.startswith((b"GET /bytes/", b"GET /events/")):
                what, number = head.split(b" ", 2)[1][1:].split(b"/")
                send = self._bytes if what == b"bytes" else self._events
                self._job = asyncio.get_running_loop().create_task(send(int(number)))
            else:
                self._transport.write(_GOOD)

    async def _bytes(self, count: int) -> None:
        self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % count)
        while count > 0 and not self._transport.is_closing():
            self._transport.write(_PIECE[:count])
            count -= len(_PIECE)
            await self._goes_on.wait()

    async def _events(self, count: int) -> None:
        kind = b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked"
        self._transport.write(b"HTTP/1.1 200 OK\r\n%s\r\n\r\n" % kind)
        for _ in range(count):
            event = b"data: %020d\n\n" % time.time_ns()
            self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))
            await asyncio.sleep(_PAUSE)
        self._transport.write(b"0\r\n\r\n")


async def serve(certificate: str, secret: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Server(secret), "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


class Client(asyncio.Protocol):
    """One connection's way to the server, then one request after the other."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport
        self.buffer = b""
        self.answer: asyncio.Future[bytes] = self.loop.create_future()
        self.heard: Callable[[bytes], None] | None = None  # given every piece, unparsed
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.heard is not None:
            self.heard(data)
            return
        self.buffer += data
        head, mark, body = self.buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        _, named, length = head.lower().partition(b"content-length: ")
        wanted = int(length.split(b"\r\n", 1)[0]) if named else 0
        if len(body) >= wanted and not self.answer.done():
            self.buffer = b""
            self.answer.set_result(head)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()
        if not self.answer.done():
            self.answer.set_exception(ConnectionResetError("the connection ended"))

    async def ask(self, request: bytes) -> bytes:
        self.answer = self.loop.create_future()
        self.transport.write(request)
        return await self.answer


async def connect(authority: str, context: ssl.SSLContext) -> Client:
    host, _, port = authority.rpartition(":")
    loop = asyncio.get_running_loop()
    proxy = os.environ.get("HTTPS_PROXY")
    if not proxy:
        _, client = await loop.create_connection(Client, host, int(port), ssl=context)
        return client
    parts = urlsplit(proxy)
    _, client = await loop.create_connection(Client, parts.hostname, parts.port)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    info = base64.b64encode(user.encode()).decode()
    head = await client.ask(
        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
        f"Proxy-Authorization: Basic {info}\r\n\r\n".encode()
    )
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise ConnectionRefusedError(head.decode())
    transport = await loop.start_tls(client.transport, client, context, server_hostname=host)
    assert transport is not None
    client.transport = transport
    return client


def trust() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    context.set_alpn_protocols(["http/1.1"])
    return context


def get(authority: str, path: str) -> bytes:
    return (
        f"GET {path} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: bench\r\n"
        f"Accept: application/json\r\nAuthorization: Bearer {os.environ['BENCH_TOKEN']}\r\n\r\n"
    ).encode()


async def stream(authority: str, connections: int, file: str, path: str) -> None:
    """Open endless answers, and note `STREAM NANOSECONDS` for each piece that comes."""
    notes = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    context, request = trust(), get(authority, path)
    clients = [await connect(authority, context) for _ in range(connections)]
    for number, client in enumerate(clients):
        client.heard = partial(_note, notes, number)
        client.transport.write(request)
    await asyncio.gather(*(client.lost.wait() for client in clients))


def _note(notes: int, number: int, data: bytes) -> None:
    os.write(notes, b"%d %d\n" % (number, time.time_ns()))


async def fetch(authority: str, count: int) -> dict[str, float]:
    client = await connect(authority, trust())
    seen, head = 0, b""
    done = asyncio.get_running_loop().create_future()

    def heard(data: bytes) -> None:
        nonlocal seen, head
        if b"\r\n\r\n" not in head:
            head, mark, data = (head + data).partition(b"\r\n\r\n")
            head += mark
        seen += len(data)
        if seen >= count and not done.done():
            done.set_result(None)

    client.heard = heard
    started = time.perf_counter()
    client.transport.write(get(authority, f"/bytes/{count}"))
    lost = asyncio.ensure_future(client.lost.wait())
    await asyncio.wait({done, lost}, return_when=asyncio.FIRST_COMPLETED)
    return {"bytes": seen, "seconds": time.perf_counter() - started}


async def events(authority: str, count: int) -> dict[str, float]:
    client = await connect(authority, trust())
    times: list[float] = []
    end = asyncio.Event()

    def heard(data: bytes) -> None:
        now = time.time_ns()
        times.extend((now - int(sent)) / 1e6 for sent in _EVENT.findall(data))
        if data.endswith(b"0\r\n\r\n"):
            end.set()

    client.heard = heard
    client.transport.write(get(authority, f"/events/{count}"))
    await asyncio.wait_for(end.wait(), 60)
    times.sort()
    return {
        "events": len(times),
        "p50_ms": statistics.median(times),
        "p99_ms": times[int(len(times) * 0.99)],
    }


async def drive(
    authority: str, connections: int, seconds: float, path: str = "/v1/items?page=2"
) -> dict[str, float]:
    context, request = trust(), get(authority, path)
    clients = [await connect(authority, context) for _ in range(connections)]
    times: list[float] = []
    bad = 0
    started = time.perf_counter() + _WARM_UP

    async def one(client: Client) -> None:
        nonlocal bad
        while (before := time.perf_counter()) < started + seconds:
            head = await client.ask(request)
            if before >= started:
                times.append(time.perf_counter() - before)
                bad += b" 200 " not in head.split(b"\r\n", 1)[0]

    asyncio.get_running_loop().call_later(_WARM_UP, partial(print, BEGUN, flush=True))
    await asyncio.gather(*(one(client) for client in clients))
    took = time.perf_counter() - started
    times.sort()
    return {
        "requests": len(times),
        "seconds": took,
        "p50_ms": statistics.median(times) * 1e3,
        "p99_ms": times[int(len(times) * 0.99)] * 1e3,
        "bad": bad,
    }


def main(arguments: list[str]) -> None:
    if arguments[0] == "serve":
        uvloop.run(serve(arguments[1], arguments[2]))
    elif arguments[0] == "stream":
        uvloop.run(stream(arguments[1], int(arguments[2]), arguments[3], arguments[4]))
    elif arguments[0] in ("fetch", "events"):
        action = fetch if arguments[0] == "fetch" else events
        print(json.dumps(uvloop.run(action(arguments[1], int(arguments[2])))), flush=True)
    else:
        figures = uvloop.run(
            drive(arguments[1], int(arguments[2]), float(arguments[3]), *arguments[4:])
        )
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
