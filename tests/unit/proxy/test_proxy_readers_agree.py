"""Two readers of one message never disagree: what is looked at is what is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.channels.http.body import BodyReader
from supervisor.channels.http.endpoint import Endpoint
from supervisor.channels.http.h2heads import read_request, write_request
from supervisor.channels.http.message import (
    CHUNKED,
    BadRequest,
    Origin,
    RequestHead,
    parse_request,
)
from supervisor.channels.http.peek import peek

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")

HEAD = parse_request(b"POST /g HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
LIMIT = 64

# Pieces of bodies in chunks, in order and not.
_IN_ORDER = (
    b"0\r\n\r\n", b"0;a=b\r\nX: y\r\n\r\n", b"00\r\n\r\n", b"1\r\na\r\n", b"3;x\r\nabc\r\n",
    b"10\r\n" + b"z" * 16, b"\r\n", b"40\r\n", b"x" * 64 + b"\r\n", b"A\r\n0123456789\r\n",
)  # fmt: skip
_NOT = (
    b"\n", b"\r", b"0", b" ", b"+1\r\na\r\n", b"2\r\na\r\n", b"1\r\na\n", b";" * 300,
    b"f" * 16 + b"\r\n",
)  # fmt: skip
_PIECES = st.sampled_from((*_IN_ORDER, *_NOT))


@pytest.fixture
def event_loop_policy() -> Any:
    """Any: each example has a loop of its own."""
    return asyncio.DefaultEventLoopPolicy()


def _endpoint(data: bytes) -> Endpoint:
    endpoint = Endpoint(set())
    endpoint.data_received(data)
    endpoint.eof_received()
    return endpoint


async def _read(data: bytes) -> tuple[bytes, str]:
    reader, whole = BodyReader(_endpoint(data), CHUNKED), b""
    try:
        while piece := await reader.piece():
            whole += piece
    except BadRequest:
        return whole, "malformed"
    except ConnectionError:
        return whole, "cut short"
    return whole, "whole"


async def _peek(data: bytes) -> tuple[bytes, str]:
    try:
        seen = await peek(_endpoint(data), HEAD, LIMIT, 1.0)
    except BadRequest:
        return b"", "malformed"
    except ConnectionError:
        return b"", "cut short"
    return seen.data, "whole" if seen.complete else "begun"


@settings(max_examples=150, deadline=None)
@given(st.lists(_PIECES, max_size=8).map(b"".join) | st.binary(max_size=80))
def test_chunks_are_seen_as_they_are_sent(data: bytes) -> None:
    async def both() -> None:
        (seen, how), (sent, end) = await _peek(data), await _read(data)
        if how == "whole":
            # What comes after the last chunk (trailers) is not content.
            assert seen == sent
            assert end in ("whole", "malformed", "cut short")
        elif how == "begun":
            assert len(seen) == LIMIT
            assert sent[:LIMIT] == seen[: len(sent)]
        else:
            assert end != "whole"

    asyncio.run(both())


_NAME = st.sampled_from([b"x-y", b"host", b"content-length", b"te", b"cookie", b"X", b"", b"a b"])
_TEXT = st.text(alphabet="ab/:\r\n\0 \x7f\xe9,=", max_size=12).map(lambda t: t.encode("latin-1"))


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(_NAME | _TEXT, _TEXT), max_size=4),
    st.sampled_from([b"/p", b"/p?q", b"*"]) | _TEXT.map(lambda text: b"/" + text),
    st.booleans(),
)
def test_http2_heads_carry_nothing_that_http1_would_read_otherwise(
    fields: list[tuple[bytes, bytes]], path: bytes, whole: bool
) -> None:
    pseudo = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a")]
    try:
        head: RequestHead = read_request([*pseudo, (b":path", path), *fields], whole=whole)
    except BadRequest:
        return
    sent = write_request(head, Origin("a", 443, True), head.target, head.fields)
    written = b"".join(name + value for name, value in sent)
    assert not {0, 10, 13} & set(written)
    assert [name for name, _ in sent if name.startswith(b":")] == [
        b":method", b":scheme", b":authority", b":path",
    ]  # fmt: skip
    assert dict(sent)[b":path"] == path
    names = [name for name, _ in sent]
    assert b"host" not in names
    # As a downgrading server further on would write it: one request, of this head.
    text = b"".join(b"%s: %s\r\n" % pair for pair in sent[4:])
    again = parse_request(b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (path, text))
    assert again.target.encode() == path
