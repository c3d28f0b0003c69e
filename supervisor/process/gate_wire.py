"""What the gate reads and writes, as bytes: seccomp notifications and socket addresses. Pure.

Sources: seccomp_unotify(2); linux/seccomp.h; ip(7), ipv6(7), unix(7).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass

# ioctl requests on a listener: their numbers carry the sizes of the structs below.
RECEIVE, SEND, STILL_VALID, ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103

NOTIFICATION_BYTES = 80
ADDRESS_BYTES = 128  # struct sockaddr_storage

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_DESCRIPTOR = struct.Struct("=QIIII")
_ID = struct.Struct("=Q")
_CONTINUE = 1
_REPLACE = 1  # SECCOMP_ADDFD_FLAG_SETFD


@dataclass(frozen=True, slots=True)
class Notification:
    """One system call that waits. `thread`: the caller's, as seen from here."""

    id: int
    thread: int
    call: int
    arguments: tuple[int, ...]

    def number(self, index: int) -> int:
        """An argument that is a C int."""
        return struct.unpack("=i", struct.pack("=Q", self.arguments[index])[:4])[0]  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Inet:
    """A TCP address as it was dialled. `host` is in its canonical form."""

    family: int
    host: str
    port: int

    @property
    def plain_host(self) -> str:
        """The IPv4 address where an IPv6 one only wraps it."""
        found = ipaddress.ip_address(self.host)
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return str(mapped or found)

    @property
    def is_any(self) -> bool:
        return ipaddress.ip_address(self.plain_host).is_unspecified

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.plain_host).is_loopback


@dataclass(frozen=True, slots=True)
class Local:
    """A unix socket's address. `name` of an abstract one begins with a zero byte."""

    name: bytes

    @property
    def abstract(self) -> bool:
        return self.name.startswith(b"\0")

    @property
    def shown(self) -> str:
        return ("@" if self.abstract else "") + self.name.strip(b"\0").decode(errors="replace")


def notification(data: bytes | bytearray) -> Notification:
    """Read a struct seccomp_notif."""
    fields = _NOTIFICATION.unpack_from(data)
    return Notification(fields[0], fields[1], fields[3], fields[6:])


def address(data: bytes) -> Inet | Local | None:
    """Read a struct sockaddr of exactly these bytes; None for families that are neither.

    Raises:
        ValueError: it is too short for what it says it is.
    """
    if len(data) < 2:
        raise ValueError("no family")
    (family,) = struct.unpack_from("=H", data)
    if family == socket.AF_UNIX:
        return _local(data[2:])
    if family == socket.AF_INET:
        _at_least(data, 16)
        return Inet(family, socket.inet_ntop(family, data[4:8]), _port(data))
    if family == socket.AF_INET6:
        _at_least(data, 24)
        host = socket.inet_ntop(family, data[8:24])
        return Inet(family, host, _port(data))
    return None


def _local(name: bytes) -> Local:
    if not name:
        raise ValueError("a name is missing")
    return Local(name if name[0] == 0 else name.split(b"\0", 1)[0])


def _port(data: bytes) -> int:
    return int.from_bytes(data[2:4], "big")


def _at_least(data: bytes, length: int) -> None:
    if len(data) < length:
        raise ValueError("a short address")


def answer(waiting: Notification, error: int) -> bytearray:
    """The call returns 0, or fails with `error` (an errno)."""
    return bytearray(_ANSWER.pack(waiting.id, 0, -error, 0))


def go_on(waiting: Notification) -> bytearray:
    """The kernel does the call itself, reading its arguments anew."""
    return bytearray(_ANSWER.pack(waiting.id, 0, 0, _CONTINUE))


def replacement(waiting: Notification, source: int, target: int, flags: int) -> bytearray:
    """Put our descriptor `source` in the place of the caller's `target`.

    `flags`: O_CLOEXEC or 0.
    """
    return bytearray(_DESCRIPTOR.pack(waiting.id, _REPLACE, source, target, flags))


def identity(waiting: Notification) -> bytearray:
    return bytearray(_ID.pack(waiting.id))


def listening(table: str) -> dict[int, int]:
    """Inode → port of the sockets that listen, from /proc/net/tcp or tcp6 (proc(5))."""
    found: dict[int, int] = {}
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 9 and fields[3] == "0A":
            found[int(fields[9])] = int(fields[1].rpartition(":")[2], 16)
    return found
