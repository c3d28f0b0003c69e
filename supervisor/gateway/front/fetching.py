"""Gets what a stranger names: public hosts only, TLS, no redirect, bounded in time and size."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from supervisor.channels.http.address import allowed

_PATIENCE = 5.0  # seconds
_LARGEST = 64 * 1024  # bytes


class _Public(ThreadedResolver):
    """Finds only addresses that a stranger may have us ask: none of this machine or its network.

    The connection is made to what was found here, so that a name cannot change in between.
    """

    def __init__(self, private: frozenset[str]) -> None:
        super().__init__()
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await super().resolve(host, port, family)
        private = bool({host, f"{host}:{port}"} & self._private)
        found = [
            each for each in found if allowed(ipaddress.ip_address(each["host"]), private=private)
        ]
        if not found:
            raise OSError(f"{host} has no public address")
        return found


def fetcher(tls: ssl.SSLContext, private: frozenset[str]) -> Callable[[str], Awaitable[bytes]]:
    """What gets a document by its https URL; it raises OSError where there is none.

    `private`: hosts, "name" or "name:port", that may be at private addresses.
    """

    async def fetch(url: str) -> bytes:
        try:
            if _is_number(urlsplit(url).hostname or ""):
                raise OSError("a host is named, not numbered")
            connector = aiohttp.TCPConnector(ssl=tls, resolver=_Public(private))
            async with (
                asyncio.timeout(_PATIENCE),
                aiohttp.ClientSession(connector=connector, trust_env=False) as session,
                session.get(
                    url, allow_redirects=False, headers={"accept": "application/json"}
                ) as answer,
            ):
                if answer.status != 200:
                    raise OSError(f"status {answer.status}")
                return await _bounded(answer.content)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OSError(f"{type(error).__name__}") from error

    return fetch


async def _bounded(content: aiohttp.StreamReader) -> bytes:
    data = bytearray()
    async for piece in content.iter_any():
        data += piece
        if len(data) > _LARGEST:
            raise OSError("it is too large")
    return bytes(data)


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
