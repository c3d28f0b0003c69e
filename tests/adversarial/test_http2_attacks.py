"""HTTP/2's own ways to smuggle and to exhaust: each ends the stream or the connection, unjudged.

Floods are those of CVE-2019-9512 to 9518, CVE-2023-44487 (rapid reset) and CVE-2024-27316
(CONTINUATION); what two readers could take differently is from RFC 9113, 8 and 10.3.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
import uvloop
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
)

from tests.support.h2_ends import H2Client, H2Upstream
from tests.support.proxy_fakes import SECRET, SURROGATE, Rig, eventually, proxy_rig

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")

Headers = list[tuple[str, str]]


@pytest.fixture
def event_loop_policy() -> Any:
    return uvloop.EventLoopPolicy()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[tuple[Rig, H2Upstream, str]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    server = H2Upstream()
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    port = listening.sockets[0].getsockname()[1]
    async with proxy_rig(tmp_path, roots=[authority.cert_pem.bytes()]) as rig:
        rig.authorize.hosts |= {f"localhost:{port}"}
        rig.authorize.forbidden = "/smuggled"
        yield rig, server, f"localhost:{port}"
    listening.close()


def head(authority: str, *more: tuple[str, str], path: str = "/first") -> Headers:
    pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", authority), (":path", path)]
    return [*pseudo, ("authorization", f"Bearer {SURROGATE}"), *more]


def changed(authority: str, name: str, value: str | None) -> Headers:
    """A head with one pseudo-header field changed, or left out."""
    fields = [(key, value if key == name else old) for key, old in head(authority)]
    return [(key, text) for key, text in fields if text is not None]


SPLIT = "x\r\nContent-Length: 0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: y"
MALFORMED: dict[str, Callable[[str], Headers]] = {
    "value-crlf": lambda a: head(a, ("x-y", SPLIT)),
    "value-lf": lambda a: head(a, ("x-y", "a\nb")),
    "value-cr": lambda a: head(a, ("x-y", "a\rb")),
    "value-nul": lambda a: head(a, ("x-y", "a\0b")),
    "name-crlf": lambda a: head(a, ("x\r\ny", "z")),
    "name-colon": lambda a: head(a, ("host: evil", "z")),
    "name-space": lambda a: head(a, ("x y", "z")),
    "name-upper": lambda a: head(a, ("X-Y", "z")),
    "name-empty": lambda a: head(a, ("", "z")),
    "path-crlf": lambda a: head(a, path="/first HTTP/1.1\r\nHost: y\r\n\r\nGET /smuggled"),
    "path-space": lambda a: head(a, path="/first /smuggled"),
    "path-absolute": lambda a: head(a, path="https://other.example/smuggled"),
    "path-empty": lambda a: head(a, path=""),
    "path-dots": lambda a: head(a, path="/first/../smuggled"),
    "path-escaped": lambda a: head(a, path="/%73muggled"),
    "path-fragment": lambda a: head(a, path="/first#/smuggled"),
    "method-crlf": lambda a: changed(a, ":method", "GET /smuggled HTTP/1.1\r\nX: y\r\n\r\nGET"),
    "method-connect": lambda a: changed(a, ":method", "CONNECT"),
    "method-trace": lambda a: changed(a, ":method", "TRACE"),
    "scheme-http": lambda a: changed(a, ":scheme", "http"),
    "scheme-none": lambda a: changed(a, ":scheme", None),
    "authority-other": lambda a: changed(a, ":authority", "other.example"),
    "authority-userinfo": lambda a: changed(a, ":authority", f"x@{a}"),
    "authority-none": lambda a: changed(a, ":authority", None),
    "host-other": lambda a: head(a, ("host", "other.example")),
    "host-twice": lambda a: head(a, ("host", a), ("host", "other.example")),
    "pseudo-twice": lambda a: [(":path", "/smuggled"), *head(a)],
    "pseudo-after": lambda a: [*head(a), (":path", "/smuggled")],
    "pseudo-unknown": lambda a: [(":status", "200"), *head(a)],
    "protocol": lambda a: [(":protocol", "websocket"), *changed(a, ":method", "CONNECT")],
    "te-chunked": lambda a: head(a, ("transfer-encoding", "chunked")),
    "te-other": lambda a: head(a, ("te", "gzip")),
    "connection": lambda a: head(a, ("connection", "close")),
    "upgrade": lambda a: head(a, ("upgrade", "h2c")),
    "keep-alive": lambda a: head(a, ("keep-alive", "1")),
    "length-other": lambda a: head(a, ("content-length", "5")),
    "length-twice": lambda a: head(a, ("content-length", "0"), ("content-length", "5")),
    "length-list": lambda a: head(a, ("content-length", "0, 5")),
    "length-text": lambda a: head(a, ("content-length", "x")),
    "many-fields": lambda a: head(a, *((f"x-{n}", "y") for n in range(200))),
    "large-field": lambda a: head(a, ("x-y", "y" * 70_000)),
}


async def test_malformed_heads_reach_nobody(there: tuple[Rig, H2Upstream, str]) -> None:
    rig, server, authority = there
    told = rig.authorize
    for name, made in MALFORMED.items():
        for noted in (told.uses, told.refused, told.incidents):
            noted.clear()
        client = await H2Client.through(rig, authority)
        frames = _headers(1, made(authority))
        # The client's own book has a stream in order, so that it reads the answer.
        client.conn.send_headers(1, head(authority), end_stream=True)
        client.conn.data_to_send()
        with contextlib.suppress(ConnectionError, TimeoutError):
            client.writer.write(b"".join(frame.serialize() for frame in frames))
            await asyncio.wait_for(
                client.until(lambda c=client: 1 in c.ended | c.reset.keys() or c.gone), 3
            )
        status = client.heads.get(1, {}).get(":status", "")
        assert status in ("", "400", "403", "421", "431"), (name, status)
        assert status or client.gone is not None or 1 in client.reset, f"{name} is left waiting"
        client.writer.transport.abort()
        await eventually(
            lambda: bool(told.uses or told.refused or told.incidents), f"{name} on record"
        )
        judged = {effect.attributes["path"] for _, effect, _ in told.uses}
        assert judged <= {"/smuggled"}, (name, judged)  # refused there
    assert not server.seen
    assert not server.connections


async def test_what_is_in_order_passes(there: tuple[Rig, H2Upstream, str]) -> None:
    rig, server, authority = there
    client = await H2Client.through(rig, authority)
    frames = _headers(1, head(authority, ("te", "trailers"), ("host", authority)))
    client.conn.get_next_available_stream_id()
    client.writer.write(b"".join(frame.serialize() for frame in frames))
    raw = await asyncio.wait_for(client.reader.read(65536), 5)
    while b"0 bytes" not in raw:
        raw += await asyncio.wait_for(client.reader.read(65536), 5)
    assert server.seen[0]["authorization"] == f"Bearer {SECRET}"


def _headers(number: int, fields: Headers, *, end: bool = True) -> list[Frame]:
    """HEADERS, and CONTINUATIONs where they are long: not checked by anybody."""
    block = Encoder().encode([(k.encode(), v.encode()) for k, v in fields])
    first = HeadersFrame(number, block[:16384])
    first.flags |= {"END_STREAM"} if end else set()
    rest = range(16384, len(block), 16384)
    frames = [first, *(ContinuationFrame(number, block[at : at + 16384]) for at in rest)]
    frames[-1].flags.add("END_HEADERS")
    return frames


# ── floods ──────────────────────────────────────────────────────────────────────────────


def _rapid_reset(number: int, authority: str) -> list[Frame]:
    return [*_headers(2 * number + 1, head(authority)), RstStreamFrame(2 * number + 1, 8)]


def _settings(number: int, authority: str) -> list[Frame]:
    return [SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1000 + number % 7})]


def _pings(number: int, authority: str) -> list[Frame]:
    return [PingFrame(0, b"12345678")]


def _priorities(number: int, authority: str) -> list[Frame]:
    return [PriorityFrame(2 * number + 1, depends_on=0)]


def _empty_data(number: int, authority: str) -> list[Frame]:
    opening = _headers(1, head(authority), end=False) if not number else []
    return [*opening, DataFrame(1, b"")]


def _continuations(number: int, authority: str) -> list[Frame]:
    if number:
        return [ContinuationFrame(1, b"\x00\x01a\x01b")]
    first = _headers(1, head(authority))[0]
    first.flags.discard("END_HEADERS")
    return [first]


@pytest.mark.parametrize(
    "flood",
    [_rapid_reset, _settings, _pings, _priorities, _empty_data, _continuations],
    ids=lambda flood: flood.__name__.strip("_"),
)
async def test_floods_end_their_connection(
    there: tuple[Rig, H2Upstream, str], flood: Callable[[int, str], list[Frame]]
) -> None:
    """Within some hundred frames, with little work done for them; others are served meanwhile."""
    rig, server, authority = there
    # As with real questions, nobody answers at once.
    rig.authorize.gate = asyncio.Event()
    other = await H2Client.through(rig, authority)
    client = await H2Client.through(rig, authority)
    sent = 0
    with contextlib.suppress(ConnectionError):
        while sent < 5000:
            for frame in flood(sent, authority):
                client.writer.write(frame.serialize())
            sent += 1
            if sent % 50 == 0:
                await client.writer.drain()
                await asyncio.sleep(0)
            if client.reader.at_eof() or client.writer.transport.is_closing():
                break
    assert sent < 5000, "the connection was let go on"
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(5):
            while await client.reader.read(65536):
                pass
    client.writer.transport.abort()
    assert len(rig.authorize.uses) <= 500
    await eventually(lambda: bool(rig.authorize.refused), "it is on record")
    assert not server.seen
    await eventually(
        lambda: rig.authorize.cancelled == len(rig.authorize.uses), "its questions are withdrawn"
    )
    rig.authorize.gate = None
    assert (await other.answer(other.ask("/after")))[0] == 200


async def test_more_streams_than_were_granted_end_the_connection(
    there: tuple[Rig, H2Upstream, str],
) -> None:
    rig, server, authority = there
    rig.authorize.gate = asyncio.Event()
    client = await H2Client.through(rig, authority)
    for number in range(300):
        for frame in _headers(2 * number + 1, head(authority)):
            client.writer.write(frame.serialize())
    with contextlib.suppress(ConnectionError):
        await client.until(lambda: client.gone)
    assert client.gone
    assert len(rig.authorize.uses) <= 100
    assert not server.seen
