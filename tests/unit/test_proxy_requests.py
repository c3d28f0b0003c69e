"""What a client of the proxy meets: real curl and hand-written bytes against a real TLS server."""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from supervisor.channels.http.proxy import Timeouts
from supervisor.errors import LedgerFailed, TimedOut
from supervisor.model import Process, Verb
from tests.support.proxy_fakes import (
    HANDLE,
    SECRET,
    SURROGATE,
    TREE,
    Reader,
    Rig,
    eventually,
    proxy_rig,
)

BEARER = f"Authorization: Bearer {SURROGATE}"


pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@pytest.fixture(params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy])
def event_loop_policy(request: pytest.FixtureRequest) -> Any:
    """The daemon's loop, and the one there is without it."""
    return request.param()


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    async with proxy_rig(tmp_path) as running:
        yield running


def request(rig: Rig, target: str = "/", method: str = "GET", *lines: str) -> bytes:
    head = [f"{method} {target} HTTP/1.1", f"Host: {rig.origin}", *lines]
    return "\r\n".join((*head, "", "")).encode()


async def response(reader: Reader) -> tuple[int, dict[str, str], bytes]:
    """A response with a length."""
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    fields = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
    body = await reader.readexactly(int(fields.get("content-length", "0")))
    return int(first.split()[1]), fields, body


async def test_the_loop_is_the_one_asked_for(request: pytest.FixtureRequest) -> None:
    wanted = request.getfixturevalue("event_loop_policy")
    running = type(asyncio.get_running_loop())
    assert (running is uvloop.Loop) == isinstance(wanted, uvloop.EventLoopPolicy)


# ── the way through ─────────────────────────────────────────────────────────────────────


async def test_curl_reaches_the_server_with_the_real_credential(rig: Rig) -> None:
    code, out, err = await rig.curl("-H", BEARER, f"https://{rig.origin}/v1/x?q=1")
    assert (code, out) == (0, "0 bytes\n"), err
    assert rig.upstream.seen[0].get("authorization") == [f"Bearer {SECRET}"]
    assert rig.upstream.seen[0].get("host") == [rig.origin]
    assert rig.upstream.seen[0].target == "/v1/x?q=1"
    handle, effect, surrogates = rig.authorize.uses[0]
    assert handle == HANDLE
    assert (effect.verb, effect.resource) == (Verb.HTTP, rig.origin)
    assert effect.attributes == {"method": "GET", "path": "/v1/x", "port": rig.upstream.port}
    assert SURROGATE in surrogates
    assert rig.authorize.ancestries == [TREE]
    await eventually(lambda: rig.authorize.settled == [("u-1", 200)], "the use is recorded")


async def test_the_proxys_own_credential_never_goes_upstream(rig: Rig) -> None:
    await rig.curl(f"https://{rig.origin}/")
    assert not rig.upstream.seen[0].get("proxy-authorization")
    assert not rig.upstream.seen[0].get("proxy-connection")


async def test_basic_credentials_are_taken_apart(rig: Rig) -> None:
    await rig.curl("-u", f"x-access-token:{SURROGATE}", f"https://{rig.origin}/")
    (value,) = rig.upstream.seen[0].get("authorization")
    assert base64.b64decode(value.removeprefix("Basic ")).decode() == f"x-access-token:{SECRET}"


async def test_duplicates_collapse_and_foreign_credentials_are_stripped(rig: Rig) -> None:
    foreign = ["-H", "X-Api-Key: foreign-key-0123456789", "-H", "Cookie: s=foreign0123456789"]
    twice = ["-H", BEARER, "-H", "Authorization: Bearer foreign0123456789"]
    await rig.curl(*twice, *foreign, f"https://{rig.origin}/")
    seen = rig.upstream.seen[0]
    assert seen.get("authorization") == [f"Bearer {SECRET}"]
    assert not seen.get("x-api-key")
    assert not seen.get("cookie")
    # From then on that host takes no other credential from this task.
    await rig.curl("-H", "Authorization: Bearer foreign0123456789", f"https://{rig.origin}/")
    assert not rig.upstream.seen[1].get("authorization")


async def test_a_surrogate_at_another_host_leaves_unchanged(rig: Rig) -> None:
    rig.authorize.hosts = {"elsewhere.example"}
    await rig.curl("-H", BEARER, f"https://{rig.origin}/")
    assert rig.upstream.seen[0].get("authorization") == [BEARER.removeprefix("Authorization: ")]


async def test_a_stand_in_in_the_wrong_header_is_refused(rig: Rig) -> None:
    code, out, _ = await rig.curl("-H", f"X-Debug: {SURROGATE}", f"https://{rig.origin}/")
    assert code == 0
    assert "authorization" in json.loads(out)["message"]
    assert not rig.upstream.seen


async def test_one_connection_upstream_serves_many_requests(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    for number in range(5):
        writer.write(request(rig, f"/{number}", "GET", BEARER))
        assert (await response(reader))[0] == 200
    assert rig.upstream.connections == 1
    assert len(rig.authorize.uses) == 5
    writer.close()


async def test_a_connection_the_server_closed_meanwhile_is_replaced(rig: Rig) -> None:
    rig.upstream.drop_idle = True
    reader, writer = await rig.tunnel()
    for _ in range(4):
        writer.write(request(rig))
        assert (await response(reader))[0] == 200
    await eventually(lambda: len(rig.authorize.settled) == 4, "each use is recorded")
    assert [status for _, status in rig.authorize.settled] == [200] * 4
    writer.close()


@pytest.mark.parametrize("status", [204, 304, 404])
async def test_responses_without_a_body_keep_the_connection(rig: Rig, status: int) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, f"/status/{status}"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    if status == 404:
        await reader.readexactly(8)
    writer.write(request(rig, "/bytes/700000", "HEAD"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"700000" in head
    writer.write(request(rig, "/after"))
    assert (await response(reader))[2] == b"0 bytes\n"
    writer.close()


async def test_a_body_without_length_is_framed_anew(rig: Rig) -> None:
    for target, size in (("/close/5000", 5000), ("/chunks/30", 30_000)):
        code, out, err = await rig.curl(f"https://{rig.origin}{target}")
        assert (code, len(out)) == (0, size), err
        code, out, err = await rig.curl("--http1.0", f"https://{rig.origin}{target}")
        assert (code, len(out)) == (0, size), err


async def test_expect_100_continue(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/up", "POST", "Content-Length: 5", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert rig.authorize.uses  # judged before the body is asked for
    writer.write(b"12345")
    assert (await response(reader))[2] == b"5 bytes\n"
    assert not rig.upstream.seen[0].get("expect")
    writer.close()


async def test_chunked_uploads(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/up", "POST", "Transfer-Encoding: chunked"))
    for piece in (b"5;x=y\r\nabcde\r\n", b"A\r\n012345", b"6789\r\n0\r\nX: y\r\n\r\n"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    assert (await response(reader))[2] == b"15 bytes\n"
    writer.close()


@pytest.mark.parametrize(
    "body",
    [b"5\r\nabcdeXX", b"zz\r\n", b"5\nabcde\r\n", b"-1\r\n\r\n", b"5" * 300],
    ids=["end", "size", "bare-lf", "negative", "endless"],
)
async def test_a_malformed_chunk_is_refused_and_never_completes_a_request(
    rig: Rig, body: bytes
) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/up", "POST", "Transfer-Encoding: chunked") + body)
    status, fields, _ = await response(reader)
    assert (status, fields["connection"]) == (400, "close")
    writer.close()
    await eventually(lambda: rig.authorize.settled == [("u-1", 0)], "the use is recorded")
    assert all(seen.body <= 5 for seen in rig.upstream.seen)


async def test_a_body_cut_short_never_completes_a_request(rig: Rig) -> None:
    _, writer = await rig.tunnel()
    writer.write(request(rig, "/up", "POST", "Content-Length: 100000") + b"half")
    await eventually(lambda: bool(rig.upstream.seen), "the head arrives")
    writer.transport.abort()
    await asyncio.wait_for(rig.upstream.ended.wait(), 5)
    await eventually(lambda: rig.authorize.settled == [("u-1", 0)], "the use is recorded")


async def test_a_server_that_breaks_off_is_named_or_seen(rig: Rig) -> None:
    """Before its head: 502. Within its body: the client sees a broken body, not a short one."""
    rig.upstream.raw = b"HTTP/1.1 200 OK\r\nContent-Le"
    code, out, _ = await rig.curl(f"https://{rig.origin}/")
    assert code == 0
    assert json.loads(out)["error"] == "bad_gateway"
    rig.upstream.raw = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
    code, _, _ = await rig.curl(f"https://{rig.origin}/")
    assert code != 0
    rig.upstream.raw = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcde"
    code, _, _ = await rig.curl(f"https://{rig.origin}/")
    assert code != 0


async def test_an_early_answer_reaches_a_client_that_is_still_sending(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/early", "POST", "Content-Length: 9000000"))
    writer.write(b"x" * 100_000)
    status, fields, body = await response(reader)
    assert (status, body, fields["connection"]) == (413, b"no\n", "close")
    writer.close()


async def test_plain_http_to_an_allowed_loopback_host(rig: Rig) -> None:
    rig.authorize.hosts = {f"127.0.0.1:{rig.plain.port}"}
    code, out, err = await rig.curl("-H", BEARER, f"http://127.0.0.1:{rig.plain.port}/p?x=y")
    assert (code, out) == (0, "0 bytes\n"), err
    assert rig.plain.seen[0].target == "/p?x=y"
    assert rig.plain.seen[0].get("authorization") == [f"Bearer {SECRET}"]


async def test_no_credential_goes_over_plain_http_elsewhere(rig: Rig) -> None:
    rig.authorize.hosts = {"api.example"}
    code, out, _ = await rig.curl("-H", BEARER, "http://api.example/")
    assert code == 0
    assert "plain HTTP" in json.loads(out)["message"]
    await eventually(lambda: rig.authorize.settled == [("u-1", 0)], "the use is recorded")


async def test_websocket(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/ws", "GET", BEARER, "Connection: Upgrade", "Upgrade: websocket"))
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert b"Upgrade: websocket" in head
    writer.write(b"hello")
    assert await reader.readexactly(10) == b"echo:hello"
    assert rig.channel.cut("l-1") == 2
    assert await reader.read() == b""
    await eventually(lambda: rig.authorize.settled == [("u-1", 101)], "the use is recorded")


# ── streams ─────────────────────────────────────────────────────────────────────────────


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
    size = 64 * 1024 * 1024
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


# ── refusals ────────────────────────────────────────────────────────────────────────────


async def test_a_denial_is_readable_and_names_the_way_that_works(rig: Rig) -> None:
    code, out, _ = await rig.curl("-i", f"https://{rig.origin}/", proxy=rig.url.replace("c-", "d-"))
    assert code == 0
    assert out.splitlines()[0].startswith("HTTP/1.1 200")  # the tunnel
    assert "403 Forbidden" in out
    assert "Taskpass-Decision: denied" in out
    assert '"hint": "Run it as a new tool call."' in out
    assert not rig.upstream.connections


@pytest.mark.parametrize(
    ("problem", "status"),
    [(TimedOut("Nobody answered."), 403), (LedgerFailed("The disk is full."), 507)],
)
async def test_errors_of_the_core_become_statuses(
    rig: Rig, problem: Exception, status: int
) -> None:
    rig.authorize.problem = problem
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/", "POST", "Content-Length: 3") + b"abc")
    got, _, body = await response(reader)
    assert got == status
    assert json.loads(body)["message"] == str(problem)
    rig.authorize.problem = None
    writer.write(request(rig))
    assert (await response(reader))[0] == 200
    writer.close()


async def test_without_a_handle_the_client_is_asked_for_it(rig: Rig) -> None:
    bare = f"http://127.0.0.1:{rig.channel.port}"
    code, out, err = await rig.curl("-i", f"https://{rig.origin}/", proxy=bare)
    assert code == 56
    assert "407" in err
    code, out, _ = await rig.curl("-i", f"http://127.0.0.1:{rig.plain.port}/", proxy=bare)
    assert "Proxy-Authenticate: Basic" in out
    assert not rig.upstream.connections
    assert not rig.plain.connections


async def test_an_unattested_connection_gets_nothing(rig: Rig) -> None:
    rig.owner.found = []
    with pytest.raises(ConnectionRefusedError, match="tool call of the agent"):
        await rig.tunnel()
    stray = Process(9999, 1)
    rig.owner.found = [TREE[0], stray]  # one holder outside the tree is enough
    with pytest.raises(ConnectionRefusedError, match="not_attested"):
        await rig.tunnel()
    assert not rig.authorize.uses
    await eventually(lambda: len(rig.authorize.incidents) == 2, "both are recorded")
    assert {kind for kind, _ in rig.authorize.incidents} == {"unattested"}


async def test_a_connection_that_outlives_its_process_gets_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig))
    assert (await response(reader))[0] == 200
    rig.owner.chains.clear()
    monkeypatch.setattr("supervisor.channels.http.connection._BELIEVED", 0.0)
    writer.write(request(rig))
    assert (await response(reader))[0] == 403
    assert len(rig.upstream.seen) == 1
    writer.close()


async def test_tunnel_name_and_host_must_agree(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    for host in ("localhost", f"127.0.0.1:{rig.upstream.port}", "other.example"):
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert (await response(reader))[0] == 421
    writer.close()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await rig.tunnel(sni="other.example")
    assert not rig.authorize.uses


@pytest.mark.parametrize(
    "head",
    [
        "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: 3, 3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nContent-Length: +3\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\nX: a\r\n b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\nX : a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\nX: a\r\n\r\n",
        "GET / HTTP/1.1\nHost: {h}\n\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n\r\n",
        "GET / HTTP/1.1\r\nX: a\r\n\r\n",
        "GET  / HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: {h}\r\n\r\n",
        "GET https://{h}/ HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET /a/../admin HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET /a/%2e%2E/admin HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "GET /a\\..\\admin HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "TRACE / HTTP/1.1\r\nHost: {h}\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: {h}\r\n\r\n",
    ],
)
async def test_ambiguous_requests_are_refused(rig: Rig, head: str) -> None:
    reader, writer = await rig.tunnel()
    writer.write(head.format(h=rig.origin).encode())
    status, _, body = await response(reader)
    assert status == 400
    assert json.loads(body)["message"]
    assert not rig.upstream.seen
    writer.close()


async def test_heads_are_bounded(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/", "GET", *[f"X-{n}: {'v' * 1000}" for n in range(80)]))
    assert (await response(reader))[0] == 431
    writer.close()


async def test_escapes_are_undone_before_policy_and_before_the_server(rig: Rig) -> None:
    await rig.curl("--path-as-is", f"https://{rig.origin}/%61dmin/a%2fb?q=%61")
    assert rig.authorize.uses[0][1].attributes["path"] == "/admin/a%2Fb"
    assert rig.upstream.seen[0].target == "/admin/a%2Fb?q=%61"


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 1\r\n\r\na",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
    ],
)
async def test_malformed_answers_are_refused(rig: Rig, raw: bytes) -> None:
    rig.upstream.raw = raw
    reader, writer = await rig.tunnel()
    writer.write(request(rig, "/", "POST", "Content-Length: 0"))
    assert (await response(reader))[0] == 502
    writer.close()


async def test_bytes_after_a_response_are_not_the_next_one(rig: Rig) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    rig.upstream.raw = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + smuggled
    reader, writer = await rig.tunnel()
    writer.write(request(rig))
    assert (await response(reader))[2] == b"ok"
    rig.upstream.raw = None
    writer.write(request(rig))
    assert (await response(reader))[2] == b"0 bytes\n"
    writer.close()


async def test_loopback_is_refused_unless_allowed(tmp_path: Path) -> None:
    async with proxy_rig(tmp_path, private=False) as rig:
        code, out, _ = await rig.curl(f"https://{rig.origin}/")
        assert code == 0
        assert "private, loopback or link-local" in json.loads(out)["message"]
        assert rig.upstream.connections == 0


async def test_the_metadata_address_is_always_refused(rig: Rig) -> None:
    for host in ("169.254.169.254", "2852039166", "[::ffff:169.254.169.254]", "[fe80::1]"):
        code, out, err = await rig.curl(f"http://{host}/latest/meta-data/")
        assert code == 0, err
        assert json.loads(out)["error"] == "denied"


async def test_a_server_that_does_not_verify_is_refused(rig: Rig) -> None:
    rig.channel._pool._context = ssl.create_default_context()
    code, out, _ = await rig.curl("-H", BEARER, f"https://{rig.origin}/")
    assert code == 0
    assert json.loads(out)["error"] == "bad_gateway"
    assert "does not verify" in json.loads(out)["message"]
    assert not rig.upstream.seen


async def test_silent_clients_are_let_go(tmp_path: Path) -> None:
    quick = Timeouts(head=0.5, idle=0.5, sweep=0.02)
    async with proxy_rig(tmp_path, timeouts=quick) as rig:
        reader, _writer = await rig.dial()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        reader, writer = await rig.tunnel()
        writer.write(request(rig))
        assert (await response(reader))[0] == 200
        assert await asyncio.wait_for(reader.read(), 5) == b""
        await eventually(lambda: rig.channel.connections == 0, "nothing is left")


# ── revocation ──────────────────────────────────────────────────────────────────────────


async def test_cut_ends_fifty_streams_within_25_ms(rig: Rig) -> None:
    streams = [await rig.tunnel() for _ in range(50)]
    for reader, writer in streams:
        writer.write(request(rig, "/sse", "GET", BEARER))
        await reader.readuntil(b"\r\n\r\n")
    started = time.perf_counter()
    assert rig.channel.cut() == 100
    took = time.perf_counter() - started
    for reader, _ in streams:
        assert await asyncio.wait_for(reader.read(), 5) == b""
    assert took < 0.025
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


# ── binding, and the model ──────────────────────────────────────────────────────────────


async def test_bind(rig: Rig) -> None:
    for bound, word in ((True, b"ok\n"), (False, b"no\n")):
        rig.authorize.bound = bound
        reader, writer = await rig.dial()
        writer.write(f"TASKPASS-BIND {HANDLE}\n".encode())
        assert await reader.read() == word
    assert rig.authorize.binds == [(HANDLE, TREE)] * 2
    rig.owner.found = []
    reader, writer = await rig.dial()
    writer.write(f"TASKPASS-BIND {HANDLE}\n".encode())
    assert await reader.read() == b"no\n"
    assert len(rig.authorize.binds) == 2


@pytest.mark.parametrize("line", [b"TASKPASS-BIND \n", b"TASKPASS-BIND a b\n", b"x" * 3000])
async def test_malformed_binds(rig: Rig, line: bytes) -> None:
    reader, writer = await rig.dial()
    writer.write(line if line.startswith(b"T") else b"TASKPASS-BIND " + line)
    assert await reader.read() == b"no\n"
    assert not rig.authorize.binds


async def test_the_agents_own_model_is_not_intercepted(tmp_path: Path) -> None:
    hosts = ["localhost:{tls}", "127.0.0.1:{plain}"]
    async with proxy_rig(tmp_path, model_hosts=hosts, private=False) as rig:
        rig.authorize.model = True
        bare = f"http://127.0.0.1:{rig.channel.port}"
        own = ("--cacert", str(rig.roots), "-H", "Authorization: Bearer the-agents-own")
        code, out, err = await rig.curl(*own, f"https://{rig.origin}/v1", proxy=bare)
        assert (code, out) == (0, "0 bytes\n"), err  # verified against the server's own CA
        assert rig.upstream.seen[0].get("authorization") == ["Bearer the-agents-own"]
        code, out, err = await rig.curl(f"http://127.0.0.1:{rig.plain.port}/v1", proxy=bare)
        assert (code, out) == (0, "0 bytes\n"), err
        assert not rig.authorize.uses
        rig.authorize.model = False  # a tool of the agent
        code, out, err = await rig.curl(f"https://{rig.origin}/v1", proxy=bare)
        assert code == 56


async def test_cut_ends_the_models_stream(tmp_path: Path) -> None:
    async with proxy_rig(tmp_path, model_hosts=["127.0.0.1:{plain}"]) as rig:
        rig.authorize.model = True
        reader, writer = await rig.dial()
        host = f"127.0.0.1:{rig.plain.port}"
        writer.write(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"GET /sse HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        assert rig.channel.cut() == 2
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
