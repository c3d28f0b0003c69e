"""Requests to a proxy by hand-written bytes."""

from __future__ import annotations

import asyncio

from tests.support.proxy_fakes import SURROGATE, Reader, Rig

BEARER = f"Authorization: Bearer {SURROGATE}"


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
