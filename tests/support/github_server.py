"""GitHub for a whole install: API and git over TLS as api.github.com and github.com.

The names lead here by way of a proxy of the "person's network" (`network.proxy` in config.toml),
which knows no other hosts.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from aiohttp import web

from tests.support.fake_github import FakeGitHub, Token
from tests.support.faulty_upstream import Asked
from tests.support.git_server import GitServer, password_of
from tests.support.live import Install

NAMES = ("github.com", "api.github.com")


class GitHubServer(GitServer):
    """Repositories and API together: what a token may do by git is what the API says it may."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.github = FakeGitHub()
        self.requests: list[tuple[str, str]] = []  # (method and path, authorization)
        self.proxy_port = 0

    def certify(self, context: ssl.SSLContext) -> None:
        self.authority.issue_cert(*NAMES, "localhost").configure_cert(context)

    async def serve(self, context: ssl.SSLContext) -> None:
        await super().serve(context)
        proxy = await asyncio.start_server(self._tunnel, "127.0.0.1", 0)
        self.proxy_port = proxy.sockets[0].getsockname()[1]

    async def handle(self, request: web.Request) -> web.Response:
        authorization = request.headers.get("authorization", "")
        self.requests.append((f"{request.method} {request.path}", authorization))
        if ".git/" in request.path:
            token = self.github.tokens.get(password_of(authorization))
            repository = request.path[1:].partition(".git/")[0]
            for level in ("read", "write"):
                if token is not None and token.may(repository, "contents", level):
                    self.may[password_of(authorization)] = level
            return await super().handle(request)
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.raw_path, headers, await request.read())
        answer = await self.github.answer(asked)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """CONNECT to one of our names ends here; to anything else, nowhere."""
        with suppress(OSError, asyncio.IncompleteReadError):
            line = (await reader.readuntil(b"\r\n\r\n")).split(b" ")
            host, _, port = line[1].decode().rpartition(":")
            if line[0] != b"CONNECT" or host not in NAMES or port != "443":
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            ways = (_move(reader, far_writer), _move(far_reader, writer))
            await asyncio.wait(
                [asyncio.ensure_future(way) for way in ways], return_when=asyncio.FIRST_COMPLETED
            )
            far_writer.close()
        writer.close()


async def _move(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


@contextmanager
def github_for(install: Install, more: str = "") -> Iterator[GitHubServer]:
    """A running GitHub that the install reaches by its names, with the repository `ana/app`."""
    server = GitHubServer(install.root / "repositories")
    server.root.mkdir()
    server.make("ana/app")
    server.start()
    roots = install.root / "roots.pem"
    server.authority.cert_pem.write_to_path(str(roots))
    install.configure(
        f'[network]\nextra_roots = "{roots}"\nproxy = "http://127.0.0.1:{server.proxy_port}"\n'
        f"[approvals]\ntimeout = 2\n{more}"
    )
    try:
        yield server
    finally:
        server.stop()


__all__ = ["NAMES", "GitHubServer", "Token", "github_for"]
