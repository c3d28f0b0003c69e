"""A TLS server that keeps its own account of what reaches it, in a process of its own.

    python -m tests.bench.upstream CERTIFICATE SECRET LOG      prints its port

`GET /race/N` is answered at once. `GET /stream/N` is answered for ever. LOG gets a line each for
`use PATH NANOSECONDS`, when the real credential came, and `end PATH NANOSECONDS`, when a stream's
connection was gone. The time of a use is the kernel's, at the arrival of its bytes: what came in
time and was read late is not late.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import sys
import threading
import time

_SO_TIMESTAMPNS = 35  # linux/asm-generic/socket.h
_TIMESPEC = struct.Struct("qq")
_TICK = 0.02  # seconds between the pieces of a stream
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_NO = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"
_ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


class Visitor:
    """One connection, served by one thread."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, secret: str, log: int) -> None:
        self._sock = sock
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._wanted = b"Bearer " + secret.encode()
        self._log = log
        self._arrived = 0  # when the newest bytes came
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)

    def serve(self) -> None:
        path = ""
        try:
            self._repeat(self._tls.do_handshake)
            while head := self._head():
                path = head.split(b" ", 2)[1].decode()
                known = self._wanted in head
                if known:
                    self._note("use", path, self._arrived)
                if known and path.startswith("/stream"):
                    self._stream()
                self._send(_OK if known else _NO)
        except (OSError, ssl.SSLError):
            pass
        finally:
            if path.startswith("/stream"):
                self._note("end", path, time.time_ns())
            self._sock.close()

    def _stream(self) -> None:
        self._send(_ENDLESS)
        while True:
            self._send(b"data: tick\n\n")
            if select.select([self._sock], [], [], _TICK)[0]:
                self._receive()

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self._repeat(lambda: self._tls.read(65536)) or b""
        return head

    def _repeat(self, step):  # type: ignore[no-untyped-def]
        """Do a step of TLS, with the bytes it needs and makes."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                self._flush()
                self._receive()
                continue
            self._flush()
            return result

    def _receive(self) -> None:
        data, ancillary, _, _ = self._sock.recvmsg(65536, 256)
        if not data:
            raise ConnectionResetError("the peer is gone")
        self._arrived = time.time_ns()
        for level, kind, payload in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS):
                seconds, nanoseconds = _TIMESPEC.unpack(payload[: _TIMESPEC.size])
                self._arrived = seconds * 10**9 + nanoseconds
        self._in.write(data)

    def _send(self, data: bytes) -> None:
        self._tls.write(data)
        self._flush()

    def _flush(self) -> None:
        if self._out.pending:
            self._sock.sendall(self._out.read())

    def _note(self, what: str, path: str, at: int) -> None:
        os.write(self._log, f"{what} {path} {at}\n".encode())


def main(certificate: str, secret: str, log: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["http/1.1"])
    notes = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    while True:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        visitor = Visitor(sock, context, secret, notes)
        threading.Thread(target=visitor.serve, daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
