"""Which packets of a task's network its watching socket is shown: run by the kernel itself."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest

from supervisor.process import refusals
from tests.unit.channels.test_refused_attempts import (
    MULTICAST,
    MULTICAST_6,
    RESET,
    RESET_6,
    UDPLITE,
    UNREACHABLE,
    UNREACHABLE_6,
)

SYN, ACK, RST, FIN, PSH = 0x02, 0x10, 0x04, 0x01, 0x08


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A pair of sockets; what is sent into the first passes the filter, or does not come out."""
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        receiver.setsockopt(socket.SOL_SOCKET, refusals._SO_ATTACH_FILTER, refusals._ATTACHMENT)
        receiver.setblocking(False)
        yield sender, receiver


def passes(ends: tuple[socket.socket, socket.socket], packet: bytes) -> bool:
    sender, receiver = ends
    sender.send(packet)
    try:
        return receiver.recv(4096) == packet
    except BlockingIOError:
        return False


def ip4(
    protocol: int, payload: bytes, destination: str = "93.184.216.34", options: int = 0
) -> bytes:
    head = struct.pack(
        "!BBHHHBBH4s4s", 0x45 + options, 0, 0, 0, 0, 64, protocol, 0,
        socket.inet_aton("192.0.2.9"), socket.inet_aton(destination),
    )  # fmt: skip
    return head + bytes(options * 4) + payload


def ip6(following: int, payload: bytes, destination: str = "2001:db8::1") -> bytes:
    source = socket.inet_pton(socket.AF_INET6, "2001:db8::9")
    target = socket.inet_pton(socket.AF_INET6, destination)
    return struct.pack("!IHBB", 6 << 28, len(payload), following, 64) + source + target + payload


def tcp(flags: int, sequence: int = 0) -> bytes:
    return struct.pack("!HHIIBBHHH", 443, 40000, sequence, 7, 0x50, flags, 0, 0, 0)


@pytest.mark.parametrize(
    "packet", [RESET, RESET_6, UNREACHABLE, UNREACHABLE_6, UDPLITE, MULTICAST, MULTICAST_6]
)
def test_refusals_are_seen(ends: tuple[socket.socket, socket.socket], packet: str) -> None:
    assert passes(ends, bytes.fromhex(packet))


def test_a_reset_is_seen_behind_options_of_its_header(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    assert passes(ends, ip4(6, tcp(RST | ACK), options=3))


@pytest.mark.parametrize(
    "payload",
    [
        tcp(SYN),
        tcp(SYN | ACK),
        tcp(ACK, 9),
        tcp(PSH | ACK, 9) + b"what was said",
        tcp(FIN | ACK, 9),
        tcp(RST | ACK, 9),  # of a connection that there was
        tcp(RST),
    ],
)
def test_connections_that_come_about_are_nobodys_business(
    ends: tuple[socket.socket, socket.socket], payload: bytes
) -> None:
    assert not passes(ends, ip4(6, payload))
    assert not passes(ends, ip6(6, payload))


@pytest.mark.parametrize(
    "packet",
    [
        ip4(17, b"\0\1\0\2\0\x0a\0\0hi"),
        ip6(17, b"\0\1\0\2\0\x0a\0\0hi"),
        ip4(1, b"\x08\0\0\0"),  # an echo request
        ip6(58, b"\x80\0\0\0"),
        ip6(58, b"\x87\0\0\0", "ff02::1"),  # the kernel looks for its neighbours
        b"\x00" * 60,
        b"\x45",
        b"",
    ],
)
def test_all_else_is_not_shown(ends: tuple[socket.socket, socket.socket], packet: bytes) -> None:
    assert not passes(ends, packet)
