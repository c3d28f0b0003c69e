"""What passes the proxy: real curl and hand-written bytes against a real TLS server."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
import uvloop

from supervisor.model import Verb
from tests.support.proxy_fakes import HANDLE, SECRET, SURROGATE, TREE, Rig, eventually
from tests.support.proxy_requests import BEARER, request, response

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


async def test_the_loop_is_the_one_asked_for(request: pytest.FixtureRequest) -> None:
    wanted = request.getfixturevalue("event_loop_policy")
    running = type(asyncio.get_running_loop())
    assert (running is uvloop.Loop) == isinstance(wanted, uvloop.EventLoopPolicy)


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


async def test_another_method_in_a_field_is_judged_too(rig: Rig) -> None:
    """Servers that know such fields would delete; others read: policy sees both."""
    url = f"https://{rig.origin}/x"
    await rig.curl("-H", "X-HTTP-Method-Override: delete", "-H", "X-Method-Override: GET", url)
    assert rig.authorize.further == [[f"DELETE {rig.origin}/x"]]
    code, out, _ = await rig.curl("-H", "X-HTTP-Method: a b", url)
    assert (code, json.loads(out)["error"]) == (0, "bad_request")
    await rig.curl("-X", "POST", "-H", "X-HTTP-Method: POST", url)
    assert rig.authorize.further[1:] == [[]]


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
