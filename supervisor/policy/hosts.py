"""What kind of address a host is. Nothing is resolved: the name itself has to tell."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from functools import lru_cache

_METADATA_NAMES = frozenset(
    {"metadata.google.internal", "metadata", "instance-data", "metadata.azure.internal"}
    | {"metadata.tencentyun.com", "instance-data.ec2.internal"}
)
_METADATA_ADDRESSES = frozenset({"100.100.100.200", "192.0.0.192", "168.63.129.16"})
_METADATA_V6 = ipaddress.ip_network("fd00:ec2::/32")

# Where anyone may leave data and anyone collect it: pastes, file drops, request catchers,
# tunnels. These and all names below them.
_PUBLIC = frozenset(
    """
    0x0.st 0paste.com bashupload.com beeceptor.com bin.gy burpcollaborator.net canarytokens.com
    catbox.moe ceye.io clbin.com controlc.com dnslog.cn dpaste.com dpaste.org envs.sh file.io
    ghostbin.com gofile.io hastebin.com hookbin.com interact.sh ix.io justpaste.it loca.lt
    localhost.run ngrok-free.app ngrok.app ngrok.dev ngrok.io oast.fun oast.live oast.me
    oast.online oast.pro oast.site oastify.com oshi.at paste.ee paste.rs pastebin.com pastebin.pl
    pastes.dev pipedream.net pixeldrain.com ptpb.pw rentry.co requestbin.com requestbin.net
    requestcatcher.com sendspace.com serveo.net sprunge.us temp.sh termbin.com tmpfiles.org
    transfer.sh trycloudflare.com ttm.sh uguu.se webhook.site wetransfer.com x0.at zerobin.net
    """.split()  # noqa: SIM905  (a list of names reads better so)
)


@dataclass(frozen=True, slots=True)
class Nature:
    """What a host is known as."""

    loopback: bool = False
    metadata: bool = False  # hands out the machine's own credentials
    public: bool = False  # anyone may leave or collect data there


def split_host(resource: str) -> tuple[str, int]:
    """`host`, `host:port`, `[v6]:port` or a bare IPv6 address; port 0 when there is none.

    Raises:
        ValueError: the port is not a number.
    """
    if resource.startswith("["):
        host, _, rest = resource[1:].partition("]")
        port = rest.removeprefix(":")
    elif resource.count(":") == 1:
        host, _, port = resource.partition(":")
    else:
        host, port = resource, ""
    return host.casefold().rstrip("."), int(port) if port else 0


@lru_cache(1024)  # each request asks about its host
def nature(host: str) -> Nature:
    """What `host`, lower case, is: also in any spelling of a number."""
    if host in _METADATA_NAMES:
        return Nature(metadata=True)
    if host == "localhost" or host.endswith(".localhost"):
        return Nature(loopback=True)
    address = _address(host)
    if address is None:
        labels = host.split(".")
        return Nature(public=any(".".join(labels[at:]) in _PUBLIC for at in range(len(labels))))
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        address = mapped
    metadata = address.is_link_local or str(address) in _METADATA_ADDRESSES
    if isinstance(address, ipaddress.IPv6Address):
        metadata = metadata or address in _METADATA_V6
    return Nature(loopback=address.is_loopback, metadata=metadata)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    if not host[:1].isdigit():
        return None
    try:  # 2852039166, 0xa9fea9fe, 0251.0376.0251.0376: what inet_aton(3) takes
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None
