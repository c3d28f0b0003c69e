"""Which addresses a name stands for, and which of them may be dialled.

A name is resolved once; what was checked is what is dialled, so that a second answer of the name
server (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from supervisor.channels.http.message import BadGateway, Origin
from supervisor.errors import Denied

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Cloud metadata services outside 169.254.0.0/16: AWS by IPv6, Alibaba Cloud.
_METADATA = frozenset(map(ipaddress.ip_address, ("fd00:ec2::254", "100.100.100.200")))
_THIS_NETWORK = ipaddress.ip_network("0.0.0.0/8")  # RFC 1122, 3.2.1.3: some systems take it for us
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: an IPv4 address in the last 32 bits


def embedded(address: _Address) -> _Address:
    """The IPv4 address that an IPv6 one leads to, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address.teredo:
            return address.teredo[1]
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def allowed(address: _Address, *, private: bool) -> bool:
    """Whether to dial it; `private` lets loopback and private networks through, nothing else."""
    target = embedded(address)
    if (
        target.is_link_local
        or target.is_multicast
        or target in _THIS_NETWORK
        or (target.version == 6 and (target.is_unspecified or target.is_site_local))
        or target in _METADATA
        or (target.is_reserved and not target.is_loopback)
    ):
        return False
    return private or target.is_global


async def resolve(origin: Origin, *, private: bool) -> list[str]:
    """Addresses of `origin.host` that may be dialled, in the resolver's order; never empty.

    Raises:
        BadGateway: the name does not resolve.
        Denied: every address is one we do not dial.
    """
    try:
        found: list[_Address] = [ipaddress.ip_address(origin.host)]
    except ValueError:
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(
                origin.host, origin.port, type=socket.SOCK_STREAM
            )
        except (OSError, UnicodeError) as error:
            raise BadGateway(f"The name {origin.host} does not resolve.") from error
        found = [ipaddress.ip_address(str(answer[4][0])) for answer in answers]
    good = [str(address) for address in dict.fromkeys(found) if allowed(address, private=private)]
    if not good:
        raise Denied(
            f"{origin.host} is a private, loopback or link-local address.",
            hint=f'If this host is meant, a person adds "{origin.authority}" to '
            "network.allow_private in config.toml.",
        )
    return good
