"""Both ends of HTTP/2 for tests: a server that answers, and a client that may misbehave."""

from __future__ import annotations

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from tests.support.proxy_fakes import HANDLE, Reader, Rig, Writer

Headers = Sequence[tuple[str, str]]


class H2Upstream:
    """A server. Paths: /grpc (trailers after the body), /sse (an event at a time, by `go`),
    /bytes/N, /echo (the request's Authorization), /reset, /early (an answer before the body has
    come), anything else: the body's length."""

    def __init__(self) -> None:
        self.seen: list[dict[str, str]] = []
        self.bodies: dict[int, int] = {}
        self.connections = 0
        self.go: asyncio.Queue[bytes] = asyncio.Queue()
        self.port = 0
        self.reading = asyncio.Event()
        self.reading.set()
        self._jobs: set[asyncio.Task[Any]] = set()

    @property
    def sending(self) -> int:
        """Answers that are not sent to their end."""
        return len(self._jobs)

    async def handle(self, reader: Reader, writer: Writer) -> None:
        self.connections += 1
        conn = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        conn.initiate_connection()
        window = asyncio.Event()
        requests: dict[int, dict[str, str]] = {}
        bodies: dict[int, int] = defaultdict(int)

        async def flush() -> None:
            writer.write(conn.data_to_send())
            await writer.drain()

        try:
            await flush()
            while data := await reader.read(65536):
                await self.reading.wait()
                for event in conn.receive_data(data):
                    if isinstance(event, RequestReceived):
                        requests[event.stream_id] = dict(event.headers)
                        self.seen.append(requests[event.stream_id])
                        if requests[event.stream_id][":path"] == "/early":
                            head = [(":status", "413")]
                            conn.send_headers(event.stream_id, head, end_stream=True)
                    elif isinstance(event, DataReceived):
                        bodies[event.stream_id] += len(event.data)
                        conn.acknowledge_received_data(
                            event.flow_controlled_length, event.stream_id
                        )
                    elif isinstance(event, WindowUpdated):
                        window.set()
                    elif isinstance(event, StreamEnded):
                        number = event.stream_id
                        request, size = requests[number], bodies[number]
                        job = asyncio.ensure_future(
                            self._answer(conn, number, request, size, flush, window)
                        )
                        self._jobs.add(job)
                        job.add_done_callback(self._jobs.discard)
                await flush()
        except (OSError, ProtocolError):
            pass
        finally:
            writer.close()

    async def _answer(
        self,
        conn: H2Connection,
        number: int,
        request: dict[str, str],
        size: int,
        flush: Any,
        window: asyncio.Event,
    ) -> None:
        _, kind, *rest = request[":path"].partition("?")[0].split("/")
        body = f"{size} bytes\n".encode()
        try:
            if kind == "reset":
                conn.reset_stream(number)
                await flush()
                return
            if kind == "echo":
                body = request.get("authorization", "").encode()
            if kind == "bytes":
                body = b"x" * int(rest[0])
            echoed = [("x-echo", request["authorization"])] if kind == "headers" else []
            conn.send_headers(number, [(":status", "200"), ("content-type", "text/plain"), *echoed])
            await flush()
            if kind == "sse":
                while event := await self.go.get():
                    conn.send_data(number, event)
                    await flush()
                body = b""
            while body:
                window.clear()
                room = min(conn.local_flow_control_window(number), conn.max_outbound_frame_size)
                if not room:
                    await window.wait()
                    continue
                conn.send_data(number, body[:room])
                body = body[room:]
                await flush()
            if kind == "grpc":
                trailers = [("grpc-status", "0"), ("grpc-message", "ok")]
                conn.send_headers(number, trailers, end_stream=True)
            else:
                conn.end_stream(number)
            await flush()
        except (OSError, ProtocolError):
            pass


class H2Client:
    """A client in a tunnel. Its requests are not checked before they go out."""

    def __init__(self, reader: Reader, writer: Writer, authority: str) -> None:
        self.reader, self.writer, self.authority = reader, writer, authority
        self.conn = H2Connection(
            H2Configuration(
                client_side=True,
                header_encoding="utf-8",
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
            )
        )
        self.conn.initiate_connection()
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytearray] = defaultdict(bytearray)
        self.trailers: dict[int, dict[str, str]] = {}
        self.ended: set[int] = set()
        self.reset: dict[int, int] = {}
        self.gone: int | None = None  # code with which the connection was ended
        self.acknowledge = True
        self.flush()

    @classmethod
    async def through(cls, rig: Rig, authority: str = "", handle: str = HANDLE) -> H2Client:
        reader, writer = await rig.dial()
        authority = authority or rig.origin
        writer.write(
            f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
            f"Proxy-Authorization: {rig.basic(handle)}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head:
            raise ConnectionRefusedError((head + await reader.read()).decode())
        context = ssl.create_default_context(cafile=str(rig.bundle))
        context.set_alpn_protocols(["h2"])
        await writer.start_tls(context, server_hostname=authority.rpartition(":")[0])
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
        return cls(reader, writer, authority)

    def flush(self) -> None:
        self.writer.write(self.conn.data_to_send())

    def ask(
        self, path: str = "/", method: str = "GET", fields: Headers = (), *, end: bool = True
    ) -> int:
        head = [(":method", method), (":scheme", "https"), (":authority", self.authority)]
        return self.raw([*head, (":path", path), *fields], end=end)

    def raw(self, headers: Headers, *, end: bool = True) -> int:
        number = self.conn.get_next_available_stream_id()
        self.conn.send_headers(number, headers, end_stream=end)
        self.flush()
        return number

    async def send(self, number: int, data: bytes, *, end: bool = True) -> None:
        while data:
            room = min(
                self.conn.local_flow_control_window(number), self.conn.max_outbound_frame_size
            )
            if not room:
                await self._step()
                continue
            self.conn.send_data(number, data[:room])
            data = data[room:]
            self.flush()
            await self.writer.drain()
        if end:
            self.conn.end_stream(number)
            self.flush()

    async def _step(self) -> None:
        data = await asyncio.wait_for(self.reader.read(65536), 10)
        if not data:
            self.gone = -1 if self.gone is None else self.gone
            raise ConnectionResetError("the connection ended")
        for event in self.conn.receive_data(data):
            number = getattr(event, "stream_id", 0)
            if isinstance(event, ResponseReceived):
                self.heads[number] = dict(event.headers)
            elif isinstance(event, DataReceived):
                self.bodies[number] += event.data
                if self.acknowledge:
                    self.conn.acknowledge_received_data(event.flow_controlled_length, number)
            elif isinstance(event, TrailersReceived):
                self.trailers[number] = dict(event.headers)
            elif isinstance(event, StreamEnded):
                self.ended.add(number)
            elif isinstance(event, StreamReset):
                self.reset[number] = event.error_code
            elif isinstance(event, ConnectionTerminated):
                self.gone = event.error_code
        self.flush()

    async def until(self, condition: Any) -> None:
        while not condition():
            await self._step()

    def body(self, number: int) -> Reader:
        """A stream's body as a byte stream, which ends with it however that ends."""
        into = asyncio.StreamReader()

        async def move() -> None:
            try:
                while number not in self.ended | self.reset.keys():
                    await self._step()
                    into.feed_data(bytes(self.bodies.pop(number, b"")))
            except (OSError, TimeoutError, ProtocolError):
                pass
            finally:
                into.feed_eof()

        self._moving = asyncio.ensure_future(move())
        return into

    async def answer(self, number: int) -> tuple[int, bytes]:
        """(status, body) of a whole answer; ConnectionError when the stream was reset."""
        await self.until(lambda: number in self.ended or number in self.reset)
        if number not in self.ended:
            raise ConnectionResetError(f"stream {number} was reset")
        return int(self.heads[number][":status"]), bytes(self.bodies[number])
