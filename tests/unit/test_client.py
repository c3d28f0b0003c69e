"""The client's connections: no request waits for another one, and idle ones may be closed."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from supervisor.client import AsyncClient
from supervisor.errors import DaemonUnavailable
from supervisor.paths import Paths, user_paths
from supervisor.protocol import handshake, wire


@dataclass
class Supervisor:
    """Answers what the tests ask, with the real handshake. A verification ends when it is let."""

    paths: Paths
    verified: asyncio.Event = field(default_factory=asyncio.Event)
    connections: set[object] = field(default_factory=set)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/v1/hello", self._hello)
        app.router.add_post("/v1/verify", self._verify)
        app.router.add_post("/v1/tasks/{id}/revoke", self._revoke)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.UnixSite(self._runner, str(self.paths.socket)).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _hello(self, request: web.Request) -> web.Response:
        self.connections.add(request.transport)
        shown = handshake.proof(handshake.install_key(self.paths), request.query["nonce"])
        hello = wire.Hello(protocol=wire.PROTOCOL, version="0", pid=1, session="s", proof=shown)
        return web.Response(body=msgspec.json.encode(hello))

    async def _verify(self, request: web.Request) -> web.Response:
        await self.verified.wait()
        view = wire.VerifyView(ok=True, records=1, checkpoints=1, message="")
        return web.Response(body=msgspec.json.encode(view))

    async def _revoke(self, request: web.Request) -> web.Response:
        view = wire.RevokedView(tasks=(request.match_info["id"],))
        return web.Response(body=msgspec.json.encode(view))


@pytest.fixture
async def supervisor(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Supervisor]:
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    with tempfile.TemporaryDirectory(prefix="tp-") as root:  # pytest's is too long for a socket
        for name in ("HOME", "XDG_RUNTIME_DIR"):
            folder = Path(root, name.lower())
            os.mkdir(folder, 0o700)
            monkeypatch.setenv(name, str(folder))
        made = Supervisor(user_paths())
        await made.start()
        yield made
        made.verified.set()
        await made.stop()


async def test_a_revocation_does_not_wait_for_a_verification(supervisor: Supervisor) -> None:
    client = AsyncClient(supervisor.paths)
    await client.connect()
    verifying = asyncio.create_task(client.verify())
    async with asyncio.timeout(5):
        for _ in range(3):
            assert (await client.revoke_task("t-1")).tasks == ("t-1",)
        assert not verifying.done()
        supervisor.verified.set()
        assert (await verifying).ok
    await client.close()


async def test_requests_one_after_another_share_a_connection(supervisor: Supervisor) -> None:
    client = AsyncClient(supervisor.paths)
    await client.connect()
    for _ in range(5):
        await client.revoke_task("t-1")
    await client.close()
    assert len(supervisor.connections) == 1


async def test_a_connection_closed_while_idle_is_replaced(supervisor: Supervisor) -> None:
    client = AsyncClient(supervisor.paths)
    await client.connect()
    await supervisor.stop()
    await supervisor.start()
    async with asyncio.timeout(5):
        assert (await client.revoke_task("t-1")).tasks == ("t-1",)
    await client.close()


async def test_a_supervisor_that_is_gone_is_one_clear_error(supervisor: Supervisor) -> None:
    client = AsyncClient(supervisor.paths)
    await client.connect()
    await supervisor.stop()
    with pytest.raises(DaemonUnavailable):
        await client.revoke_task("t-1")
    await supervisor.start()
