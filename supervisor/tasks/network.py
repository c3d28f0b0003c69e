"""How a contained task's network is made up: which sockets it gets, and what serves them."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from socket import socket

from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.channels.network.dns import NameService
from supervisor.channels.network.doors import WEB_PORTS, Doors
from supervisor.channels.network.names import Names
from supervisor.channels.network.watch import EgressWatch
from supervisor.channels.relay import LoopbackRelay
from supervisor.loopback import GIT_PORT, HOOK_PORT, HOSTS, MCP_PORT, NAME_PORT, PROXY_PORT
from supervisor.model import Tier
from supervisor.ports import Authorize, Channel, ConnectionOwner, Egress

_SSH_PORT = 22
_SPARES = 12  # doors that may be opened while a task runs
_LOOPBACK_NAMES = "localhost,127.0.0.1,::1"


def sockets_of(
    tier: Tier, model_ports: Iterable[int], listed: Iterable[int], *, mcp: bool = True
) -> dict[str, int]:
    """Name and port of every socket of a contained task (`supervisor.process.netns`).

    In tier B the ports are what the task dials; the gate knows where the sockets really are.

    Args:
        model_ports: of the machine's loopback, where the agent's model is.
        listed: of the machine's loopback, that the person lets tools reach.
        mcp: there are MCP servers behind gateways, which announce.
    """
    models = set(model_ports)
    wanted = {"proxy": PROXY_PORT, "hooks": HOOK_PORT, "git": GIT_PORT}
    wanted |= {"mcp": MCP_PORT} if mcp else {}
    wanted |= {f"relay:{port}": port for port in sorted(models)}
    wanted |= {f"listed:{port}": port for port in sorted(set(listed) - models)}
    if tier is Tier.B:
        return wanted
    wanted |= {"dns-udp": NAME_PORT, "dns-tcp": NAME_PORT, "watch": 0}
    taken = set(wanted.values())
    wanted |= {f"direct:{port}": port for port in (_SSH_PORT, *WEB_PORTS) if port not in taken}
    return wanted | {f"spare:{number}": 0 for number in range(1, _SPARES + 1)}


def serving(
    task: str,
    sockets: Mapping[str, socket],
    authorize: Authorize,
    egress: Egress,
    owner: ConnectionOwner,
    proxy: HttpProxyChannel,
    allow_private: Callable[[], frozenset[str]],
) -> list[Channel]:
    """Channels for all of `sockets_of` but the proxy's and the hooks' own; not serving yet."""
    channels: list[Channel] = []
    by_kind: dict[str, dict[str, socket]] = {}
    for name, made in sockets.items():
        by_kind.setdefault(name.partition(":")[0], {})[name] = made
    for name, made in by_kind.get("relay", {}).items():
        channels.append(LoopbackRelay(task, made, _port(name), authorize, owner))
    names = Names(task)
    doors_at = dict(by_kind.get("listed", {}))
    if "watch" not in sockets:  # not in a network of its own
        if doors_at:
            channels.append(
                Doors(task, authorize, egress, owner, names, doors_at, (), allow_private)
            )
        return channels
    for name, made in by_kind.get("direct", {}).items():
        if _port(name) in WEB_PORTS:
            proxy.serve_direct(
                made,
                tls=WEB_PORTS[_port(name)],
                host_of=lambda a: names.name(a) or a,
                egress=egress,
            )
        else:
            doors_at[name] = made
    spares = list(by_kind.get("spare", {}).values())
    doors = Doors(task, authorize, egress, owner, names, doors_at, spares, allow_private)
    service = NameService(names, sockets["dns-udp"], sockets["dns-tcp"])
    return [*channels, doors, service, EgressWatch(task, sockets["watch"], egress, names, doors)]


def loopback_ports(hosts: Sequence[str]) -> list[int]:
    """Ports of the "host:port" among `hosts` that are on the machine's loopback."""
    pairs = (host.rpartition(":") for host in hosts)
    return [int(port) for host, _, port in pairs if host in HOSTS]


def proxy_exceptions(private_hosts: Iterable[str]) -> str:
    """NO_PROXY of a contained task's tools: its own loopback, where its own servers are.

    None, where a host that tasks may reach through the proxy is on the machine's loopback: no
    client tells that apart by port.
    """
    return "" if any(_is_loopback(host) for host in private_hosts) else _LOOPBACK_NAMES


def _is_loopback(resource: str) -> bool:
    host = resource.rpartition(":")[0] if resource.count(":") == 1 else resource.strip("[]")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _port(name: str) -> int:
    return int(name.partition(":")[2])
