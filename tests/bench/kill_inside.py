"""The task of `kill.py`: connections in use until they are refused. Of the project, `kill_h2` only.

    kill_inside.py CHANNEL HOST:PORT COUNT NOTES

Each connection notes `N good NS` when bytes come under the credential, and `N refused NS` when it
is told no; one that was cut tries again at once, on another. It ends when all were refused.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import ssl
import subprocess
import sys
import time
from functools import partial
from urllib.parse import unquote, urlsplit

import uvloop

_PATIENCE = 20.0  # seconds for an answer
_PAUSE = 0.002  # seconds between requests, and between a cut and the next try

_Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Inside:
    def __init__(self, channel: str, authority: str, notes: str) -> None:
        self._channel, self._authority = channel, authority
        self._notes = os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._token = os.environ["BENCH_TOKEN"]
        parts = urlsplit(os.environ["HTTPS_PROXY"])
        self._proxy = parts.hostname or "", parts.port or 0
        user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        self._user = base64.b64encode(user.encode()).decode()
        self._context = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
        self._context.set_alpn_protocols(["h2" if channel == "http2" else "http/1.1"])
        self._login = f"Bearer {self._token}"
        if channel == "git":
            self._login = "Basic " + base64.b64encode(self._from_git()).decode()
        elif channel == "gh":
            self._login = f"token {self._token}"

    def _from_git(self) -> bytes:
        """What git's own credential helper is given for a repository."""
        scheme_host = f"protocol=https\nhost={self._authority}\npath=team/app.git\n\n"
        told = subprocess.run(
            ["git", "credential", "fill"], input=scheme_host, capture_output=True, text=True,
            check=True, timeout=_PATIENCE,
        ).stdout  # fmt: skip
        said = dict(line.partition("=")[::2] for line in told.splitlines())
        return f"{said['username']}:{said['password']}".encode()

    async def keep_on(self, number: int) -> None:
        # A second connection is open already: what is measured is the refusal, and no handshake.
        ready = [await self._open()]
        if self._channel != "connect":
            ready.append(await self._open())
        while True:
            try:
                told = await self._use(number, *(ready.pop() if ready else await self._open()))
            except ConnectionRefusedError as refused:
                told = int(refused.args[0])
            except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
                told = 0
            if told in (403, 407):
                self._note(number, "refused")
                return
            await asyncio.sleep(_PAUSE)

    async def _use(
        self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> int:
        """One connection's life: the status that ended it, 0 for a cut."""
        try:
            if self._channel == "connect":
                return await self._listen(number, reader)
            if self._channel == "http2":
                import kill_h2

                heard = partial(self._note, number, "good")
                return await kill_h2.use(reader, writer, self._authority, self._login, heard)
            while True:
                writer.write(self._request().encode())
                status, body = await self._answer(reader)
                if status not in (200, 101):
                    return status
                self._note(number, "good")
                if self._channel not in ("http", "https"):
                    return await self._listen(number, reader)
                await reader.readexactly(body)
                await asyncio.sleep(_PAUSE)
        finally:
            writer.transport.abort()

    async def _listen(self, number: int, reader: asyncio.StreamReader) -> int:
        while await reader.read(65536):
            self._note(number, "good")
        return 0

    def _request(self) -> str:
        path = {
            "http": f"http://{self._authority}/once/http",
            "https": "/once/https",
            "websocket": "/ws/websocket",
            "git": "/team/app.git/info/refs?service=git-upload-pack",
            "gh": "/api/v3/repos/team/app/gh",
        }.get(self._channel, f"/{self._channel}")
        head = f"GET {path} HTTP/1.1\r\nHost: {self._authority}\r\nAuthorization: {self._login}\r\n"
        if self._channel == "http":
            head += f"Proxy-Authorization: Basic {self._user}\r\n"
        if self._channel == "websocket":
            head += (
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            )
        return head + "\r\n"

    async def _open(self) -> _Stream:
        if self._channel == "gh":
            return await asyncio.open_unix_connection(_gh_socket())
        reader, writer = await asyncio.open_connection(*self._proxy)
        if self._channel == "http":
            return reader, writer
        writer.write(
            f"CONNECT {self._authority} HTTP/1.1\r\nHost: {self._authority}\r\n"
            f"Proxy-Authorization: Basic {self._user}\r\n\r\n".encode()
        )
        status, _ = await self._answer(reader)
        if status != 200:
            writer.transport.abort()
            raise ConnectionRefusedError(status)
        if self._channel != "connect":
            await writer.start_tls(self._context, server_hostname="localhost")
        return reader, writer

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, int]:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        length = re.search(rb"(?i)content-length: (\d+)", head)
        return int(head.split(b" ", 2)[1]), int(length[1]) if length else 0

    def _note(self, number: int, what: str) -> None:
        os.write(self._notes, f"{number} {what} {time.time_ns()}\n".encode())


def _gh_socket() -> str:
    with open(os.path.join(os.environ["GH_CONFIG_DIR"], "config.yml")) as file:
        found = re.search(r'http_unix_socket: "(.*)"', file.read())
    assert found
    return found[1]


async def main(channel: str, authority: str, count: str, notes: str) -> None:
    inside = Inside(channel, authority, notes)
    await asyncio.gather(*(inside.keep_on(number) for number in range(int(count))))


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
