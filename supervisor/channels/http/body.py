"""Message bodies in motion: read by their framing, scanned, written anew, never held."""

from __future__ import annotations

import re

from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.message import CHUNKED, UNTIL_CLOSE, BadRequest
from supervisor.channels.http.reflection import Watch

_PIECE = 64 * 1024
_LINE_LIMIT = 256  # a chunk's size and extensions
_TRAILER_LIMIT = 8 * 1024
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e]*)?\r\n")


class BodyReader:
    """Hands out a body piece by piece as it arrives."""

    __slots__ = ("_in_chunk", "_left", "_length", "_source", "done")

    def __init__(self, source: Endpoint, length: int) -> None:
        self._source = source
        self._length = length
        self._left = length if length > 0 else 0  # of the body, or of the current chunk
        self._in_chunk = False  # a chunk's data, or the line end after it, is still to come
        self.done = length == 0

    @property
    def at_hand(self) -> bool:
        """Whether `piece` answers without waiting."""
        return self._length != CHUNKED and bool(self._source.pending)

    async def piece(self) -> bytes:
        """The next bytes, b"" when the body is complete.

        Raises:
            ConnectionError: the body was cut short.
            BadRequest: its chunks are malformed (RFC 9112, 7.1).
        """
        if self.done:
            return b""
        if self._length == UNTIL_CLOSE:
            data = await self._source.some(_PIECE)
            self.done = not data
            return data
        if self._length == CHUNKED:
            # The line end after a chunk is read with the next one: an event is not kept for it.
            if self._in_chunk and not self._left:
                await self._line_end()
            if not self._left and not await self._next_chunk():
                return b""
            return await self._take()
        data = await self._take()
        self.done = not self._left
        return data

    async def _take(self) -> bytes:
        data = await self._source.some(min(self._left, _PIECE))
        if not data:
            raise ConnectionResetError("the body was cut short")
        self._left -= len(data)
        return data

    async def _next_chunk(self) -> bool:
        line = await self._line(_LINE_LIMIT)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise BadRequest("A chunk of the body is malformed.")
        self._left = int(match[1], 16)
        self._in_chunk = self._left > 0
        if self._in_chunk:
            return True
        seen = 0
        # Trailers are not forwarded: no field may arrive after policy has judged the head.
        while (line := await self._line(_TRAILER_LIMIT)) != b"\r\n":
            seen += len(line)
            if seen > _TRAILER_LIMIT:
                raise BadRequest("The trailers of the body are too long.")
        self.done = True
        return False

    async def _line_end(self) -> None:
        for expected in (b"\r", b"\n"):
            byte = await self._source.some(1)
            if not byte:
                raise ConnectionResetError("the body was cut short")
            if byte != expected:
                raise BadRequest("A chunk of the body is malformed.")

    async def _line(self, limit: int) -> bytes:
        try:
            line = await self._source.until(b"\n", limit)
        except OverflowError as error:
            raise BadRequest("A chunk of the body is malformed.") from error
        if line is None:
            raise ConnectionResetError("the body was cut short")
        return line


class BodyWriter:
    """Writes a body's pieces in the framing that its new head announces."""

    __slots__ = ("_chunked", "_target", "begun")

    def __init__(self, target: Endpoint, *, chunked: bool) -> None:
        self._target = target
        self._chunked = chunked
        self.begun = False  # something was written

    def frame(self, data: bytes) -> bytes:
        return b"%x\r\n%s\r\n" % (len(data), data) if self._chunked and data else data

    @property
    def end(self) -> bytes:
        return b"0\r\n\r\n" if self._chunked else b""

    async def send(self, data: bytes) -> None:
        self.begun = True
        self._target.write(data)
        await self._target.drain()


async def relay(
    reader: BodyReader, writer: BodyWriter, *, before: bytes = b"", scanner: Watch | None = None
) -> None:
    """Move a whole body, each piece as soon as it is here. `before` is the head to send first.

    Raises:
        ConnectionError, BadRequest: see `BodyReader.piece`.
        Reflected: `scanner` found the secret; nothing of it was sent.
    """
    # A small message goes out in one write, so in one TLS record.
    waiting = before
    if waiting and not reader.done and not reader.at_hand:
        await writer.send(waiting)
        waiting = b""
    while data := await reader.piece():
        if scanner is not None:
            data = scanner.feed(data)
        waiting += writer.frame(data)
        if waiting and not reader.done:
            await writer.send(waiting)
            waiting = b""
    if scanner is not None:
        waiting += writer.frame(scanner.rest())
    waiting += writer.end
    if waiting:
        await writer.send(waiting)
