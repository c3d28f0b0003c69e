"""What HTTP clients are tried against: an API, a git repository, a package index, an npm registry
and an object store, over TLS on loopback, each of which says what it was shown.

They accept one token, however it is sent. The store checks signatures (AWS Signature Version 4)
with a key of its own.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import io
import ssl
import threading
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import trustme
from aiohttp import web

from tests.support.npm_registry import NpmRegistry

STORE_KEY = "a-key-of-the-projects-own"
WHEEL = "tiny_margin-1.0-py3-none-any.whl"
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class HttpServices:
    """All of them. `seen`: (path, token as it was shown) of each request that was let in."""

    token: str
    repository: Path  # bare, with `git update-server-info` done
    authority: trustme.CA = field(default_factory=trustme.CA)
    seen: list[tuple[str, str]] = field(default_factory=list)
    turned_away: list[tuple[str, str]] = field(default_factory=list)
    registry: NpmRegistry = field(default_factory=NpmRegistry)
    api_port: int = 0
    store_port: int = 0

    @property
    def api(self) -> str:
        return f"localhost:{self.api_port}"

    @property
    def api_for_go(self) -> str:
        """The API under a name that Go's clients do not take for loopback: they ask no proxy then.
        Every resolver knows it (inet_aton(3))."""
        return f"127.1:{self.api_port}"

    @property
    def store(self) -> str:
        return f"localhost:{self.store_port}"

    def start(self) -> None:
        loop = asyncio.new_event_loop()
        loop.run_until_complete(self._start())
        self._thread = threading.Thread(target=loop.run_forever, daemon=True)
        self._thread.start()
        self._loop = loop

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _start(self) -> None:
        api = web.Application(middlewares=[self._guard])
        api.router.add_get("/v1/{name}", self._hello)
        api.router.add_get("/api/v3/user", self._hello)
        api.router.add_get("/simple/tiny-margin/", self._index)
        api.router.add_get(f"/files/{WHEEL}", self._wheel)
        api.router.add_get("/git/project.git/{path:.+}", self._git)
        self.api_port = await self._serve(api)
        index = self.registry.app()
        index.middlewares.append(self._guard)
        self.registry.port = await self._serve(index)
        store = web.Application()
        store.router.add_get("/data/hello.txt", self._object)
        self.store_port = await self._serve(store)

    async def _serve(self, app: web.Application) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost", "127.1").configure_cert(context)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        port: int = runner.addresses[0][1]
        return port

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        shown = _token(request.headers.get("Authorization", ""))
        if shown != self.token:
            self.turned_away.append((request.path, shown))
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Basic realm="here"'})
        self.seen.append((request.path, shown))
        return await handler(request)

    async def _hello(self, request: web.Request) -> web.Response:
        return web.json_response({"hello": request.match_info.get("name", "ana")})

    async def _git(self, request: web.Request) -> web.Response:
        file = self.repository / request.match_info["path"]
        if not file.is_file():
            raise web.HTTPNotFound
        return web.Response(body=await asyncio.to_thread(file.read_bytes))

    async def _index(self, request: web.Request) -> web.Response:
        digest = hashlib.sha256(_wheel()).hexdigest()
        link = f'<a href="/files/{WHEEL}#sha256={digest}">{WHEEL}</a>'
        return web.Response(text=f"<!doctype html>{link}", content_type="text/html")

    async def _wheel(self, request: web.Request) -> web.Response:
        return web.Response(body=_wheel(), content_type="application/octet-stream")

    async def _object(self, request: web.Request) -> web.Response:
        if not _signed(request, STORE_KEY):
            raise web.HTTPForbidden
        self.seen.append((request.path, ""))
        return web.Response(text="stored")


def _token(authorization: str) -> str:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "basic":
        return base64.b64decode(value).decode().partition(":")[2]
    return value


def _signed(request: web.Request, key: str) -> bool:
    """Whether a request without a body has a good signature by `key` (the algorithm is in AWS's
    IAM User Guide, "Create a signed AWS API request")."""
    words = request.headers.get("Authorization", "").replace(",", "").split()
    if not words or words[0] != "AWS4-HMAC-SHA256":
        return False
    told = dict(word.split("=", 1) for word in words[1:])
    _, *scope = told["Credential"].split("/")
    names = told["SignedHeaders"].split(";")
    canonical = "\n".join(
        (
            request.method,
            quote(request.path),
            request.query_string,
            *(f"{name}:{request.headers[name].strip()}" for name in names),
            "",
            told["SignedHeaders"],
            request.headers["x-amz-content-sha256"],
        )
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join((words[0], request.headers["x-amz-date"], "/".join(scope), digest))
    signing = f"AWS4{key}".encode()
    for part in (*scope, text):
        signing = hmac.digest(signing, part.encode(), "sha256")
    return hmac.compare_digest(signing.hex(), told["Signature"])


def _wheel() -> bytes:
    """The smallest package that pip installs (PyPA's binary distribution format)."""
    info = "tiny_margin-1.0.dist-info"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name, text in (
            ("tiny_margin.py", "MARGIN = '  '\n"),
            (f"{info}/METADATA", "Metadata-Version: 2.1\nName: tiny-margin\nVersion: 1.0\n"),
            (f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
            (f"{info}/RECORD", ""),
        ):
            wheel.writestr(zipfile.ZipInfo(name), text)  # always the same bytes
    return buffer.getvalue()
