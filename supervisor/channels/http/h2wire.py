"""One HTTP/2 connection over a byte stream, and its streams (RFC 9113). Either side of it.

`h2` is the protocol; here are the bytes, the waiting, and the limits that it leaves to us. What a
peer can make us keep or do without having a request judged is bounded (CVE-2019-9512 and its kin,
CVE-2023-44487, CVE-2024-27316). Imported with the first connection that speaks it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    PingReceived,
    PriorityUpdated,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
    UnknownFrameReceived,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings

from supervisor.channels.http.endpoint import FOREVER, Endpoint
from supervisor.channels.http.message import HEAD_LIMIT

# (lower-case name, value)
Header = tuple[bytes, bytes]

STREAMS = 100  # of one connection at a time
# Bytes that are taken in unread, of a stream and of all of a connection. A client is near; a server
# may be far, and has one stream (`h2upstream`).
_CLIENTS_WINDOW, _WINDOW = 64 * 1024, 1024 * 1024
_READ = 64 * 1024
# Frames that a peer may send besides those of requests that come to an answer: resets, settings,
# pings, priorities, empty data. So many at once, and then so many a second.
_IDLE_FRAMES, _IDLE_RATE = 400, 10.0


class Stream:
    """One stream of a connection. Read as an `Endpoint` is.

    Attributes:
        ended: the other side has sent everything.
        lost: reset, or its connection is gone.
        trailers: that came after the body.
    """

    def __init__(self, wire: H2Wire, number: int) -> None:
        self._wire = wire
        self.number = number
        self._buffer = bytearray()
        self._owed = 0  # bytes taken in that the other side does not know to be read
        self._changed = asyncio.Event()
        self._patience = FOREVER
        self.head: asyncio.Future[Sequence[Header]] = asyncio.get_running_loop().create_future()
        self.trailers: Sequence[Header] = ()
        self.ended = False
        self.lost = False

    # ── reading ─────────────────────────────────────────────────────────────────────────

    @property
    def pending(self) -> bytearray:
        """What has come in and was not taken yet. Not to be changed."""
        return self._buffer

    def wait_up_to(self, patience: float) -> None:
        """From now on, give up after `patience` seconds of silence."""
        self._patience = patience

    async def fill(self) -> bool:
        """Wait for more than is pending; False when nothing more will come.

        Raises:
            ConnectionError: the stream was reset.
        """
        before = len(self._buffer)
        self._settle()  # its sender may be waiting for us
        while len(self._buffer) == before and not self.ended:
            await self._change()
        return len(self._buffer) > before

    async def some(self) -> bytes:
        """At least one byte, b"" at the end.

        Raises:
            ConnectionError: the stream was reset.
        """
        if not self._buffer and not await self.fill():
            return b""
        data = bytes(self._buffer)
        self._buffer.clear()
        self._settle()
        return data

    def _settle(self) -> None:
        owed, self._owed = self._owed, 0
        if owed and not self.lost:
            self._wire.read(self.number, owed)

    async def _change(self) -> None:
        if self.lost:
            raise ConnectionResetError("the stream was reset")
        self._changed.clear()
        patience = None if self._patience == FOREVER else self._patience
        try:
            async with asyncio.timeout(patience):
                await self._changed.wait()
        except TimeoutError as error:
            self.reset()
            raise ConnectionAbortedError("the stream is silent") from error
        if self.lost:
            raise ConnectionResetError("the stream was reset")

    # ── writing ─────────────────────────────────────────────────────────────────────────

    def send_head(self, headers: Sequence[Header], *, end: bool = False) -> None:
        """A head, or trailers (which end the stream)."""
        if not self.lost:
            self._wire.conn.send_headers(self.number, headers, end_stream=end)
            self._wire.flush()

    async def send(self, data: bytes) -> None:
        """Bytes of the body, as fast as the other side takes them.

        Raises:
            ConnectionError: the stream was reset.
        """
        conn, at = self._wire.conn, 0
        while at < len(data):
            while not self.lost and not conn.local_flow_control_window(self.number):
                await self._change()
            if self.lost:
                raise ConnectionResetError("the stream was reset")
            room = min(conn.local_flow_control_window(self.number), conn.max_outbound_frame_size)
            conn.send_data(self.number, data[at : at + room])
            at += room
            self._wire.flush()
            await self._wire.endpoint.drain()

    def end(self) -> None:
        if not self.lost:
            self._wire.conn.end_stream(self.number)
            self._wire.flush()

    def reset(self, code: ErrorCodes = ErrorCodes.CANCEL) -> None:
        """End it here and there."""
        if not self.lost:
            self.lose()
            self._wire.reset(self.number, code)

    def abort(self) -> None:
        """As `reset`: what is written and not sent is dropped with it by the other side."""
        self.reset()

    # ── the connection's side ───────────────────────────────────────────────────────────

    def take_in(self, data: bytes, counted: int) -> None:
        self._buffer += data
        self._owed += counted
        self.wake()

    def finish(self) -> None:
        self.ended = True
        self.wake()

    def lose(self) -> None:
        self.lost = self.ended = True
        if not self.head.done():
            self.head.set_exception(ConnectionResetError("the stream was reset"))
            self.head.exception()  # nobody may be waiting for it
        self.wake()

    def wake(self) -> None:
        self._changed.set()


class H2Wire:
    """A connection.

    Args:
        opened: is called with each stream that the other side opens, its headers, and whether
            they are all of it.
        reset: is called with each stream that the other side resets.
        broken: is called when the other side has broken the protocol's rules, with how.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        client: bool,
        opened: Callable[[Stream, Sequence[Header], bool], None] | None = None,
        reset: Callable[[Stream], None] | None = None,
        broken: Callable[[str], None] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._opened = opened
        self._was_reset = reset
        self._broken = broken
        self.conn = H2Connection(H2Configuration(client_side=client, header_encoding=None))
        self.conn.local_settings = Settings(
            client=client,
            initial_values={
                SettingCodes.MAX_CONCURRENT_STREAMS: STREAMS,
                SettingCodes.INITIAL_WINDOW_SIZE: _WINDOW if client else _CLIENTS_WINDOW,
                SettingCodes.MAX_HEADER_LIST_SIZE: HEAD_LIMIT,
                SettingCodes.ENABLE_PUSH: 0,
            },
        )
        self.conn.decoder.max_header_list_size = HEAD_LIMIT
        self.streams: dict[int, Stream] = {}
        self.closing = False  # no new stream
        self._idle = 0.0  # frames besides those of requests, as far as they are held against it
        self._since = asyncio.get_running_loop().time()
        self.conn.initiate_connection()
        self.conn.increment_flow_control_window(_WINDOW)
        self.flush()

    def open(self) -> Stream:
        """A stream of our own (as a client)."""
        stream = Stream(self, self.conn.get_next_available_stream_id())
        self.streams[stream.number] = stream
        return stream

    def flush(self) -> None:
        if data := self.conn.data_to_send():
            self.endpoint.write(data)

    async def run(self) -> None:
        """Move bytes until the connection ends. Raises nothing but cancellation."""
        conn, endpoint = self.conn, self.endpoint
        try:
            while data := await endpoint.some(_READ):
                for event in conn.receive_data(data):
                    self._event(event)
                if self._is_idle_talk():
                    conn.close_connection(ErrorCodes.ENHANCE_YOUR_CALM)
                    self.flush()
                    self._tell("too many frames that ask for nothing")
                    return
                self.flush()
                # Who sends without reading is not read from: answers to pings are not kept.
                await endpoint.drain()
        except ProtocolError as error:
            self.flush()  # h2 has put the reason on the wire
            self._tell(type(error).__name__)
        except OSError:
            pass
        finally:
            self.closing = True
            for stream in list(self.streams.values()):
                stream.lose()
                if self._was_reset is not None:
                    self._was_reset(stream)
            endpoint.close()

    def _tell(self, how: str) -> None:
        if self._broken is not None:
            self._broken(how)

    def _is_idle_talk(self) -> bool:
        now = asyncio.get_running_loop().time()
        self._idle = max(0.0, self._idle - (now - self._since) * _IDLE_RATE)
        self._since = now
        return self._idle > _IDLE_FRAMES

    def answered(self) -> None:
        """A request came to its answer: its connection is not idle talk."""
        self._idle = max(0.0, self._idle - 20)

    def read(self, number: int, count: int) -> None:
        self.conn.acknowledge_received_data(count, number)
        self.flush()

    def reset(self, number: int, code: ErrorCodes) -> None:
        self.streams.pop(number, None)
        with contextlib.suppress(ProtocolError):  # it has ended on both sides already
            self.conn.reset_stream(number, code)
        self.flush()

    def forget(self, stream: Stream) -> None:
        """Both sides are done with it."""
        self.streams.pop(stream.number, None)

    def _event(self, event: Event) -> None:
        number = getattr(event, "stream_id", None) or 0
        stream = self.streams.get(number)
        if isinstance(event, RequestReceived):
            if self._opened is not None and not self.closing:
                stream = self.streams[number] = Stream(self, number)
                self._opened(stream, event.headers, event.stream_ended is not None)
        elif isinstance(event, DataReceived):
            if not event.data:
                self._idle += 1
            if stream is None:  # of one that we have reset
                self.read(number, event.flow_controlled_length)
            else:
                stream.take_in(event.data, event.flow_controlled_length)
        elif isinstance(event, ResponseReceived):
            if stream is not None and not stream.head.done():
                stream.head.set_result(event.headers)
        elif isinstance(event, TrailersReceived):
            if stream is not None:
                stream.trailers = event.headers
        elif isinstance(event, StreamEnded):
            if stream is not None:
                stream.finish()
        elif isinstance(event, StreamReset):
            self._idle += 1
            if stream is not None:
                self.streams.pop(number)
                stream.lose()
                if self._was_reset is not None:
                    self._was_reset(stream)
        elif isinstance(event, ConnectionTerminated):
            self.closing = True
        elif isinstance(event, WindowUpdated | RemoteSettingsChanged):
            for each in self.streams.values() if not number else filter(None, (stream,)):
                each.wake()
            self._idle += isinstance(event, RemoteSettingsChanged)
        elif isinstance(event, PingReceived | PriorityUpdated | UnknownFrameReceived):
            self._idle += 1
