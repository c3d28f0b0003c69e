"""Bodies that are looked at before they are judged: whole at the server, and bounded here."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
import uvloop

from supervisor.channels.http import graphql
from supervisor.errors import Denied
from supervisor.model import Effect
from tests.support.proxy_fakes import Reader, Rig, Writer, eventually
from tests.support.proxy_requests import BEARER, request, response

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")


@pytest.fixture
def event_loop_policy() -> Any:
    """The daemon's: nothing here is about the loop."""
    return uvloop.EventLoopPolicy()


ASK = json.dumps({"query": "{ viewer { login } }"}).encode()
CHANGE = json.dumps({"query": "mutation { createIssue { id } }"}).encode()


def posted(rig: Rig, *lines: str) -> bytes:
    return request(rig, "/graphql", "POST", "Content-Type: application/json", BEARER, *lines)


def in_chunks(body: bytes, size: int = 7) -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x;a=b\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


def judged(rig: Rig) -> Effect:
    return rig.authorize.uses[-1][1]


@pytest.mark.parametrize(("body", "kind"), [(ASK, "query"), (CHANGE, "mutation")])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_a_body_is_judged_and_arrives_whole(
    rig: Rig, body: bytes, kind: str, framing: str
) -> None:
    reader, writer = await rig.tunnel()
    for _ in range(2):  # what follows on the connection is not part of it
        if framing == "length":
            writer.write(posted(rig, f"Content-Length: {len(body)}") + body)
        else:
            writer.write(posted(rig, "Transfer-Encoding: chunked") + in_chunks(body))
        assert (await response(reader))[2] == b"%d bytes\n" % len(body)
        assert judged(rig).attributes["graphql"] == kind
    assert judged(rig).label.startswith(f"POST {rig.origin}/graphql {kind} ")
    writer.close()


async def test_a_body_in_small_pieces_is_waited_for(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    sent = posted(rig, "Transfer-Encoding: chunked") + in_chunks(CHANGE)
    for at in range(0, len(sent), 11):
        writer.write(sent[at : at + 11])
        await writer.drain()
        await asyncio.sleep(0)
    assert (await response(reader))[2] == b"%d bytes\n" % len(CHANGE)
    assert judged(rig).attributes["graphql"] == "mutation"
    writer.close()


async def test_a_compressed_body_is_read_and_sent_as_it_came(rig: Rig) -> None:
    body = gzip.compress(CHANGE)
    reader, writer = await rig.tunnel()
    writer.write(posted(rig, f"Content-Length: {len(body)}", "Content-Encoding: gzip") + body)
    assert (await response(reader))[2] == b"%d bytes\n" % len(body)
    assert judged(rig).attributes["graphql"] == "mutation"
    for coding, sent in (("br", ASK), ("gzip, gzip", body), ("gzip", ASK), ("gzip", body * 2)):
        lines = (f"Content-Length: {len(sent)}", f"Content-Encoding: {coding}")
        writer.write(posted(rig, *lines) + sent)
        assert (await response(reader))[0] == 200
        assert judged(rig).attributes["graphql"] == "unknown"
    writer.close()


@pytest.mark.parametrize("framing", ["length", "chunks", "bomb"])
async def test_what_is_longer_than_we_look_streams_on(rig: Rig, framing: str) -> None:
    size = 4 * graphql.LIMIT
    body = json.dumps({"query": "{ a }", "variables": {"text": "x" * size}}).encode()
    reader, writer = await rig.tunnel()
    if framing == "length":
        writer.write(posted(rig, f"Content-Length: {len(body)}") + body)
    elif framing == "chunks":
        writer.write(posted(rig, "Transfer-Encoding: chunked") + in_chunks(body, 5000))
    else:
        body = gzip.compress(body)
        writer.write(posted(rig, f"Content-Length: {len(body)}", "Content-Encoding: gzip") + body)
    assert (await response(reader))[2] == b"%d bytes\n" % len(body)
    assert judged(rig).attributes["graphql"] == "unknown"
    writer.close()


async def test_framing_without_content_ends(rig: Rig) -> None:
    """Chunks of one byte with long extensions: what is kept of them is bounded."""
    reader, writer = await rig.tunnel()
    writer.write(posted(rig, "Transfer-Encoding: chunked"))
    sent = _pour(writer, b"1;" + b"x" * 200 + b"\r\na\r\n")
    try:
        await eventually(lambda: bool(rig.authorize.uses), "it is judged without more")
    finally:
        sent.cancel()
    assert judged(rig).attributes["graphql"] == "unknown"
    writer.transport.abort()
    del reader


def _pour(writer: Writer, data: bytes) -> asyncio.Task[Any]:
    async def pour() -> None:
        while True:
            writer.write(data * 100)
            await writer.drain()

    return asyncio.get_running_loop().create_task(pour())


async def test_who_waits_to_be_told_to_go_on_is_told_once(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(posted(rig, f"Content-Length: {len(ASK)}", "Expect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert not rig.authorize.uses
    writer.write(ASK)
    status, _, body = await response(reader)
    assert (status, body) == (200, b"%d bytes\n" % len(ASK))
    writer.close()


async def test_a_refused_body_leaves_the_connection_good(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    rig.authorize.problem = Denied("Not that.")
    writer.write(posted(rig, "Transfer-Encoding: chunked") + in_chunks(CHANGE))
    assert (await response(reader))[0] == 403
    rig.authorize.problem = None
    writer.write(posted(rig, f"Content-Length: {len(ASK)}") + ASK)
    assert (await response(reader))[0] == 200
    assert len(rig.upstream.seen) == 1
    writer.close()


@pytest.mark.parametrize(
    "chunks", [b"zz\r\n", b"3\r\nabcX\n", b"5\nabcde\r\n", b"-1\r\n\r\n", b"5" * 300]
)
async def test_malformed_chunks_are_never_judged(rig: Rig, chunks: bytes) -> None:
    reader, writer = await rig.tunnel()
    writer.write(posted(rig, "Transfer-Encoding: chunked") + chunks)
    assert (await _status(reader)) == 400
    assert not rig.authorize.uses
    assert not rig.upstream.connections
    writer.close()


async def test_a_body_that_ends_early_is_never_judged(rig: Rig) -> None:
    reader, writer = await rig.tunnel()
    writer.write(posted(rig, "Content-Length: 1000") + ASK)
    writer.write_eof() if writer.can_write_eof() else writer.transport.close()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    assert not rig.authorize.uses


async def _status(reader: Reader) -> int:
    return (await response(reader))[0]
