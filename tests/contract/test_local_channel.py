"""The socket that gh is told of keeps what every channel keeps."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from supervisor.errors import NotAttested
from supervisor.identity.attest_linux import peer_process
from supervisor.model import Process
from supervisor.ports import Egress
from tests.contract.test_channel_contract import ChannelContract, Stream
from tests.support.proxy_fakes import HANDLE, SURROGATE, TREE, Rig, proxy_rig


class _Handles:
    """Knows the one call there is."""

    def handle_of(self, task: str, ancestry: list[Process]) -> str:
        return HANDLE if ancestry == TREE else ""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tp-") as name:  # short enough for a socket
        yield Path(name)


class TestLocalChannel(ChannelContract):
    rig: Rig
    path: str

    @pytest.fixture(autouse=True)
    async def _rig(self, folder: Path) -> AsyncIterator[None]:
        async with proxy_rig(folder) as rig:
            self.rig, self.channel = rig, rig.channel
            self.authorize, self.owner = rig.authorize, rig.owner
            self.path = str(folder / "socket")
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(self.path)
            listener.listen()
            egress = cast(Egress, _Handles())
            rig.channel.serve_local(listener, egress=egress, peer=self._peer)
            yield

    def _peer(self, connection: socket.socket) -> Process:
        assert peer_process(connection)  # as the kernel names it: this very process
        if not self.owner.found:
            raise NotAttested("The process that connected is gone.")
        return self.owner.found[0]

    async def _ask(self, path: str, host: str = "") -> Stream:
        reader, writer = await asyncio.open_unix_connection(self.path)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: {host or self.rig.origin}\r\n"
            f"Authorization: token {SURROGATE}\r\n\r\n".encode()
        )
        return reader, writer

    async def open_use(self) -> Stream:
        reader, writer = await self._ask("/sse")
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        return reader, writer

    async def refused(self) -> str:
        reader, writer = await self._ask("/")
        writer.write_eof()
        told = (await asyncio.wait_for(reader.read(), 5)).decode()
        assert not told or told.startswith(("HTTP/1.1 403", "HTTP/1.1 500"))
        return told

    def reached(self) -> int:
        return len(self.rig.upstream.seen)

    async def test_it_goes_by_tls_to_the_host_that_is_named(self) -> None:
        reader, _ = await self._ask("/")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        assert head.startswith(b"HTTP/1.1 200")
        (seen,) = self.rig.upstream.seen
        assert seen.get("host") == [self.rig.origin]
        assert SURROGATE not in str(seen.headers)

    @pytest.mark.parametrize("host", ["", "a b", "user@localhost", "localhost:99999"])
    async def test_what_names_no_host_goes_nowhere(self, host: str) -> None:
        reader, _ = await self._ask("/", host or " ")
        told: Any = await asyncio.wait_for(reader.read(), 5)
        assert told.startswith(b"HTTP/1.1 4")
        assert self.reached() == 0
