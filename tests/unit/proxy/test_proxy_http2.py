"""HTTP/2 for clients and hosts that speak nothing else: each stream judged and cut on its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import trustme
import uvloop

from supervisor.channels.http.upstream import from_url
from supervisor.errors import Denied
from tests.support.corporate_proxy import LOGIN, CorporateProxy
from tests.support.h2_ends import H2Client, H2Upstream
from tests.support.proxy_fakes import SECRET, SURROGATE, Rig, eventually, proxy_rig

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")

BEARER = ("authorization", f"Bearer {SURROGATE}")


@pytest.fixture
def event_loop_policy() -> Any:
    """The daemon's: with the other, the rest of the proxy's tests have enough."""
    return uvloop.EventLoopPolicy()


@dataclass
class There:
    rig: Rig
    server: H2Upstream

    @property
    def authority(self) -> str:
        return f"localhost:{self.server.port}"

    async def client(self) -> H2Client:
        return await H2Client.through(self.rig, self.authority)


@asynccontextmanager
async def serving(tmp_path: Path, **more: Any) -> AsyncIterator[There]:
    """A proxy before a server that speaks HTTP/2 and nothing else."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "inner.example").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    server = H2Upstream()
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    server.port = listening.sockets[0].getsockname()[1]
    more |= {"roots": [authority.cert_pem.bytes()], "http2": [f"localhost:{server.port}"]}
    async with proxy_rig(tmp_path, **more) as rig:
        rig.authorize.hosts |= {f"localhost:{server.port}"}
        yield There(rig, server)
    listening.close()


@pytest.fixture
async def there(tmp_path: Path) -> AsyncIterator[There]:
    async with serving(tmp_path) as made:
        yield made


async def test_a_request_is_judged_and_given_its_credential(there: There) -> None:
    client = await there.client()
    assert await client.answer(client.ask("/x?q=1", fields=[BEARER])) == (200, b"0 bytes\n")
    seen = there.server.seen[0]
    assert seen["authorization"] == f"Bearer {SECRET}"
    assert (seen[":path"], seen[":authority"]) == ("/x?q=1", there.authority)
    [(_, effect, _)] = there.rig.authorize.uses
    assert effect.label == f"GET {there.authority}/x"
    await eventually(lambda: there.rig.authorize.settled == [("u-1", 200)], "the use is recorded")


async def test_real_curl_at_a_listed_host(there: There) -> None:
    told = await there.rig.curl(
        *("--http2", "-H", "Authorization: Bearer " + SURROGATE, "-d", "12345"),
        *("-w", " %{http_version}", f"https://{there.authority}/up"),
    )
    assert told == (0, "5 bytes\n 2", "")
    assert there.server.seen[0]["authorization"] == f"Bearer {SECRET}"


async def test_who_offers_both_gets_the_older_but_at_listed_hosts(tmp_path: Path) -> None:
    for http2, version in (((), "1.1"), (("localhost:{tls}",), "2")):
        async with proxy_rig(tmp_path, http2=http2) as rig:
            code, out, _ = await rig.curl(
                "--http2", "-s", "-o", "/dev/null", "-w", "%{http_version}", f"https://{rig.origin}"
            )
            assert (code, out) == (0, version)


async def test_a_server_without_http2_is_named(tmp_path: Path) -> None:
    async with proxy_rig(tmp_path, http2=["localhost:{tls}"]) as rig:
        client = await H2Client.through(rig)
        status, body = await client.answer(client.ask(fields=[BEARER]))
        assert status == 502
        assert "does not speak HTTP/2" in json.loads(body)["message"]
        assert not rig.upstream.seen


async def test_a_server_with_nothing_else_is_named_with_the_way(tmp_path: Path) -> None:
    """As Go's servers do it: TLS ends where no version of HTTP is agreed on."""
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    issued.private_key_pem.write_to_path(key)
    issued.cert_chain_pems[0].write_to_path(certificate)
    server = await asyncio.create_subprocess_exec(
        *(
            "openssl",
            "s_server",
            "-quiet",
            "-accept",
            "127.0.0.1:0",
            "-alpn",
            "h2",
            "-naccept",
            "1",
        ),
        *("-key", str(key), "-cert", str(certificate)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    port = await asyncio.to_thread(_listening, server.pid)
    async with proxy_rig(tmp_path, roots=[authority.cert_pem.bytes()]) as rig:
        code, out, _ = await rig.curl(f"https://localhost:{port}/")
        told = json.loads(out)
        assert (code, told["error"]) == (0, "bad_gateway")
        assert f'"localhost:{port}" to network.http2' in told["hint"], told
    with contextlib.suppress(ProcessLookupError):  # it leaves after one connection
        server.kill()
    await server.wait()


def _listening(pid: int) -> int:
    """The port that a process has opened."""
    while True:
        for each in psutil.Process(pid).net_connections("tcp"):
            if each.status == psutil.CONN_LISTEN:
                return int(each.laddr.port)


async def test_by_way_of_the_networks_proxy(tmp_path: Path) -> None:
    corporate = CorporateProxy(names={"inner.example": "127.0.0.1"})
    listening = await corporate.start()
    proxies = from_url("proxy", f"http://{LOGIN}@127.0.0.1:{corporate.port}")
    async with serving(tmp_path, proxies=proxies) as there:
        authority = f"inner.example:{there.server.port}"
        client = await H2Client.through(there.rig, authority)
        assert await client.answer(client.ask("/x")) == (200, b"0 bytes\n")
        assert corporate.asked == [f"CONNECT {authority} HTTP/1.1"]
    listening.close()


async def test_trailers_come_through_as_grpc_needs_them(there: There) -> None:
    client = await there.client()
    number = client.ask("/grpc", "POST", [("te", "trailers"), BEARER], end=False)
    await client.send(number, b"\0\0\0\0\5hello")
    assert await client.answer(number) == (200, b"10 bytes\n")
    assert client.trailers[number] == {"grpc-status": "0", "grpc-message": "ok"}
    assert there.server.seen[0]["te"] == "trailers"


async def test_streams_are_judged_one_by_one(there: There) -> None:
    there.rig.authorize.forbidden = "/no"
    client = await there.client()
    numbers = {path: client.ask(path) for path in ("/a", "/no", "/b")}
    answers = {path: await client.answer(number) for path, number in numbers.items()}
    assert {path: status for path, (status, _) in answers.items()} == {
        "/a": 200, "/no": 403, "/b": 200,
    }  # fmt: skip
    assert json.loads(answers["/no"][1])["error"] == "denied"
    assert client.heads[numbers["/no"]]["taskpass-decision"] == "denied"
    assert {seen[":path"] for seen in there.server.seen} == {"/a", "/b"}


async def test_connections_upstream_are_used_again(there: There) -> None:
    client = await there.client()
    for number in range(5):
        await client.answer(client.ask(f"/{number}"))
    assert there.server.connections == 1


async def test_cut_of_one_lease_leaves_the_other_streams(there: There) -> None:
    client = await there.client()
    first = client.ask("/sse", fields=[BEARER])
    await client.until(lambda: first in client.heads)
    second = client.ask("/sse", fields=[BEARER])
    await client.until(lambda: second in client.heads)
    assert there.rig.channel.cut("l-1") == 2  # the stream, and its connection to the server
    await client.until(lambda: first in client.reset)
    for _ in range(2):
        there.server.go.put_nowait(b"still here\n")
    await client.until(lambda: b"still here" in client.bodies[second])
    assert first not in client.ended
    assert there.rig.channel.cut() == 2
    with pytest.raises(ConnectionError):
        await client.answer(second)
    await eventually(lambda: there.rig.channel.connections == 0, "nothing is left")


async def test_a_question_ends_with_its_stream(there: There) -> None:
    there.rig.authorize.gate = asyncio.Event()
    client = await there.client()
    number = client.ask()
    await eventually(lambda: bool(there.rig.authorize.uses), "the question is open")
    client.conn.reset_stream(number)
    client.flush()
    await eventually(lambda: there.rig.authorize.cancelled == 1, "the question is withdrawn")
    there.rig.authorize.gate = None
    assert (await client.answer(client.ask()))[0] == 200


async def test_revoked_between_answer_and_sending_sends_nothing(there: There) -> None:
    client = await there.client()
    dial = there.rig.channel._pool.dial

    async def slow(*args: object, **more: object) -> object:
        endpoint = await dial(*args, **more)  # type: ignore[arg-type]
        there.rig.authorize.revoked = True
        return endpoint

    there.rig.channel._pool.dial = slow  # type: ignore[method-assign, assignment]
    status, body = await client.answer(client.ask(fields=[BEARER]))
    assert (status, json.loads(body)["error"]) == (403, "revoked")
    assert not there.server.seen


@pytest.mark.parametrize("direction", ["down", "up"])
async def test_bodies_stream_both_ways(there: There, direction: str) -> None:
    size = 3 * 1024 * 1024
    client = await there.client()
    if direction == "down":
        status, body = await client.answer(client.ask(f"/bytes/{size}", fields=[BEARER]))
        assert (status, len(body)) == (200, size)
    else:
        number = client.ask("/up", "PUT", [("content-length", str(size))], end=False)
        await client.send(number, b"u" * size)
        assert await client.answer(number) == (200, b"%d bytes\n" % size)


async def test_a_client_that_does_not_read_holds_its_server_back(there: There) -> None:
    client = await there.client()
    client.acknowledge = False
    number = client.ask(f"/bytes/{1 << 24}")
    await client.until(lambda: not client.conn.remote_flow_control_window(number))
    assert len(client.bodies[number]) == 65535
    assert there.server.sending  # what it has left is not taken from it


async def test_a_reflected_secret_is_masked_and_cut(there: There) -> None:
    client = await there.client()
    number = client.ask("/headers", fields=[BEARER])
    await client.answer(number)
    assert client.heads[number]["x-echo"] == "Bearer [secret removed by taskpass]"
    number = client.ask("/echo", fields=[BEARER])
    await client.until(lambda: number in client.ended or number in client.reset)
    assert number in client.reset or client.heads[number][":status"] == "502"
    assert SECRET.encode() not in client.bodies[number]
    await eventually(lambda: len(there.rig.authorize.incidents) == 2, "both are recorded")


async def test_a_graphql_body_is_looked_at(there: There) -> None:
    client = await there.client()
    fields = [("content-type", "application/json")]
    number = client.ask("/graphql", "POST", fields, end=False)
    body = json.dumps({"query": "mutation { createIssue { id } }"}).encode()
    await client.send(number, body[:9], end=False)
    await client.send(number, body[9:])
    assert await client.answer(number) == (200, b"%d bytes\n" % len(body))
    assert there.rig.authorize.uses[0][1].attributes["graphql"] == "mutation"


async def test_a_server_that_resets_is_a_bad_gateway(there: There) -> None:
    client = await there.client()
    status, body = await client.answer(client.ask("/reset"))
    assert (status, json.loads(body)["error"]) == (502, "bad_gateway")


async def test_an_early_answer_ends_the_upload(there: There) -> None:
    client = await there.client()
    number = client.ask("/early", "POST", end=False)
    await client.send(number, b"x" * 1000, end=False)
    assert (await client.answer(number))[0] == 413
    await client.until(lambda: number in client.reset)
    assert (await client.answer(client.ask()))[0] == 200


async def test_denied_uploads_are_not_read(there: There) -> None:
    there.rig.authorize.problem = Denied("Not that.")
    client = await there.client()
    number = client.ask("/up", "POST", end=False)
    assert (await client.answer(number))[0] == 403
    await client.until(lambda: number in client.reset)
    there.rig.authorize.problem = None
    assert (await client.answer(client.ask()))[0] == 200
