"""One byte stream with pull-style reading and back pressure. Both ends of the proxy are one.

Written on asyncio's protocols rather than its streams: TLS starts on a live connection, every
connection can be aborted from outside at any moment, and a small exchange costs one wake-up.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

# Unread bytes held before the sender is made to wait, and when it may go on.
_HIGH, _LOW = 256 * 1024, 64 * 1024
FOREVER = float("inf")


class Endpoint(asyncio.Protocol):
    """A connection. One reader and one writer at a time.

    Attributes:
        patience: seconds without a byte received before the channel's sweep aborts it.
        touched: loop time of the last byte received, or of the last change of `patience`.
    """

    __slots__ = (
        "_buffer",
        "_drained",
        "_eof",
        "_held",
        "_loop",
        "_on_lost",
        "_on_made",
        "_readable",
        "_registry",
        "_transport",
        "lost",
        "patience",
        "touched",
    )

    def __init__(
        self,
        registry: set[Endpoint],
        on_made: Callable[[Endpoint], None] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._registry = registry
        self._on_made = on_made
        self._on_lost: Callable[[], object] | None = None
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._readable: asyncio.Future[None] | None = None
        self._drained: asyncio.Future[None] | None = None
        self._eof = False
        self._held = False  # we asked the transport to stop reading
        self.lost = False
        self.patience = FOREVER
        self.touched = self._loop.time()

    # ── asyncio's side ──────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._registry.add(self)
        if self._on_made is not None:
            self._on_made(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self.touched = self._loop.time()
        if len(self._buffer) > _HIGH and not self._held:
            self._held = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        self._eof = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._eof = self.lost = True
        self._registry.discard(self)
        self._wake()
        self.resume_writing()
        if self._on_lost is not None:
            self._on_lost()

    def pause_writing(self) -> None:
        self._drained = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # ── our side ────────────────────────────────────────────────────────────────────────

    @property
    def sockname(self) -> tuple[str, int]:
        return self._address("sockname")

    @property
    def peername(self) -> tuple[str, int]:
        return self._address("peername")

    def _address(self, which: str) -> tuple[str, int]:
        """Host and port; nowhere, when the peer was gone before it could be asked for."""
        address = self._transport.get_extra_info(which)
        return (address[0], address[1]) if address else ("", 0)

    @property
    def pending(self) -> bytearray:
        """What has come in and was not taken yet. Not to be changed."""
        return self._buffer

    @property
    def ended(self) -> bool:
        """Whether the other side has closed its direction."""
        return self._eof

    @property
    def alpn(self) -> str:
        """The protocol that TLS agreed on, "" for none."""
        tls = self._transport.get_extra_info("ssl_object")
        return (tls.selected_alpn_protocol() or "") if tls is not None else ""

    def when_lost(self, callback: Callable[[], object]) -> None:
        self._on_lost = callback

    def wait_up_to(self, patience: float) -> None:
        """From now on, abort after `patience` seconds without a byte."""
        self.patience = patience
        self.touched = self._loop.time()

    async def fill(self) -> bool:
        """Wait for more than is pending; False when nothing more will come."""
        if self._eof:
            return False
        if self._held:
            # The reader wants more than the mark: a head never does, a body is taken away first.
            self._held = False
            self._transport.resume_reading()
        before = len(self._buffer)
        while len(self._buffer) == before:
            if self._eof:
                return False
            self._readable = self._loop.create_future()
            try:
                await self._readable
            finally:
                self._readable = None
        return True

    def take(self, count: int) -> bytes:
        """The first `count` pending bytes (or fewer, when there are fewer)."""
        buffer = self._buffer
        if count >= len(buffer):
            data = bytes(buffer)
            buffer.clear()
        else:
            data = bytes(memoryview(buffer)[:count])
            del buffer[:count]
        if self._held and len(buffer) < _LOW and not self.lost:
            self._held = False
            self._transport.resume_reading()
        return data

    async def some(self, most: int) -> bytes:
        """At least one byte and at most `most`; b"" at the end."""
        if not self._buffer and not await self.fill():
            return b""
        return self.take(most)

    async def until(self, mark: bytes, limit: int) -> bytes | None:
        """Through the first `mark`; None at a clean end.

        Raises:
            ConnectionError: the end came within it.
            OverflowError: `limit` bytes without `mark`.
        """
        start = 0
        while (at := self._buffer.find(mark, start)) < 0:
            if len(self._buffer) > limit:
                raise OverflowError
            start = max(0, len(self._buffer) - len(mark) + 1)
            if not await self.fill():
                if self._buffer:
                    raise ConnectionResetError("the connection ended within a message")
                return None
        if at + len(mark) > limit:
            raise OverflowError
        return self.take(at + len(mark))

    def write(self, data: bytes) -> None:
        if not self.lost:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait until the other side has taken enough.

        Raises:
            ConnectionError: it is gone.
        """
        if self._drained is not None:
            await self._drained
        if self.lost:
            raise ConnectionResetError("the connection is gone")

    async def start_tls(
        self, context: ssl.SSLContext, timeout: float, *, host: str | None = None
    ) -> None:
        """Become the server end of TLS; the client's, of a server `host`. Nothing may be pending.

        Raises:
            OSError: the handshake failed (ssl.SSLError is one), or took longer than `timeout`.
        """
        transport = await self._loop.start_tls(
            self._transport,
            self,
            context,
            server_side=host is None,
            server_hostname=host,
            ssl_handshake_timeout=timeout,
        )
        if transport is None:
            raise ConnectionResetError("the connection is gone")
        self._transport = transport

    async def linger(self, most: int, seconds: float) -> None:
        """Take and drop what still comes, until the other side closes, within bounds.

        Closing on unread bytes would reset the connection, and take our last answer with it.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while most > 0 and (data := await self.some(_HIGH)):
                    most -= len(data)

    def close(self) -> None:
        """Send what is written, then close."""
        if not self.lost:
            self._transport.close()

    def abort(self) -> None:
        """Close now; what is written and not sent is dropped."""
        if not self.lost:
            self._eof = self.lost = True
            # CPython's TLS transport forgets its protocol when it closes by itself, and then
            # (up to 3.11.4) fails on an abort that comes before we are told of the loss.
            with contextlib.suppress(AttributeError):
                self._transport.abort()

    def _wake(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)
