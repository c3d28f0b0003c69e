"""The name service of a contained task: answers every name itself, and asks nobody.

A has the address that stands for the name (`names.Names`); AAAA and HTTPS are answered with "no
such data", so that programs go on with A at once; `localhost` is what it always is (RFC 6761);
an address asked for its name gets the one it stands for. Everything else is refused. What is not
one well-formed question is dropped.

Sources: RFC 1035, 4.1 and 4.2; RFC 3596; RFC 6891 (an OPT record in a question is ignored, as a
server may that does not know it); RFC 9460.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from typing import cast

from supervisor.channels.network.names import Names
from supervisor.ports import Channel

_HEADER = struct.Struct("!6H")  # id, flags, counts of questions, answers, authorities, additionals
_QUESTION = struct.Struct("!HH")  # type, class
_RECORD = struct.Struct("!HHHIH")  # pointer to the name, type, class, seconds, length
_POINTER = 0xC000 | _HEADER.size
_A, _PTR, _AAAA, _HTTPS = 1, 12, 28, 65
_IN = 1
_RESPONSE, _AUTHORITATIVE, _RECURSION_WANTED, _RECURSION = 0x8000, 0x0400, 0x0100, 0x0080
_OPCODE, _TRUNCATED = 0x7800, 0x0200
_OK, _FAILED, _UNKNOWN, _REFUSED = 0, 2, 3, 5
_SECONDS = 60
_LABEL = re.compile(rb"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})")
_REVERSE = ".in-addr.arpa"
_MESSAGE = 4096  # bytes of a question we look at
_CONNECTIONS = 64
_PATIENCE = 10.0  # seconds a connection may stay without a question


def answer(query: bytes, names: Names) -> bytes | None:
    """The answer to one message; None when it is to be dropped."""
    if not _HEADER.size < len(query) <= _MESSAGE:
        return None
    ident, flags, questions, answers, _, _ = _HEADER.unpack_from(query)
    if flags & (_RESPONSE | _OPCODE | _TRUNCATED) or (questions, answers) != (1, 0):
        return None
    read = _name(query)
    if read is None:
        return None
    name, end = read
    if end + _QUESTION.size > len(query):
        return None
    kind, network = _QUESTION.unpack_from(query, end)
    code, data = _data(name, kind, names) if network == _IN else (_REFUSED, b"")
    head = _HEADER.pack(
        ident,
        _RESPONSE | _AUTHORITATIVE | (flags & _RECURSION_WANTED) | _RECURSION | code,
        1,
        1 if data else 0,
        0,
        0,
    )
    asked = query[_HEADER.size : end + _QUESTION.size]
    record = _RECORD.pack(_POINTER, kind, _IN, _SECONDS, len(data)) + data if data else b""
    return head + asked + record


def _name(query: bytes) -> tuple[str, int] | None:
    """The name in the question, lower case, and where it ends. None when it is no host's name."""
    labels: list[bytes] = []
    at = _HEADER.size
    while at < len(query) and (length := query[at]):
        label = query[at + 1 : at + 1 + length]
        # A length above 63 is a pointer, which a question has no use for.
        if length > 63 or len(label) != length or not _LABEL.fullmatch(label):
            return None
        labels.append(label)
        at += 1 + length
    name = b".".join(labels).decode("ascii").lower()
    return (name, at + 1) if at < len(query) and 0 < len(name) <= 253 else None


def _data(name: str, kind: int, names: Names) -> tuple[int, bytes]:
    """(response code, data of the one record or b"")."""
    local = name == "localhost" or name.endswith(".localhost")
    if kind == _A:
        address = "127.0.0.1" if local else names.address(name)
        return (_OK, socket.inet_aton(address)) if address else (_FAILED, b"")
    if kind == _AAAA and local:
        return _OK, socket.inet_pton(socket.AF_INET6, "::1")
    if kind in (_AAAA, _HTTPS):
        return _OK, b""
    if kind == _PTR and name.endswith(_REVERSE):
        address = ".".join(reversed(name.removesuffix(_REVERSE).split(".")))
        known = names.name(address)
        return (_OK, _encoded(known)) if known else (_UNKNOWN, b"")
    return _REFUSED, b""


def _encoded(name: str) -> bytes:
    labels = name.encode("ascii").split(b".")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


class NameService(Channel):
    """Serves one task's names on a datagram and a stream socket, which it owns from here."""

    def __init__(self, names: Names, datagrams: socket.socket, streams: socket.socket) -> None:
        self._names = names
        self._datagrams = datagrams
        self._streams = streams
        self._transport: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def serve(self) -> None:
        for made in (self._datagrams, self._streams):
            made.setblocking(False)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._names), sock=self._datagrams
        )
        self._server = await asyncio.start_server(self._connected, sock=self._streams)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._writers) >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._writers.add(writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
                while True:
                    async with asyncio.timeout(_PATIENCE):
                        length = int.from_bytes(await reader.readexactly(2))
                        answered = answer(await reader.readexactly(length), self._names)
                    if answered is None:
                        return
                    writer.write(len(answered).to_bytes(2) + answered)
                    await writer.drain()
        finally:
            self._writers.discard(writer)
            writer.close()

    def cut(self, lease: str = "") -> int:
        return 0  # no lease is carried here, and names are no access

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self._names = names
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        answered = answer(data, self._names)
        if answered is not None and self._transport is not None:
            self._transport.sendto(answered, address)
