"""WebSockets and events by the programs that use them: aiohttp, and Node's own WebSocket."""

from __future__ import annotations

import asyncio
import ssl
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
import uvloop
from aiohttp import WSMsgType, web

from tests.support.agents import NODE, install
from tests.support.proxy_fakes import SECRET, SURROGATE, Rig, eventually, proxy_rig

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")

HEADERS = {"Authorization": f"Bearer {SURROGATE}"}
_NODE = """
const socket = new WebSocket(process.argv[1], {headers: {Authorization: process.argv[2]}});
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => console.log(event.data);
socket.onclose = (event) => { console.log(`closed ${event.code}`); process.exit(0); };
"""


@pytest.fixture
def event_loop_policy() -> Any:
    return uvloop.EventLoopPolicy()


@dataclass
class There:
    """A server of aiohttp's, and a proxy before it."""

    rig: Rig
    port: int
    bearers: list[str]
    go: asyncio.Queue[bytes]
    sockets: list[web.WebSocketResponse] = field(default_factory=list)

    def session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            proxy=self.rig.url,
            connector=aiohttp.TCPConnector(
                ssl=ssl.create_default_context(cafile=str(self.rig.bundle))
            ),
        )

    def url(self, scheme: str, path: str) -> str:
        return f"{scheme}://localhost:{self.port}{path}"


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[There]:
    bearers: list[str] = []
    go: asyncio.Queue[bytes] = asyncio.Queue()

    async def socket(request: web.Request) -> web.WebSocketResponse:
        bearers.append(request.headers["Authorization"])
        answering = web.WebSocketResponse()
        await answering.prepare(request)
        async for message in answering:
            if message.type is WSMsgType.TEXT:
                await answering.send_str(f"echo:{message.data}")
            elif message.type is WSMsgType.BINARY:
                await answering.send_bytes(message.data)
        return answering

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while event := await go.get():
            await response.write(event)
        return response

    application = web.Application()
    application.add_routes([web.get("/ws", socket), web.get("/events", events)])
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    async with proxy_rig(tmp_path, roots=[authority.cert_pem.bytes()]) as rig:
        rig.authorize.hosts |= {f"localhost:{port}"}
        yield There(rig, port, bearers, go)
        go.put_nowait(b"")
    await runner.cleanup()


async def test_a_websocket_is_given_its_credential_and_cut(there: There) -> None:
    async with (
        there.session() as session,
        session.ws_connect(there.url("wss", "/ws"), headers=HEADERS) as socket,
    ):
        await socket.send_str("hello")
        assert await socket.receive_str() == "echo:hello"
        large = bytes(3 * 1024 * 1024)
        await socket.send_bytes(large)
        assert await socket.receive_bytes() == large
        assert there.bearers == [f"Bearer {SECRET}"]
        assert there.rig.authorize.uses[0][1].label == (
            f"GET localhost:{there.port}/ws as a WebSocket"
        )
        assert there.rig.channel.cut("l-1") == 2
        message = await asyncio.wait_for(socket.receive(), 5)
        assert message.type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)
    await eventually(lambda: there.rig.authorize.settled == [("u-1", 101)], "the use is recorded")


async def test_nodes_own_websocket(there: There) -> None:
    node = await asyncio.to_thread(install, NODE)
    client = await asyncio.create_subprocess_exec(
        *(str(node / "node_modules/node/bin/node"), "-e", _NODE, there.url("wss", "/ws")),
        f"Bearer {SURROGATE}",
        env={
            "HTTPS_PROXY": there.rig.url,
            "NODE_USE_ENV_PROXY": "1",
            "NODE_EXTRA_CA_CERTS": str(there.rig.bundle),
        },
        stdout=PIPE,
        stderr=PIPE,
    )
    assert client.stdout is not None
    assert await asyncio.wait_for(client.stdout.readline(), 30) == b"echo:hello\n"
    assert there.bearers == [f"Bearer {SECRET}"]
    assert there.rig.channel.cut("l-1") == 2
    assert await asyncio.wait_for(client.stdout.readline(), 30) == b"closed 1006\n"
    await client.wait()


async def test_a_denied_websocket_is_told_why(there: There) -> None:
    there.rig.authorize.forbidden = "/ws"
    async with there.session() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(there.url("wss", "/ws"), headers=HEADERS)
        assert caught.value.status == 403
        assert not there.bearers


async def test_events_arrive_one_by_one_and_end_with_a_revocation(there: There) -> None:
    async with (
        there.session() as session,
        session.get(there.url("https", "/events"), headers=HEADERS) as response,
    ):
        for number in range(5):
            there.go.put_nowait(b"data: %d\n\n" % number)
            line = await asyncio.wait_for(response.content.readuntil(b"\n\n"), 5)
            assert line == b"data: %d\n\n" % number
        there.rig.channel.cut("l-1")
        with pytest.raises(aiohttp.ClientError):
            await asyncio.wait_for(response.content.read(), 5)


async def test_early_hints_are_not_taken_for_the_answer(there: There) -> None:
    rig = there.rig
    rig.upstream.raw = (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n"
        b"2\r\nok\r\n0\r\nX: y\r\n\r\n"
    )
    async with there.session() as session:
        url = f"https://{rig.origin}/"
        async with session.get(url) as response:
            assert (response.status, await response.read()) == (200, b"ok")
            assert "Link" not in response.headers
