"""What every channel keeps, whatever it carries. A channel's tests inherit `ChannelContract`."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.model import KillMode
from supervisor.ports import Channel
from tests.support.proxy_fakes import (
    SECRET,
    SURROGATE,
    FakeAuthorize,
    FakeOwner,
    Rig,
    eventually,
    proxy_rig,
)

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class ChannelContract(ABC):
    """Implement the abstract parts for one channel; the tests come with them."""

    channel: Channel
    authorize: FakeAuthorize
    owner: FakeOwner

    @abstractmethod
    async def open_use(self) -> Stream:
        """Begin a use that carries the credential and lasts; return when it is under way."""

    @abstractmethod
    async def refused(self) -> str:
        """Try one use and return what the client was told; fails if it went through."""

    @abstractmethod
    def reached(self) -> int:
        """How many uses reached the other end."""

    async def test_its_kinds_say_what_it_carries_and_how_that_ends(self) -> None:
        kinds = self.channel.kinds()
        assert kinds
        for kind in kinds:
            assert all((kind.name, kind.title, kind.resource, kind.verb, kind.lifetime, kind.bound))
            assert kind.kill_mode is KillMode.WIRE  # it is cut: see the next ones

    async def test_cut_is_synchronous_and_ends_every_use(self) -> None:
        uses = [await self.open_use() for _ in range(5)]
        assert self.channel.cut() >= 5
        for reader, _ in uses:
            assert await _ends(reader)
        assert self.channel.cut() == 0 or not self.authorize.revoked

    async def test_cut_of_a_lease_spares_the_others(self) -> None:
        first, second = await self.open_use(), await self.open_use()
        assert self.channel.cut("l-1") >= 1
        assert await _ends(first[0])
        assert not second[0].at_eof()
        assert self.channel.cut("l-no-such") == 0

    async def test_every_use_is_settled_once(self) -> None:
        for _ in range(3):
            await self.open_use()
        self.channel.cut()
        await eventually(lambda: len(self.authorize.settled) == 3, "each use is recorded")
        await self.channel.close()
        assert sorted(use for use, _ in self.authorize.settled) == ["u-1", "u-2", "u-3"]

    async def test_no_attestation_no_use(self) -> None:
        self.owner.found = []
        told = await self.refused()
        assert told
        assert self.reached() == 0
        assert not self.authorize.uses
        await eventually(lambda: bool(self.authorize.incidents), "it is recorded")

    async def test_revoked_is_refused_readably(self) -> None:
        self.authorize.revoked = True
        told = await self.refused()
        assert "No call with this handle is open." in told
        assert self.reached() == 0

    async def test_an_unexpected_failure_of_the_core_releases_nothing(self) -> None:
        self.authorize.problem = RuntimeError("a bug")
        await self.refused()
        assert self.reached() == 0

    async def test_nothing_told_holds_the_secret(self) -> None:
        self.authorize.revoked = True
        assert SECRET not in await self.refused()
        assert SECRET not in repr(self.authorize.incidents)

    async def test_close_is_final_and_idempotent(self) -> None:
        reader, _ = await self.open_use()
        await self.channel.close()
        assert await _ends(reader)
        await self.channel.close()
        with pytest.raises(OSError):  # noqa: PT011 -- refused or reset, as the system likes
            await self.open_use()


async def _ends(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return True
    return reader.at_eof()


class TestHttpProxyChannel(ChannelContract):
    rig: Rig

    @pytest.fixture(autouse=True)
    async def _rig(self, tmp_path: Path) -> AsyncIterator[None]:
        async with proxy_rig(tmp_path) as rig:
            self.rig, self.channel = rig, rig.channel
            self.authorize, self.owner = rig.authorize, rig.owner
            yield

    async def open_use(self) -> Stream:
        reader, writer = await self.rig.tunnel()
        writer.write(
            f"GET /sse HTTP/1.1\r\nHost: {self.rig.origin}\r\n"
            f"Authorization: Bearer {SURROGATE}\r\n\r\n".encode()
        )
        await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        return reader, writer

    async def refused(self) -> str:
        code, out, err = await self.rig.curl(
            *("-i", "-H", f"Authorization: Bearer {SURROGATE}", f"https://{self.rig.origin}/")
        )
        assert code != 0 or "HTTP/1.1 403" in out or "HTTP/1.1 500" in out
        return out + err

    def reached(self) -> int:
        return len(self.rig.upstream.seen)
