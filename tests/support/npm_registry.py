"""An npm registry with one package, served over TLS as the real ones are.

What `npm install` needs of the protocol: a package document in its abbreviated form, the tarball
it points to, and the digest that npm checks it against.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ssl
import tarfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import cache

import pytest
import trustme
from aiohttp import web

_NAME, _VERSION = "left-margin", "1.2.3"
ARCHIVE = f"{_NAME}-{_VERSION}.tgz"
_SOURCE = "module.exports = (text, width) => ' '.repeat(width) + text\n"
_ABBREVIATED = "application/vnd.npm.install-v1+json"


@dataclass
class NpmRegistry:
    """The running registry; its certificate is by `authority`."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    port: int = 0
    seen: list[str] = field(default_factory=list)  # paths asked for, in order

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.host}/"

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get(f"/{_NAME}", self._document)
        app.router.add_get(f"/{_NAME}/-/{ARCHIVE}", self._tarball)
        # Advisories: an empty answer says that none is known.
        app.router.add_post("/-/npm/v1/security/advisories/bulk", self._nothing_known)
        return app

    async def _document(self, request: web.Request) -> web.Response:
        self.seen.append(request.path)
        archive = _archive()
        digest = base64.b64encode(hashlib.sha512(archive).digest()).decode()
        version = {
            "name": _NAME,
            "version": _VERSION,
            "dist": {
                "tarball": f"{self.url}{_NAME}/-/{ARCHIVE}",
                "shasum": hashlib.sha1(archive, usedforsecurity=False).hexdigest(),
                "integrity": f"sha512-{digest}",
            },
        }
        document = {
            "name": _NAME,
            "dist-tags": {"latest": _VERSION},
            "versions": {_VERSION: version},
            "modified": "2026-01-01T00:00:00.000Z",
        }
        return web.Response(text=json.dumps(document), content_type=_ABBREVIATED)

    async def _tarball(self, request: web.Request) -> web.Response:
        self.seen.append(request.path)
        return web.Response(body=_archive(), content_type="application/octet-stream")

    async def _nothing_known(self, request: web.Request) -> web.Response:
        self.seen.append(request.path)
        return web.json_response({})


@cache
def _archive() -> bytes:
    """The package as `npm publish` sends it: everything below `package/`.

    Made once: the time stands in it, and a second later its digest would be another one.
    """
    manifest = json.dumps({"name": _NAME, "version": _VERSION, "main": "index.js"})
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in (("package.json", manifest), ("index.js", _SOURCE)):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


@pytest.fixture
async def npm_registry() -> AsyncIterator[NpmRegistry]:
    """A registry on loopback for one test."""
    registry = NpmRegistry()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    registry.authority.issue_cert("localhost").configure_cert(context)
    runner = web.AppRunner(registry.app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    registry.port = runner.addresses[0][1]
    yield registry
    await runner.cleanup()
