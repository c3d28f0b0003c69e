"""Tunnels that are not ordinary TLS for the host they name: refused, on record, with a way."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supervisor.channels.http.tunnel import NotIntercepted
from supervisor.errors import Denied
from supervisor.model import Verb
from tests.support.proxy_fakes import HANDLE, Rig, eventually, proxy_rig
from tests.support.proxy_requests import request, response

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


async def opened(
    rig: Rig, authority: str = ""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A tunnel in which nothing was said yet."""
    reader, writer = await rig.dial()
    authority = authority or rig.origin
    writer.write(
        f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n"
        f"Proxy-Authorization: {rig.basic()}\r\n\r\n".encode()
    )
    assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def recorded(rig: Rig) -> tuple[str, NotIntercepted]:
    await eventually(lambda: bool(rig.authorize.refused), "the refusal on record")
    [(handle, label, error)] = rig.authorize.refused
    assert handle == HANDLE
    assert isinstance(error, NotIntercepted)
    assert not rig.authorize.uses
    assert not rig.upstream.connections
    return label, error


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "Plain HTTP"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "not TLS"),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", "not TLS"),  # PostgreSQL asks for TLS
    ],
)
async def test_what_is_not_tls(rig: Rig, sent: bytes, words: str) -> None:
    reader, writer = await opened(rig)
    writer.write(sent)
    assert await asyncio.wait_for(reader.read(), 5) == b""
    label, error = await recorded(rig)
    assert label == f"connect {rig.origin}"
    assert words in error.message
    assert error.hint
    writer.close()


@pytest.mark.parametrize(
    ("client", "words"),
    [
        (("-servername", "other.example"), "another host"),
        (("-noservername",), "another host, or none"),
        (("-servername", "localhost", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"), "TLS newer than"),
    ],
    ids=["another-sni", "no-sni", "tls-1.1"],
)
async def test_tls_that_names_another_host_or_is_old(
    rig: Rig, client: tuple[str, ...], words: str
) -> None:
    process = await asyncio.create_subprocess_exec(
        *("openssl", "s_client", "-connect", rig.origin, "-proxy"),
        *(f"127.0.0.1:{rig.channel.port}", "-proxy_user", HANDLE.partition(":")[0]),
        *("-proxy_pass", f"pass:{HANDLE.partition(':')[2]}", "-CAfile", str(rig.bundle)),
        *("-verify_return_error", *client),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 10)
    assert process.returncode != 0, out
    _, error = await recorded(rig)
    assert words in error.message


async def test_a_client_with_its_own_authorities_is_told_how_it_could_pass(rig: Rig) -> None:
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--cacert", str(rig.roots), "--noproxy", "", "--proxy", rig.url),
        f"https://{rig.origin}/",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    await process.communicate()
    assert process.returncode == 60
    _, error = await recorded(rig)
    assert f'"{rig.origin}" to network.splice' in error.hint


async def test_another_host_in_a_good_tunnel_is_on_record(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(b"GET /a?secret HTTP/1.1\r\nHost: other.example\r\n\r\n")
    assert (await response(reader))[0] == 421
    writer.write(request(rig, "/a/../b"))
    assert (await response(reader))[0] == 400
    writer.close()
    await eventually(lambda: len(rig.authorize.refused) == 2, "both on record")
    assert [label for _, label, _ in rig.authorize.refused] == [
        f"GET {rig.origin}/a",
        f"GET {rig.origin}/a/../b",
    ]


async def test_a_listed_tunnel_passes_unread_when_it_is_allowed(tmp_path: Path) -> None:
    async with proxy_rig(tmp_path, splice=["localhost:{tls}"]) as rig:
        own = ("--cacert", str(rig.roots))  # the server's own certificate
        code, out, err = await rig.curl(*own, f"https://{rig.origin}/x")
        assert (code, out) == (0, "0 bytes\n"), err
        [(handle, effect, surrogates)] = rig.authorize.uses
        assert (handle, effect.verb, surrogates) == (HANDLE, Verb.CONNECT, ())
        assert effect.resource == rig.origin
        await eventually(lambda: rig.authorize.settled == [("u-1", 200)], "the use is recorded")
        rig.authorize.problem = Denied("Not there.")
        code, _, err = await rig.curl(*own, f"https://{rig.origin}/x")
        assert (code, "403" in err) == (56, True)
        assert rig.upstream.connections == 1


async def test_a_revocation_cuts_a_listed_tunnel(tmp_path: Path) -> None:
    async with proxy_rig(tmp_path, splice=["127.0.0.1:{plain}"]) as rig:
        reader, writer = await opened(rig, f"127.0.0.1:{rig.plain.port}")
        host = f"127.0.0.1:{rig.plain.port}"
        writer.write(f"GET /sse HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        assert rig.channel.cut() == 2
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_a_listed_tunnel_reaches_no_private_address_by_that(tmp_path: Path) -> None:
    async with proxy_rig(tmp_path, splice=["localhost:{tls}"], private=False) as rig:
        code, _, err = await rig.curl(f"https://{rig.origin}/")
        assert (code, "403" in err) == (56, True)
        assert not rig.upstream.connections
