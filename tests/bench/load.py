"""A TLS server and a client for the benchmarks, each its own process.

Both are as light as Python allows, so that what lies between them is what is measured. The client
also runs inside a task, alone: nothing of the project is imported here.

    load.py serve CERTIFICATE SECRET                     prints its port
    load.py drive HOST:PORT CONNECTIONS SECONDS [PATH]   requests one after the other
    load.py stream HOST:PORT CONNECTIONS FILE PATH       notes in FILE when bytes come

The client is told what a tool is told: `HTTPS_PROXY` (with user info), `SSL_CERT_FILE` and
`BENCH_TOKEN`. `drive` prints one JSON line: requests, seconds, p50_ms, p99_ms, bad.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
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


class Server(asyncio.Protocol):
    """Answers each request, 401 without the real credential."""

    def __init__(self, secret: str) -> None:
        self._wanted = b"Bearer " + secret.encode()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        *heads, self._buffer = (self._buffer + data).split(b"\r\n\r\n")
        for head in heads:
            self._transport.write(_GOOD if self._wanted in head else _BAD)


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
        self.heard: Callable[[], None] | None = None  # told of every piece, instead of parsing
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.heard is not None:
            self.heard()
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


def _note(notes: int, number: int) -> None:
    os.write(notes, b"%d %d\n" % (number, time.time_ns()))


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
    else:
        figures = uvloop.run(
            drive(arguments[1], int(arguments[2]), float(arguments[3]), *arguments[4:])
        )
        print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
