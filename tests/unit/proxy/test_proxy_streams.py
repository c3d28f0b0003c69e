"""Streams through the proxy: at once, in constant memory, without a secret."""

from __future__ import annotations

import asyncio
import base64
import resource
import time
from pathlib import Path

import pytest

from tests.support.proxy_fakes import SECRET, SURROGATE, Rig, eventually
from tests.support.proxy_requests import BEARER, request, response

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


async def test_an_event_passes_at_once(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/sse", "GET", BEARER))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"chunked" in head
    delays = []
    for number in range(20):
        event = b"data: %d\n\n" % number
        rig.upstream.go.put_nowait(event)
        started = time.perf_counter()
        got = await asyncio.wait_for(reader.readuntil(event), 2)
        delays.append(time.perf_counter() - started)
        assert event in got
    assert sorted(delays)[10] < 0.05
    rig.upstream.go.put_nowait(b"")
    assert (await asyncio.wait_for(reader.readuntil(b"0\r\n\r\n"), 2)).endswith(b"0\r\n\r\n")
    writer.close()


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_64_megabytes_pass_through_constant_memory(rig: Rig, direction: str) -> None:
    await _pass(rig, direction, 64 * 1024 * 1024)


@pytest.mark.full
@pytest.mark.parametrize("direction", ["down", "up"])
async def test_a_gigabyte_does_too(rig: Rig, direction: str) -> None:
    await _pass(rig, direction, 1 << 30)


async def _pass(rig: Rig, direction: str, size: int) -> None:
    await rig.curl(f"https://{rig.origin}/")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    reader, writer = await rig.tunnel()
    if direction == "down":
        writer.write(request(rig, f"/bytes/{size}", "GET", BEARER))
        await reader.readuntil(b"\r\n\r\n")
        got = 0
        while got < size:
            got += len(await reader.read(1 << 16))
        assert got == size
    else:
        writer.write(request(rig, "/up", "PUT", f"Content-Length: {size}", BEARER))
        for _ in range(size // 65536):
            writer.write(b"u" * 65536)
            await writer.drain()
        assert (await response(reader))[2] == b"%d bytes\n" % size
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    # With the client's and the server's own buffers, which are in this process too.
    assert grown < 24 * 1024, f"{grown} KiB more"
    writer.close()


def _resident() -> int:
    """Bytes of this process in memory now (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


async def test_a_slow_reader_holds_the_server_back(rig: Rig) -> None:
    """What the proxy takes from a server is bounded while its client reads nothing."""
    before = _resident()
    reader, writer = await rig.tunnel()
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(request(rig, f"/bytes/{1 << 28}"))
    await eventually(lambda: len(rig.upstream.seen) == 1, "the request arrives")
    (sender,) = rig.upstream.writers
    held = asyncio.get_running_loop().time() + 0.5
    sizes: list[int] = []
    peak = before
    while asyncio.get_running_loop().time() < held:
        sizes.append(sender.transport.get_write_buffer_size())
        peak = max(peak, _resident())
        await asyncio.sleep(0.01)
    assert sizes[-1] > 0, "the server was never held back"
    assert peak - before < 64 << 20  # of 256 MB
    writer.transport.abort()


async def test_a_reflected_secret_is_masked_in_headers_and_cut_in_the_body(rig: Rig) -> None:
    code, out, _ = await rig.curl("-I", "-H", BEARER, f"https://{rig.origin}/echo")
    assert code == 0
    assert SECRET not in out
    assert "X-Echo: Bearer [secret removed by taskpass]" in out
    for credential in (("-H", BEARER), ("-u", f"u:{SURROGATE}")):
        code, out, _ = await rig.curl("-i", *credential, f"https://{rig.origin}/bodyecho")
        assert code == 0
        assert "sent the credential back" in out
        assert SECRET not in out
        assert base64.b64encode(f"u:{SECRET}".encode()).decode() not in out
    await eventually(lambda: len(rig.authorize.incidents) == 3, "each is recorded")
    assert [detail["where"] for _, detail in rig.authorize.incidents] == ["headers", "body", "body"]
    assert SECRET not in repr(rig.authorize.incidents)


async def test_a_secret_spread_over_a_stream_is_cut_before_its_end(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/sse", "GET", BEARER))
    await reader.readuntil(b"\r\n\r\n")
    for piece in (b"data: ", SECRET[:10].encode(), SECRET[10:].encode(), b"\n\n"):
        rig.upstream.go.put_nowait(piece)
    got = await asyncio.wait_for(reader.read(), 5)
    assert b"data: " in got
    assert SECRET[:10].encode() not in got
    await eventually(lambda: bool(rig.authorize.incidents), "it is recorded")
