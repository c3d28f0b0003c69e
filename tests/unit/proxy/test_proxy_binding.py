"""Binding a connection to a call, and the agent's own model."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from supervisor.errors import Denied
from tests.support.proxy_fakes import HANDLE, TREE, Rig, proxy_rig

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


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


async def test_a_shell_asks_what_it_begins_with(rig: Rig) -> None:
    reader, writer = await rig.dial()
    writer.write(b"TASKPASS-SHELL\n")
    assert await reader.read() == b"a prefix\n"
    assert rig.authorize.asked == [TREE]
    rig.owner.found = []  # whose connection it is cannot be told
    reader, writer = await rig.dial()
    writer.write(b"TASKPASS-SHELL\n")
    assert await reader.read() == b""
    assert rig.authorize.asked == [TREE]


@pytest.mark.parametrize(
    ("line", "purpose", "answer"),
    [("TASKPASS-SHELL", "ask", b""), (f"TASKPASS-BIND {HANDLE}", "bind", b"no\n")],
)
async def test_who_cannot_be_told_apart_is_put_on_record(
    rig: Rig, line: str, purpose: str, answer: bytes
) -> None:
    rig.owner.found = []
    reader, writer = await rig.dial()
    writer.write(f"{line}\n".encode())
    assert await reader.read() == answer
    port = writer.get_extra_info("sockname")[1]
    assert rig.authorize.incidents == [("unattested", {"purpose": purpose, "port": port})]


async def test_a_refusal_is_not_told_to_a_shell_that_would_run_it(rig: Rig) -> None:
    rig.authorize.problem = Denied("The task has ended; $(touch me) says so.")
    reader, writer = await rig.dial()
    writer.write(b"TASKPASS-SHELL\n")
    assert await reader.read() == b""
    assert rig.authorize.asked == [TREE]
    reader, writer = await rig.dial()
    writer.write(f"TASKPASS-BIND {HANDLE}\n".encode())
    assert await reader.read() == b"no\n"  # the one word that it waits for
    assert rig.authorize.binds == [(HANDLE, TREE)]


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
