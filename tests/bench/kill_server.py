"""What the connections of `kill.py` lead to: ticks without end, in a process of its own.

    python -m tests.bench.kill_server CERTIFICATE SECRET LOG      prints four ports

The ports are of TLS, of HTTP in clear, of no protocol at all, and of HTTP/2. `/once/…` is
answered and done, `/ws/…` becomes a WebSocket, all else is an answer that never ends; 401 without
the secret, as a bearer, a token, or a Basic password. LOG gets `use PATH NS` when the secret came,
`end PATH NS` when a connection that ticks is gone; the path of the third port is `/raw`.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import ssl
import sys
import time

import uvloop

from tests.bench import kill_h2

_TICK = 0.02  # seconds
_ONCE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntick"
_NO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
_ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
_SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
_FRAME = b"\x81\x04tick"  # RFC 6455 section 5.2: a whole text message


class Ticking:
    def __init__(self, secret: str, log: int) -> None:
        self._secret = secret
        self._log = log

    async def web(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ticks = ""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                path = head.split(" ", 2)[1].partition("?")[0]
                if not self._known(head):
                    writer.write(_NO)
                    continue
                self._note("use", path)
                if path.startswith("/once"):
                    writer.write(_ONCE)
                    continue
                ticks = path
                socket = path.startswith("/ws")
                writer.write(_SWITCH if socket else _ENDLESS)
                await self._tick(reader, writer, _FRAME if socket else b"data: tick\n\n")
                return
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            if ticks:
                self._note("end", ticks)
            writer.transport.abort()

    async def http2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await kill_h2.serve(reader, writer, self._opens, lambda what: self._note(what, "/http2"))

    async def raw(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._note("use", "/raw")
        try:
            await self._tick(reader, writer, b"tick\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self._note("end", "/raw")
            writer.transport.abort()

    async def _tick(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes
    ) -> None:
        """Until the other side is gone."""
        gone = asyncio.ensure_future(_drained(reader))
        while not gone.done():
            writer.write(piece)
            await asyncio.wait({gone}, timeout=_TICK)

    def _known(self, head: str) -> bool:
        for line in head.split("\r\n"):
            name, _, value = line.partition(": ")
            if name.lower() != "authorization":
                continue
            return self._opens(value)
        return False

    def _opens(self, value: str) -> bool:
        kind, _, told = value.partition(" ")
        if kind.lower() == "basic":
            try:
                told = base64.b64decode(told).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError):
                return False
        return told == self._secret

    def _note(self, what: str, path: str) -> None:
        os.write(self._log, f"{what} {path} {time.time_ns()}\n".encode())


async def _drained(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except OSError:
        pass


def _context(certificate: str, protocol: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols([protocol])
    return context


async def main(certificate: str, secret: str, log: str) -> None:
    context, http2 = _context(certificate, "http/1.1"), _context(certificate, "h2")
    at = Ticking(secret, os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    servers = [
        await asyncio.start_server(at.web, "127.0.0.1", 0, ssl=context, backlog=512),
        await asyncio.start_server(at.web, "127.0.0.1", 0, backlog=512),
        await asyncio.start_server(at.raw, "127.0.0.1", 0, backlog=512),
        await asyncio.start_server(at.http2, "127.0.0.1", 0, ssl=http2, backlog=512),
    ]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
