"""Request smuggling: nothing of a second request reaches a server without having been judged.

Each attack carries a request for `/smuggled`, which is denied whenever it is judged. However the
proxy reads the bytes, the server must never see that path; and no credential may leave with what
was refused. The sources are RFC 9112 (11.2), PortSwigger's catalogue of desync attacks and the
published flaws of proxies.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.proxy_fakes import (
    HANDLE,
    SECRET,
    SURROGATE,
    Reader,
    Rig,
    Writer,
    eventually,
    proxy_rig,
)
from tests.unit.proxy.test_proxy_direct import ADDRESS, FakeEgress

SECOND = "GET /smuggled HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n"
_CHUNK = "0\r\n\r\n" + SECOND
_LENGTH = len(_CHUNK)

# Heads begin with `POST {at}/first HTTP/1.1` unless they bring their own first line ("!").
# The second request follows after the head, where one reader ends the message and another not.
ATTACKS = {
    "cl-te": "Content-Length: {all}\r\nTransfer-Encoding: chunked",
    "te-cl": "Transfer-Encoding: chunked\r\nContent-Length: 4",
    "cl-cl-same": "Content-Length: 5\r\nContent-Length: 5",
    "cl-cl": "Content-Length: 5\r\nContent-Length: {all}",
    "cl-list": "Content-Length: 5, {all}",
    "cl-plus": "Content-Length: +5",
    "cl-minus": "Content-Length: -5",
    "cl-hex": "Content-Length: 0x5",
    "cl-underscore": "Content-Length: 5_0",
    "cl-unicode": "Content-Length: \u00b2",
    "cl-float": "Content-Length: 5.0",
    "cl-huge": "Content-Length: 99999999999999999999999",
    "cl-empty": "Content-Length: ",
    "te-te": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    "te-twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    "te-list": "Transfer-Encoding: identity, chunked",
    "te-gzip": "Transfer-Encoding: gzip, chunked",
    "te-x": "Transfer-Encoding: xchunked",
    "te-quoted": 'Transfer-Encoding: "chunked"',
    "te-tab": "Transfer-Encoding:\tchunked\r\nContent-Length: 5",
    "te-vertical-tab": "Transfer-Encoding: \x0bchunked",
    "te-nul": "Transfer-Encoding: chunked\0",
    "te-parameter": "Transfer-Encoding: chunked;q=1",
    "te-space": "Transfer-Encoding : chunked",
    "te-fold": "Transfer-Encoding:\r\n chunked",
    "te-fold-tab": "X: y\r\n\tTransfer-Encoding: chunked",
    "te-bare-lf": "X: y\nTransfer-Encoding: chunked",
    "te-bare-cr": "X: y\rTransfer-Encoding: chunked",
    "te-underscore": "Transfer_Encoding: chunked\r\nTransfer-Encoding: cow",
    "te-1.0": "!POST {at}/first HTTP/1.0\r\nHost: {host}\r\nTransfer-Encoding: chunked",
    "name-nul": "Content-Length\0: 5",
    "name-8bit": "Content-L\xe9ngth: 5",
    "no-colon": "Content-Length 5",
    "empty-name": ": 5",
    "host-twice": "Host: other.example",
    "host-same-twice": "Host: {host}",
    "host-other": "!GET {at}/first HTTP/1.1\r\nHost: other.example",
    "host-none": "!GET {at}/first HTTP/1.1\r\nX: y",
    "host-userinfo": "!GET {at}/first HTTP/1.1\r\nHost: a@{host}",
    "host-list": "!GET {at}/first HTTP/1.1\r\nHost: {host}, other.example",
    "host-path": "!GET {at}/first HTTP/1.1\r\nHost: {host}/smuggled",
    "host-space": "!GET {at}/first HTTP/1.1\r\nHost : {host}",
    "absolute-other": "!GET http://other.example/first HTTP/1.1\r\nHost: {host}",
    "absolute-https": "!GET https://{host}/smuggled HTTP/1.1\r\nHost: {host}",
    "line-lf": "!GET {at}/first HTTP/1.1\nHost: {host}",
    "line-two-spaces": "!GET  {at}/first HTTP/1.1\r\nHost: {host}",
    "line-tab": "!GET\t{at}/first HTTP/1.1\r\nHost: {host}",
    "line-0.9": "!GET {at}/first",
    "line-2.0": "!GET {at}/first HTTP/2.0\r\nHost: {host}",
    "line-1.2": "!GET {at}/first HTTP/1.2\r\nHost: {host}",
    "line-nul": "!GET {at}/fir\0st HTTP/1.1\r\nHost: {host}",
    "line-fragment": "!GET {at}/first#/smuggled HTTP/1.1\r\nHost: {host}",
    "line-crlf-first": "!\r\nGET {at}/smuggled HTTP/1.1\r\nHost: {host}",
    "line-8bit": "!GET {at}/\xa0 HTTP/1.1\r\nHost: {host}",
    "method-lower": "!get\0 {at}/smuggled HTTP/1.1\r\nHost: {host}",
    "trace": "!TRACE {at}/first HTTP/1.1\r\nHost: {host}",
    "connect": "!CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nX: y",
    "dots": "!GET {at}/first/../smuggled HTTP/1.1\r\nHost: {host}",
    "dots-escaped": "!GET {at}/first/%2e%2e/smuggled HTTP/1.1\r\nHost: {host}",
    "letters-escaped": "!GET {at}/%73muggled HTTP/1.1\r\nHost: {host}",
    "expect": "Expect: 200-ok",
    "upgrade-h2c": "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    "HTTP2-Settings: AAMAAABkAAQAAP__",
    "h2-preface": "!PRI * HTTP/2.0\r\n\r\nSM\r\n",
    "many-fields": "\r\n".join(f"X-{number}: y" for number in range(200)),
    "long-field": "X: " + "y" * 70_000,
    "long-line": "!GET {at}/" + "y" * 40_000 + " HTTP/1.1\r\nHost: {host}",
}
# After a head that is in order: bodies in chunks that two readers end in different places.
CHUNKS = {
    "size-sign": "+0\r\n\r\n",
    "size-prefix": "0x0\r\n\r\n",
    "size-space": "0 \r\n\r\n",
    "size-lf": "0\n\n",
    "size-cr": "0\r\r\n",
    "size-empty": "\r\n\r\n",
    "size-overflow": "10000000000000000\r\n\r\n",
    "extension-lf": "0;a\n\r\n",
    "extension-cr": "0;a\rb\r\n\r\n",
    "data-without-end": "1\r\nab0\r\n\r\n",
    "data-lf": "1\r\na\n0\r\n\r\n",
    "trailer-endless": "0\r\n" + "X: y\r\n" * 3000,
}


def _is_last(got: bytes) -> bool:
    """Whether the proxy has said all it will: an answer that closes, and its body."""
    head, end, body = got.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next((int(line[16:]) for line in lines if line.startswith(b"content-length: ")), 0)
    return bool(end) and b"connection: close" in lines and len(body) >= length


class SmugglingBattery(ABC):
    """Implement `connected` for one way into the proxy; the attacks come with it."""

    way_has_urls = False  # whether targets are in absolute form

    @pytest.fixture
    async def rig(self, tmp_path: Path) -> AsyncIterator[Rig]:
        async with proxy_rig(tmp_path) as running:
            running.authorize.forbidden = "/smuggled"
            running.authorize.hosts |= {f"127.0.0.1:{running.plain.port}"}
            yield running

    @abstractmethod
    async def connected(self, rig: Rig) -> tuple[Reader, Writer]: ...

    def host(self, rig: Rig) -> str:
        return rig.origin

    def lines(self, rig: Rig) -> str:
        """Fields of the first request after the attack's, each with a line end before it."""
        return ""

    async def attack(self, rig: Rig, text: str) -> bytes:
        """Send it, with what is given in braces filled in; what came back until the end."""
        host = self.host(rig)
        filled = {
            "at": f"http://{host}" if self.way_has_urls else "",
            "host": host,
            "token": SURROGATE,
            "all": str(_LENGTH),
        }
        for name, value in filled.items():
            text = text.replace("{" + name + "}", value)
        reader, writer = await self.connected(rig)
        writer.write(text.encode("latin-1"))
        # The client's own close makes every reader of ours come to an end.
        got = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(0.2):
                while not _is_last(got) and (data := await reader.read(65536)):
                    got += data
        writer.transport.abort()
        return got

    def forget(self, rig: Rig) -> None:
        for server in (rig.upstream, rig.plain):
            server.received.clear()
            server.seen.clear()
        told = rig.authorize
        for noted in (told.uses, told.refused, told.incidents):
            noted.clear()

    def nothing_passed(self, rig: Rig, name: str, got: bytes) -> None:
        for server in (rig.upstream, rig.plain):
            raw = bytes(server.received)
            assert b"smuggled" not in raw, (name, raw)
            assert b"other.example" not in raw, (name, raw)
            assert len(server.seen) <= 1, name  # the first request, where it was in order
        judged = {effect.attributes["path"] for _, effect, _ in rig.authorize.uses}
        assert judged <= {"/first", "/smuggled"}, (name, judged)
        assert SECRET.encode() not in got, name

    async def test_heads(self, rig: Rig) -> None:
        first = "POST {at}/first HTTP/1.1\r\nHost: {host}"
        for name, head in ATTACKS.items():
            self.forget(rig)
            whole = head[1:] if head.startswith("!") else f"{first}\r\n{head}"
            got = await self.attack(rig, f"{whole}{self.lines(rig)}\r\n\r\n{_CHUNK}")
            self.nothing_passed(rig, name, got)
            told = rig.authorize
            assert told.refused or told.uses or told.incidents, (name, got)

    async def test_bodies(self, rig: Rig) -> None:
        head = "POST {at}/first HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked"
        for name, body in CHUNKS.items():
            self.forget(rig)
            got = await self.attack(rig, f"{head}{self.lines(rig)}\r\n\r\n{body}{SECOND}")
            self.nothing_passed(rig, name, got)

    async def test_what_is_in_order_passes(self, rig: Rig) -> None:
        """The battery's own arrows fly: else all of the above would prove nothing."""
        head = "POST {at}/first HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3"
        got = await self.attack(rig, f"{head}{self.lines(rig)}\r\n\r\nabc{SECOND}")
        assert got.startswith(b"HTTP/1.1 200 ")
        paths = [effect.attributes["path"] for _, effect, _ in rig.authorize.uses]
        assert paths[0] == "/first"
        self.nothing_passed(rig, "in order", got)


class TestTunnel(SmugglingBattery):
    """Inside CONNECT and TLS."""

    async def connected(self, rig: Rig) -> tuple[Reader, Writer]:
        return await rig.tunnel()


class TestPlain(SmugglingBattery):
    """To the proxy itself, whole URLs."""

    way_has_urls = True

    async def connected(self, rig: Rig) -> tuple[Reader, Writer]:
        return await rig.dial()

    def host(self, rig: Rig) -> str:
        return f"127.0.0.1:{rig.plain.port}"

    def lines(self, rig: Rig) -> str:
        return f"\r\nProxy-Authorization: {rig.basic()}"


class TestDirect(SmugglingBattery):
    """Of a program that knows of no proxy."""

    async def connected(self, rig: Rig) -> tuple[Reader, Writer]:
        port = rig.plain.port
        if not rig.channel._direct:
            rig.channel.serve_direct(
                socket.create_server((ADDRESS, port)),
                tls=False,
                host_of={ADDRESS: "127.0.0.1"}.__getitem__,
                egress=FakeEgress(),
            )
        return await asyncio.open_connection(ADDRESS, port)

    def host(self, rig: Rig) -> str:
        return f"127.0.0.1:{rig.plain.port}"


# ── what says who is calling ────────────────────────────────────────────────────────────

_USER = base64.b64encode(HANDLE.encode()).decode()


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        f"Basic {_USER[:-3]}",
        f"Basic {_USER}=",
        f"Basic {_USER} {_USER}",
        f"Bearer {HANDLE}",
        f"Digest username={HANDLE}",
        HANDLE,
        "Basic " + base64.b64encode(f"{HANDLE}\r\nX: y".encode()).decode(),
        "Basic " + base64.b64encode(b"\xff\xfe\x00").decode(),
        "Basic " + base64.b64encode(b"a" * 600).decode(),
    ],
)
async def test_malformed_proxy_authorization_is_none(tmp_path: Path, value: str) -> None:
    async with proxy_rig(tmp_path) as rig:
        for line in (
            f"CONNECT {rig.origin} HTTP/1.1\r\nHost: {rig.origin}",
            f"GET http://127.0.0.1:{rig.plain.port}/ HTTP/1.1\r\nHost: 127.0.0.1:{rig.plain.port}",
        ):
            reader, writer = await rig.dial()
            writer.write(f"{line}\r\nProxy-Authorization: {value}\r\n\r\n".encode())
            assert (await reader.readline()).startswith(b"HTTP/1.1 407 ")
            writer.close()
        assert not rig.authorize.uses


@pytest.mark.parametrize(
    "wrong", [HANDLE[:-1], HANDLE + "0", HANDLE.upper(), "c-proxytest:", ":" + HANDLE, "x:y"]
)
async def test_a_wrong_bearer_opens_nothing(tmp_path: Path, wrong: str) -> None:
    async with proxy_rig(tmp_path) as rig:
        url = rig.url.replace(HANDLE, wrong)
        own = ("-H", f"Authorization: Bearer {SURROGATE}")
        code, out, _ = await rig.curl(*own, f"https://{rig.origin}/", proxy=url)
        assert code == 0
        assert SECRET not in out
        assert not rig.upstream.connections
        # Shown to a server it is worth nothing, and it is never passed on.
        await rig.curl("-H", f"Proxy-Authorization: {rig.basic()}", f"https://{rig.origin}/")
        assert not rig.upstream.seen[-1].get("proxy-authorization")


async def test_a_server_cannot_answer_a_request_that_was_not_made(tmp_path: Path) -> None:
    """A second answer behind the first is never taken for the answer to the next request."""
    async with proxy_rig(tmp_path) as rig:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        rig.upstream.raw = answer + b"ok" + answer + b"no"
        reader, writer = await rig.tunnel()
        for number in (1, 2, 3):
            writer.write(f"GET /{number} HTTP/1.1\r\nHost: {rig.origin}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(2) == b"ok", head
        await eventually(lambda: rig.upstream.connections == 3, "each on a connection of its own")
        writer.close()
