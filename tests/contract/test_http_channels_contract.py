"""The other ways through the proxy keep what every channel keeps."""

from __future__ import annotations

import asyncio
import ssl
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from tests.contract.test_channel_contract import ChannelContract, Stream
from tests.support.h2_ends import H2Client, H2Upstream
from tests.support.proxy_fakes import SURROGATE, Rig, proxy_rig

BEARER = f"Authorization: Bearer {SURROGATE}"


class _ThroughTheProxy(ChannelContract):
    rig: Rig

    @pytest.fixture(autouse=True)
    async def _rig(self, tmp_path: Path) -> AsyncIterator[None]:
        async with self.running(tmp_path) as rig:
            self.rig, self.channel = rig, rig.channel
            self.authorize, self.owner = rig.authorize, rig.owner
            yield

    @asynccontextmanager
    async def running(self, tmp_path: Path) -> AsyncIterator[Rig]:
        async with proxy_rig(tmp_path) as rig:
            rig.authorize.hosts |= {f"127.0.0.1:{rig.plain.port}"}
            yield rig

    @abstractmethod
    async def begun(self) -> Stream:
        """A connection on which a use that lasts was asked for."""

    async def open_use(self) -> Stream:
        reader, writer = await self.begun()
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.split()[1] in (b"101", b"200"), head
        return reader, writer

    async def refused(self) -> str:
        try:
            reader, writer = await self.begun()
        except ConnectionRefusedError as error:
            return str(error)
        head = b""
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            length = head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]
            head += await asyncio.wait_for(reader.readexactly(int(length or b"0")), 5)
        except (OSError, asyncio.IncompleteReadError):
            pass  # it was let go without a word
        writer.close()
        assert not head or head.split()[1][:1] in b"45", head
        return head.decode()

    def reached(self) -> int:
        return len(self.rig.upstream.seen) + len(self.rig.plain.seen)


class TestPlainHttp(_ThroughTheProxy):
    async def begun(self) -> Stream:
        reader, writer = await self.rig.dial()
        host = f"127.0.0.1:{self.rig.plain.port}"
        lines = (f"GET http://{host}/sse HTTP/1.1", f"Host: {host}", BEARER)
        lines = (*lines, f"Proxy-Authorization: {self.rig.basic()}", "", "")
        writer.write("\r\n".join(lines).encode())
        return reader, writer


class TestWebSocket(_ThroughTheProxy):
    async def begun(self) -> Stream:
        reader, writer = await self.rig.tunnel()
        lines = ("GET /ws HTTP/1.1", f"Host: {self.rig.origin}", BEARER)
        lines = (*lines, "Connection: Upgrade", "Upgrade: websocket", "", "")
        writer.write("\r\n".join(lines).encode())
        return reader, writer


class TestUnreadTunnel(_ThroughTheProxy):
    """What network.splice lists."""

    @asynccontextmanager
    async def running(self, tmp_path: Path) -> AsyncIterator[Rig]:
        async with proxy_rig(tmp_path, splice=["127.0.0.1:{plain}"]) as rig:
            yield rig

    async def begun(self) -> Stream:
        reader, writer = await self.rig.dial()
        host = f"127.0.0.1:{self.rig.plain.port}"
        lines = (f"CONNECT {host} HTTP/1.1", f"Host: {host}")
        lines = (*lines, f"Proxy-Authorization: {self.rig.basic()}", "", "")
        writer.write("\r\n".join(lines).encode())
        return reader, writer


class TestHttp2(_ThroughTheProxy):
    server: H2Upstream

    @asynccontextmanager
    async def running(self, tmp_path: Path) -> AsyncIterator[Rig]:
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost").configure_cert(context)
        context.set_alpn_protocols(["h2"])
        self.server = H2Upstream()
        listening = await asyncio.start_server(self.server.handle, "127.0.0.1", 0, ssl=context)
        self.server.port = listening.sockets[0].getsockname()[1]
        async with proxy_rig(tmp_path, roots=[authority.cert_pem.bytes()]) as rig:
            rig.authorize.hosts |= {f"localhost:{self.server.port}"}
            yield rig
        listening.close()

    async def asked(self) -> tuple[H2Client, int]:
        client = await H2Client.through(self.rig, f"localhost:{self.server.port}")
        name, _, value = BEARER.partition(": ")
        return client, client.ask("/sse", fields=[(name.lower(), value)])

    async def begun(self) -> Stream:
        raise NotImplementedError

    async def open_use(self) -> Stream:
        client, number = await self.asked()
        await client.until(lambda: number in client.heads)
        assert client.heads[number][":status"] == "200"
        return client.body(number), client.writer

    async def refused(self) -> str:
        try:
            client, number = await self.asked()
            status, body = await client.answer(number)
        except ConnectionError as error:
            return str(error)
        assert status in (403, 500)
        return body.decode()

    def reached(self) -> int:
        return len(self.server.seen)
