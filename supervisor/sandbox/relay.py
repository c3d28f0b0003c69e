"""The relay's program in a task: an HTTP proxy before the task's own, for one sandbox.

    python -m supervisor.sandbox.relay FILE DIRECTORY ADDRESS CERTIFICATES

FILE is what `profiles.sandbox` wrote. The listener is standard input, from whoever started the
task. What the sandbox needs is written to DIRECTORY: ADDRESS is the proxy's as the sandbox dials
it, CERTIFICATES the path at which it will find the certificates.

The bearer is made here, stands in the file for the sandbox and nowhere else, and ends with this
process. Of a request only its head is read; whom it is for, and what it may, the task's proxy says.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hmac
import json
import os
import secrets
import shutil
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from supervisor.channels.http.environment import environment
from supervisor.sandbox.guidance import script

ENV_FILE, SCRIPT, CA_FILE = "sandbox.env", "sandbox.sh", "ca.pem"
USER = "taskpass"
_LOOPBACK = "localhost,127.0.0.1,::1"
_MOST = 256  # connections at once
_LARGEST_HEAD = 16 * 1024  # bytes
_PATIENCE = 15.0  # seconds for a head to be whole
_BLOCK = 64 * 1024
# Of a head, what is ours to say.
_DROPPED = (b"proxy-authorization:", b"proxy-connection:", b"connection:")


@dataclass(frozen=True, slots=True)
class Upstream:
    """The task's own proxy, and how this process shows itself there."""

    port: int
    login: bytes  # base64

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Upstream:
        parts = urlsplit(environ["HTTPS_PROXY"])
        login = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        return cls(parts.port or 0, base64.b64encode(login.encode()))


@dataclass(slots=True)
class Relay:
    """Serves one sandbox."""

    upstream: Upstream
    bearer: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    _open: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        self._open += 1
        try:
            if self._open <= _MOST:
                await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # it went away, or is no client of a proxy
        finally:
            self._open -= 1
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head[:-4].split(b"\r\n")
        if not self._shows_bearer(fields):
            writer.write(
                b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                b'Proxy-Authenticate: Basic realm="taskpass"\r\n'
                b"Content-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection(
            "127.0.0.1", self.upstream.port, limit=_BLOCK
        )
        try:
            far_writer.write(self._head(line, fields))
            await _both(_copy(reader, far_writer), _copy(far_reader, writer))
        finally:
            far_writer.close()

    def _shows_bearer(self, fields: Iterable[bytes]) -> bool:
        given = [f for f in fields if f.lower().startswith(b"proxy-authorization:")]
        if len(given) != 1:
            return False
        scheme, _, value = given[0].partition(b":")[2].strip().partition(b" ")
        try:
            login = base64.b64decode(value.strip(), validate=True)
        except binascii.Error:
            return False
        wanted = f"{USER}:{self.bearer}".encode()
        return scheme.lower() == b"basic" and hmac.compare_digest(login, wanted)

    def _head(self, line: bytes, fields: Iterable[bytes]) -> bytes:
        """As the task's proxy gets it: from this process, and for one request, unless a tunnel."""
        kept = [each for each in fields if not each.lower().startswith(_DROPPED)]
        ours = [b"Proxy-Authorization: Basic " + self.upstream.login]
        if not line.upper().startswith(b"CONNECT "):
            ours.append(b"Connection: close")
        return b"\r\n".join([line, *kept, *ours]) + b"\r\n\r\n"


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(_BLOCK):
        target.write(data)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


async def _both(*ways: object) -> None:
    """Both directions, until both have ended or one fails."""
    async with asyncio.TaskGroup() as group:
        for way in ways:
            group.create_task(way)  # type: ignore[arg-type]


def variables(
    environ: Mapping[str, str], lent: Iterable[str], address: str, certificates: str, bearer: str
) -> dict[str, str]:
    """What the sandbox's programs get: the way to the proxy, whom to believe, and stand-ins."""
    told = environment(certificates, f"http://{USER}:{bearer}@{address}", no_proxy=_LOOPBACK)
    return told | {name: environ[name] for name in sorted(lent) if name in environ}


def hand_over(directory: Path, told: Mapping[str, str], certificates: str) -> None:
    """Write all files, new and private. Raises OSError."""
    one_line = {name: value for name, value in told.items() if "\n" not in value}
    for name, text in (
        (ENV_FILE, "".join(f"{name}={value}\n" for name, value in one_line.items())),
        (SCRIPT, script(told)),
    ):
        file = os.open(directory / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as written:
            written.write(text)
    with open(directory / CA_FILE, "xb") as copy, open(certificates, "rb") as ours:
        shutil.copyfileobj(ours, copy)


async def run(listener: socket.socket, relay: Relay, ready: str) -> None:
    """Serve until this process is ended."""
    start = asyncio.start_unix_server if listener.family == socket.AF_UNIX else asyncio.start_server
    server = await start(relay.serve, sock=listener, limit=_LARGEST_HEAD)
    print(ready, flush=True)
    await server.serve_forever()


def main() -> int:
    file, directory, address, certificates = sys.argv[1:5]
    lent = json.loads(Path(file).read_text("utf-8"))["lent"]
    listener = socket.socket(fileno=0)
    relay = Relay(Upstream.of(os.environ))
    told = variables(os.environ, lent, address, certificates, relay.bearer)
    try:
        hand_over(Path(directory), told, os.environ["SSL_CERT_FILE"])
    except OSError as error:
        print(f"taskpass: {error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    asyncio.run(run(listener, relay, f"ready {directory}"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
