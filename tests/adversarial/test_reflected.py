"""A server that sends the credential back, in every disguise a server uses by itself: what reaches
the task holds nothing of it, and the attempt is on record."""

from __future__ import annotations

import asyncio
import base64
import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.proxy_fakes import SECRET, SURROGATE, Rig, eventually, proxy_rig
from tests.support.proxy_requests import BEARER, request

_B64 = base64.b64encode(f"user:{SECRET}".encode())
_CUT = (SECRET[:7].encode(), SECRET[7:].encode())


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with proxy_rig(tmp_path) as made:
        yield made


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def chunked(*pieces: bytes) -> bytes:
    framed = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\n\r\n"


IN_BODIES = {
    "raw": answer(b"you sent " + SECRET.encode()),
    "base64": answer(b'{"auth": "' + _B64 + b'"}'),
    "base64, url's alphabet": answer(base64.urlsafe_b64encode(b"??" + SECRET.encode() + b"?")),
    "url": answer(b"<a href='/?t=" + quote(SECRET, safe="").encode() + b"'>again</a>"),
    "chunks": chunked(b"you sent ", *_CUT, b"."),
    "a chunk for each byte": chunked(*(bytes([byte]) for byte in SECRET.encode())),
    "gzip": answer(gzip.compress(b"{} " + SECRET.encode()), "Content-Encoding: gzip"),
    "deflate": answer(zlib.compress(SECRET.encode()), "Content-Encoding: deflate"),
    "gzip of base64": answer(gzip.compress(_B64), "Content-Encoding: gzip"),
    "gzip in chunks": chunked(*(bytes([b]) for b in gzip.compress(SECRET.encode()))).replace(
        b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n", 1
    ),
    "brotli": answer(b"\x0b\x02\x80whatever it says\x03", "Content-Encoding: br"),
    "an error's page": answer(f"bad token {SECRET}".encode(), status="401 Unauthorized"),
    "until the end": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + SECRET.encode(),
}


@pytest.mark.parametrize("form", IN_BODIES)
async def test_nothing_of_it_comes_through_in_a_body(rig: Rig, form: str) -> None:
    rig.upstream.raw = IN_BODIES[form]
    _, out, _ = await rig.curl("-i", "--raw", "-H", BEARER, f"https://{rig.origin}/")
    await eventually(lambda: bool(rig.authorize.settled), "the use to end")
    assert rig.upstream.seen[0].get("authorization") == [f"Bearer {SECRET}"]
    for needle in (SECRET[:12], _B64.decode()[4:20], gzip.compress(SECRET.encode())[10:30]):
        found = needle if isinstance(needle, str) else needle.decode("latin-1")
        assert found not in out
    if form != "brotli":  # what it says nobody knows
        await eventually(lambda: bool(rig.authorize.incidents), "it to be recorded")
        assert rig.authorize.incidents[0][1]["where"] == "body"


@pytest.mark.parametrize(
    "header",
    [
        f"X-Echo: Bearer {SECRET}",
        f"Location: https://elsewhere.example/?token={quote(SECRET)}",
        f"Location: /login?next=%2Fx%3Ft%3D{SECRET.replace('_', '%5F')}",
        f"Set-Cookie: token={SECRET}; Path=/",
        f"WWW-Authenticate: Basic realm={_B64.decode()}",
        f"X-{SECRET}: 1",
    ],
    ids=["raw", "url", "url, written otherwise", "cookie", "base64", "name"],
)
async def test_nothing_of_it_comes_through_in_a_header(rig: Rig, header: str) -> None:
    rig.upstream.raw = answer(b"fine\n", header, "X-Kept: yes")
    code, out, err = await rig.curl("-i", "-H", BEARER, f"https://{rig.origin}/")
    assert code == 0, err
    assert out.endswith("\r\n\r\nfine\n")
    assert "X-Kept: yes" in out
    assert SECRET not in out.replace("%5F", "_")
    assert _B64.decode()[4:20] not in out
    await eventually(lambda: bool(rig.authorize.incidents), "it to be recorded")
    assert rig.authorize.incidents[0][1]["where"] == "headers"


async def test_nothing_of_it_comes_through_in_a_reason(rig: Rig) -> None:
    rig.upstream.raw = answer(b"", status=f"400 not {SECRET}")
    _, out, _ = await rig.curl("-i", "-H", BEARER, f"https://{rig.origin}/")
    assert "HTTP/1.1 400 not [secret removed by taskpass]\r\n" in out
    assert SECRET not in out


async def test_an_event_is_not_delayed_and_one_with_the_secret_ends_the_stream(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/sse", "GET", BEARER))
    await reader.readuntil(b"\r\n\r\n")
    innocent = b"data: token to be " + SECRET[:1].encode() + b"\n\n"
    rig.upstream.go.put_nowait(innocent)
    got = b""
    async with asyncio.timeout(5):
        while innocent not in got:
            got += await reader.read(100)
        rig.upstream.go.put_nowait(b"data: " + _B64 + b"\n\n")
        got += await reader.read()
    assert _B64[4:20] not in got


async def test_nothing_of_it_comes_through_a_websocket(rig: Rig) -> None:
    frames = b"\x81\x05hello" + b"\x81%c" % len(SECRET) + SECRET.encode()
    rig.upstream.raw = (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
        + frames
    )
    reader, writer = await rig.tunnel()
    offer = "Sec-WebSocket-Extensions: permessage-deflate"
    upgrade = ("Connection: Upgrade", "Upgrade: websocket", offer)
    writer.write(request(rig, "/ws", "GET", BEARER, *upgrade))
    got = await asyncio.wait_for(reader.read(), 5)
    assert b"101 Switching Protocols" in got
    assert SECRET[:12].encode() not in got
    assert not rig.upstream.seen[0].get("sec-websocket-extensions")  # it would be compressed
    await eventually(lambda: bool(rig.authorize.incidents), "it to be recorded")
    assert rig.authorize.incidents[0][1]["where"] == "stream"


async def test_a_request_without_a_credential_gets_what_the_server_says(rig: Rig) -> None:
    body = gzip.compress(b"public")
    rig.upstream.raw = answer(body, "Content-Encoding: gzip", f"X-Note: {SURROGATE}")
    code, out, err = await rig.curl("-i", "--raw", f"https://{rig.origin}/")
    assert code == 0, err
    assert out.encode("latin-1").endswith(b"\r\n\r\n" + body)
    assert rig.authorize.incidents == []
