"""What a stranger names is asked for at public addresses only, whatever form they come in."""

from __future__ import annotations

import ipaddress
import ssl

import pytest
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from supervisor.gateway.front.fetching import fetcher

_HOST = "client.example"
INSIDE = (
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "100.100.100.200", "0.0.0.1", "224.0.0.1",
    "::1", "fd00:ec2::254", "fe80::1", "ff0e::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:f5ff:fffe",
)  # fmt: skip


def _found(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(
        self: ThreadedResolver, host: str, port: int = 0, family: int = 0
    ) -> list[ResolveResult]:
        family = 10 if ipaddress.ip_address(address).version == 6 else 2
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=family, proto=0, flags=0
            )
        ]  # fmt: skip

    monkeypatch.setattr(ThreadedResolver, "resolve", resolve)


@pytest.mark.parametrize("address", INSIDE)
async def test_a_name_that_leads_inside(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _found(address, monkeypatch)
    with pytest.raises(OSError, match="ConnectorDNS"):
        await fetcher(ssl.create_default_context(), frozenset())(f"https://{_HOST}:9/c.json")


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "64:ff9b::a9fe:a9fe"])
async def test_a_private_host_is_no_metadata_service(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _found(address, monkeypatch)
    with pytest.raises(OSError, match="ConnectorDNS"):
        await fetcher(ssl.create_default_context(), frozenset({_HOST}))(f"https://{_HOST}:9/c.json")


async def test_a_private_host_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    _found("127.0.0.1", monkeypatch)
    with pytest.raises(OSError, match="ClientConnectorError"):  # refused there, not here
        await fetcher(ssl.create_default_context(), frozenset({_HOST}))(f"https://{_HOST}:1/c.json")
