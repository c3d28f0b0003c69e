"""A look at a request's body before it is judged. Nothing of it is taken, and nothing sent.

What some requests do stands in their bodies: a GraphQL mutation, the refs of a push. For those a
`Look` says how many bytes it wants, and reads them once they are here (or once the body is).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from supervisor.channels.http.endpoint import FOREVER
from supervisor.channels.http.message import CHUNKED, UNTIL_CLOSE, BadRequest, RequestHead
from supervisor.model import Effect, Process

_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e]*)?\r\n")
_LINE_LIMIT = 256  # as `body.BodyReader`
# Bytes of framing that are taken for a body in chunks, besides as many as the body's own.
_FRAMING = 64 * 1024


@dataclass(frozen=True, slots=True)
class Peeked:
    """The beginning of a body, its transfer and content codings undone.

    Attributes:
        complete: `data` is the whole body.
        readable: False where its content coding is not one that we know; `data` is empty then.
    """

    data: bytes = b""
    complete: bool = True
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Said:
    """What a request's body says.

    Attributes:
        attributes: of the HTTP effect, besides method and path.
        further: effects of their own.
    """

    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)
    further: tuple[Effect, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """Reads the bodies of some requests.

    Attributes:
        wants: how many bytes of this request's body it has to see, 0 for none.
        read: what the request with this head and target does. Pure; called in a thread. Whatever
            it cannot understand it tells as the strictest that it could be.
        known: what the sender's own files tell besides, given the resource it goes to and the
            processes it comes from. Reads them, in the same thread.
    """

    wants: Callable[[RequestHead], int]
    read: Callable[[RequestHead, str, Peeked], Said]
    known: Callable[[Said, str, Sequence[Process]], Said] = lambda said, resource, sender: said


class Source(Protocol):
    """Where a body is read from."""

    @property
    def pending(self) -> bytearray: ...

    @property
    def ended(self) -> bool: ...

    def wait_up_to(self, patience: float) -> None: ...

    async def fill(self) -> bool: ...


async def peek(client: Source, head: RequestHead, most: int, patience: float) -> Peeked:
    """The first `most` bytes of the body that follows `head`, which stays unread.

    Waits for them; `patience` is in seconds of silence.

    Raises:
        BadRequest: its chunks are malformed.
        ConnectionError: the body was cut short.
    """
    if not head.body or not most:
        return Peeked(complete=not head.body)
    client.wait_up_to(patience)
    try:
        if head.body == CHUNKED:
            data, complete = await _chunked(client, most)
        elif head.body == UNTIL_CLOSE:
            while len(client.pending) <= most and await client.fill():
                pass
            data = bytes(client.pending[:most])
            complete = client.ended and len(client.pending) <= most
        else:
            wanted = min(head.body, most)
            while len(client.pending) < wanted:
                await _more(client)
            data, complete = bytes(client.pending[:wanted]), wanted == head.body
    finally:
        client.wait_up_to(FOREVER)
    return _decoded(head, data, complete, most)


async def _chunked(client: Source, most: int) -> tuple[bytes, bool]:
    data = bytearray()
    at = 0  # in what is pending, the beginning of the next chunk
    while True:
        at, complete = _chunks(client.pending, at, data, most)
        if complete or len(data) >= most or len(client.pending) > 2 * most + _FRAMING:
            return bytes(data[:most]), complete and len(data) <= most
        await _more(client)


def _chunks(pending: bytearray, at: int, data: bytearray, most: int) -> tuple[int, bool]:
    """Add the whole chunks from `at` on to `data`; where the next begins, and if it was the last.

    A chunk that is longer than what is wanted is taken in part.
    """
    while len(data) < most:
        end = pending.find(b"\n", at, at + _LINE_LIMIT)
        if end < 0:
            if len(pending) - at >= _LINE_LIMIT:
                raise BadRequest("A chunk of the body is malformed.")
            return at, False
        match = _CHUNK.fullmatch(pending, at, end + 1)
        if match is None:
            raise BadRequest("A chunk of the body is malformed.")
        size = int(match[1], 16)
        if not size:
            return at, True
        begin = end + 1
        if begin + size + 2 > len(pending):
            if len(data) + len(pending) - begin >= most:
                data += pending[begin : begin + min(size, most)]
            return at, False
        data += pending[begin : begin + size]
        at = begin + size + 2
        if pending[at - 2 : at] != b"\r\n":
            raise BadRequest("A chunk of the body is malformed.")
    return at, False


async def _more(client: Source) -> None:
    if not await client.fill():
        raise ConnectionResetError("the body was cut short")


def _decoded(head: RequestHead, data: bytes, complete: bool, most: int) -> Peeked:
    """Content codings undone (RFC 9110, 8.4): none, or gzip once."""
    codings = [value.lower() for key, _, value in head.fields if key == b"content-encoding"]
    if not codings or codings == [b"identity"]:
        return Peeked(data, complete)
    if codings not in ([b"gzip"], [b"x-gzip"]):
        return Peeked(complete=False, readable=False)
    unzip = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = unzip.decompress(data, most)
    except zlib.error:
        return Peeked(complete=False, readable=False)
    # A second member would be unzipped by some servers, and not by others.
    whole = complete and unzip.eof and not unzip.unused_data
    return Peeked(plain, whole)
