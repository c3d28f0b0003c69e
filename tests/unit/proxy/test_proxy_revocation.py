"""A revocation cuts what runs through the proxy."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.support.proxy_fakes import Rig, eventually
from tests.support.proxy_requests import BEARER, request

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


async def test_cut_ends_fifty_streams_at_once(rig: Rig) -> None:
    streams = [await rig.tunnel() for _ in range(50)]
    for reader, writer in streams:
        writer.write(request(rig, "/sse", "GET", BEARER))
        await reader.readuntil(b"\r\n\r\n")
    assert rig.channel.cut() == 100
    for reader, _ in streams:
        assert await asyncio.wait_for(reader.read(), 5) == b""
    await eventually(lambda: rig.channel.connections == 0, "nothing is left")
    await eventually(lambda: len(rig.authorize.settled) == 50, "each use is recorded")


async def test_cut_of_one_lease_leaves_the_others(rig: Rig) -> None:
    first, second = await rig.tunnel(), await rig.tunnel()
    for reader, writer in (first, second):
        writer.write(request(rig, "/sse", "GET", BEARER))
        await reader.readuntil(b"\r\n\r\n")
    assert rig.channel.cut("l-1") == 2
    assert await asyncio.wait_for(first[0].read(), 5) == b""
    rig.upstream.go.put_nowait(b"still here\n")
    rig.upstream.go.put_nowait(b"still here\n")
    assert b"still here" in await asyncio.wait_for(second[0].readuntil(b"here"), 5)
    assert rig.channel.cut("l-1") == 0


async def test_revoked_while_dialling_sends_nothing(rig: Rig) -> None:
    dial = rig.channel._pool.dial

    async def slow(*args: object, **more: object) -> object:
        endpoint = await dial(*args, **more)  # type: ignore[arg-type]
        rig.authorize.revoked = True
        return endpoint

    rig.channel._pool.dial = slow  # type: ignore[method-assign, assignment]
    code, out, _ = await rig.curl("-H", BEARER, f"https://{rig.origin}/")
    assert code == 0
    assert json.loads(out)["error"] == "revoked"
    assert not rig.upstream.seen
    await eventually(lambda: rig.authorize.settled == [("u-1", 0)], "the use is recorded")


async def test_a_client_that_goes_away_ends_the_question(rig: Rig) -> None:
    rig.authorize.gate = asyncio.Event()
    _reader, writer = await rig.tunnel()
    writer.write(request(rig))
    await eventually(lambda: bool(rig.authorize.uses), "the question is open")
    writer.transport.abort()
    await eventually(lambda: rig.authorize.cancelled == 1, "the question is withdrawn")


async def test_no_connection_is_kept_in_the_books(rig: Rig) -> None:
    for _ in range(10):
        await rig.curl("-H", BEARER, f"https://{rig.origin}/")
    rig.channel.cut()
    await eventually(lambda: rig.channel.connections == 0, "nothing is left")
    assert not rig.channel._exchanges
    assert not rig.channel._tasks
