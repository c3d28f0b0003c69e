"""What the proxy refuses, and in which words."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest

from supervisor.channels.http.proxy import Timeouts
from supervisor.errors import LedgerFailed, TimedOut
from supervisor.model import Process
from tests.support.proxy_fakes import TREE, Rig, eventually, proxy_rig
from tests.support.proxy_requests import BEARER, request, response

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


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
    monkeypatch.setattr("supervisor.channels.http.visitor._BELIEVED", 0.0)
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
    rig.channel._pool._dialer._context = lambda _: ssl.create_default_context()
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
