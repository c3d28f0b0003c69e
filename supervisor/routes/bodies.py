"""What goes into a request and out of an answer, the same for every subject."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec
from aiohttp import web

_LINES = 200  # of a streamed answer that are made between two looks at the connection
_T = TypeVar("_T")


async def asked_in(request: web.Request, kind: type[_T]) -> _T:
    """The body. Raises MsgspecError: it is not of that kind."""
    return msgspec.json.decode(await request.read(), type=kind)


def as_json(value: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")


async def as_stream(request: web.Request, lines: Iterator[bytes]) -> web.StreamResponse:
    """Lines as they are made, in threads, while somebody takes them."""

    def made() -> bytes:
        return b"".join(itertools.islice(lines, _LINES))

    part = await asyncio.to_thread(made)  # what fails at once is an answer of its own
    response = web.StreamResponse()
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        while part:
            await response.write(part)
            part = await asyncio.to_thread(made)
        await response.write_eof()
    return response
