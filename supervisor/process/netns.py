"""A task's network: a namespace of its own, whose only openings are sockets of ours.

Every address is local there, so a connection to anywhere is answered at once (refused, where
nothing listens) and ends inside. (Where a server of the task's own listens at every address, it
answers for all of them.) The sockets are made here, stay in that namespace for good, and
are handed to the daemon, so that a connection on one comes from that task and from nowhere else;
nothing in between carries bytes. What each is for, its name tells, by the part before the colon:

    proxy, hooks, git, mcp, relay:PORT, listed:PORT   TCP listeners on 127.0.0.1
    direct:PORT    a TCP listener on every address: takes connections that name no proxy
    dns-tcp, dns-udp    the name service, on 127.0.0.1
    spare:N        a TCP socket that is bound and listens later, when a person opens a way out
    watch          sees the kernel's refusals of everything else (`refusals`)

Ports below 1024 are ours alone: nothing in a container can bind one.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import Sequence

from supervisor.process import linux
from supervisor.process.refusals import watching_socket

RESOLVER = b"nameserver 127.0.0.1\noptions timeout:2 attempts:2\n"
"""/etc/resolv.conf of a contained task: names are asked for here, and nowhere outside."""

_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x1 | 0x40
_NETLINK_ROUTE, _NETLINK_SOCK_DIAG = 0, 4
_BACKLOG = 512
_LOOPBACK, _ANYWHERE = "127.0.0.1", "0.0.0.0"  # noqa: S104 - of a namespace with no way out

# linux/netlink.h, linux/rtnetlink.h
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_ROUTE = struct.Struct("=BBBBBBBBI")  # struct rtmsg
_ATTRIBUTE = struct.Struct("=HHI")
_RTM_NEWROUTE, _NLMSG_ERROR = 24, 2
_REQUEST_ACK_CREATE = 0x1 | 0x4 | 0x400
_TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL = 255, 3, 254, 2
_OUTPUT_INTERFACE = 4
_LOOPBACK_INDEX = 1  # the first interface of every namespace


def enter() -> None:
    """Move this process into a fresh network namespace where every address is local.

    An unprivileged account needs a user namespace for that (it keeps its own ids in it); root
    does without where it may, since a container's root often may not.

    Raises:
        OSError: the kernel or its policy does not let us.
    """
    if os.geteuid() == 0:
        try:
            linux.unshare(linux.CLONE_NEWNET)
        except PermissionError:
            _enter_with_user_namespace()
    else:
        _enter_with_user_namespace()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP_RUNNING))
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_ROUTE) as netlink:
        _make_local(netlink, socket.AF_INET)
        # Where IPv6 is switched off, an attempt by it ends even sooner.
        with contextlib.suppress(OSError):
            _make_local(netlink, socket.AF_INET6)


def _enter_with_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    # A process that is not dumpable does not own its own /proc files, the id maps among them.
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def _make_local(netlink: socket.socket, family: int) -> None:
    """`ip route add local default dev lo`."""
    route = _ROUTE.pack(
        family, 0, 0, 0, _TABLE_LOCAL, _PROTOCOL_BOOT, _SCOPE_HOST, _TYPE_LOCAL, 0
    ) + _ATTRIBUTE.pack(_ATTRIBUTE.size, _OUTPUT_INTERFACE, _LOOPBACK_INDEX)
    header = _HEADER.pack(_HEADER.size + len(route), _RTM_NEWROUTE, _REQUEST_ACK_CREATE, 1, 0)
    netlink.send(header + route)
    answer = netlink.recv(4096)
    kind, (error,) = _HEADER.unpack_from(answer)[1], struct.unpack_from("=i", answer, _HEADER.size)
    if kind != _NLMSG_ERROR or error:
        raise OSError(-error, os.strerror(-error))


def open_sockets(
    names: Sequence[str], ports: Sequence[int]
) -> tuple[list[socket.socket], socket.socket]:
    """The sockets of these names (see the module), and one sock_diag netlink socket.

    `ports` go with the names; 0 takes any. They belong to the network namespace of the calling
    process for good.

    Raises:
        OSError: a port is taken, or the kernel has no such socket.
    """
    sockets = [_open(name.partition(":")[0], port) for name, port in zip(names, ports, strict=True)]
    diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    diag.bind((0, 0))
    return sockets, diag


def port_of(name: str, made: socket.socket) -> int:
    """The port a socket of `open_sockets` has, 0 for none."""
    return 0 if name == "watch" else int(made.getsockname()[1])


def _open(kind: str, port: int) -> socket.socket:
    if kind == "watch":
        return watching_socket()
    datagrams = kind == "dns-udp"
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM)
    if datagrams:
        made.bind((_LOOPBACK, port))
        return made
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if kind != "spare":
        made.bind((_ANYWHERE if kind == "direct" else _LOOPBACK, port))
        made.listen(_BACKLOG)
    return made
