"""A proxy as companies have: CONNECT to any port, whole URLs for plain HTTP, a password."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass, field

from tests.support.proxy_fakes import Reader, Writer

LOGIN = "ana:p%40ss"  # as in a URL
_EXPECTED = "Basic " + base64.b64encode(b"ana:p@ss").decode()


@dataclass
class CorporateProxy:
    """Listens on loopback; `asked` are the request lines it was sent."""

    names: dict[str, str] = field(default_factory=dict)  # its own name service
    refuses: bool = False
    asked: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)  # what it was shown as log-ins
    port: int = 0

    async def start(self, tls: ssl.SSLContext | None = None) -> asyncio.Server:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.strip().split("\r\n")
            fields = {k.lower(): v for k, _, v in (each.partition(": ") for each in lines)}
            self.asked.append(line)
            self.shown.append(fields.get("proxy-authorization", ""))
            if self.refuses:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            elif self.shown[-1] != _EXPECTED:
                writer.write(b"HTTP/1.1 407 Log-in\r\nContent-Length: 0\r\n\r\n")
            else:
                await self._pass(line, lines, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _pass(self, line: str, lines: list[str], reader: Reader, writer: Writer) -> None:
        method, target, _ = line.split()
        authority = target if method == "CONNECT" else target.split("/")[2]
        host, _, port = authority.rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(self.names.get(host, host), port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            path = "/" + target.split("/", 3)[3]
            kept = [each for each in lines if not each.lower().startswith("proxy-")]
            text = "\r\n".join((f"{method} {path} HTTP/1.1", *kept, "", ""))
            far_writer.write(text.encode("latin-1"))
        await asyncio.wait(
            [
                asyncio.ensure_future(_move(reader, far_writer)),
                asyncio.ensure_future(_move(far_reader, writer)),
            ],
            return_when=asyncio.FIRST_COMPLETED,
        )
        far_writer.close()


async def _move(reader: Reader, writer: Writer) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
