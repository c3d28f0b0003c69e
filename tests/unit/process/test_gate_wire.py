"""What the gate reads: addresses as programs write them into memory, and tables of /proc."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.process import gate_wire
from supervisor.process.gate_wire import Inet, Local, Notification


def inet(host: str, port: int) -> bytes:
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))


def inet6(host: str, port: int, scope: int = 0) -> bytes:
    packed = socket.inet_pton(socket.AF_INET6, host)
    return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI16sI", port, 7, packed, scope)


def unix(name: bytes) -> bytes:
    return struct.pack("=H", socket.AF_UNIX) + name


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (inet("127.0.0.1", 3128), Inet(socket.AF_INET, "127.0.0.1", 3128)),
        (inet("192.0.2.7", 443) + b"beyond", Inet(socket.AF_INET, "192.0.2.7", 443)),
        (inet6("::1", 80), Inet(socket.AF_INET6, "::1", 80)),
        (inet6("fe80::1", 80, 2), Inet(socket.AF_INET6, "fe80::1", 80)),
        (unix(b"/run/x\0rubbish"), Local(b"/run/x")),
        (unix(b"no-end"), Local(b"no-end")),
        (unix(b"\0name\0with\0zeros"), Local(b"\0name\0with\0zeros")),
        (struct.pack("=H", 0) + bytes(14), None),
        (struct.pack("=H", socket.AF_NETLINK) + bytes(10), None),
    ],
)
def test_addresses(data: bytes, expected: Inet | Local | None) -> None:
    assert gate_wire.address(data) == expected


@pytest.mark.parametrize("data", [b"", b"\1", inet("127.0.0.1", 1)[:15], inet6("::1", 1)[:23]])
def test_short_addresses_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"short|family"):
        gate_wire.address(data)
    with pytest.raises(ValueError, match="missing"):
        gate_wire.address(unix(b""))


@given(st.binary(max_size=gate_wire.ADDRESS_BYTES))
def test_no_address_is_a_crash(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        found = gate_wire.address(data)
        if isinstance(found, Inet):
            assert found.is_loopback in (True, False)
            assert found.plain_host
        elif found is not None:
            assert found.shown is not None


@pytest.mark.parametrize(
    ("host", "plain", "loopback", "everywhere"),
    [
        ("127.0.0.1", "127.0.0.1", True, False),
        ("127.8.9.1", "127.8.9.1", True, False),
        ("0.0.0.0", "0.0.0.0", False, True),
        ("10.0.0.1", "10.0.0.1", False, False),
        ("::1", "::1", True, False),
        ("::", "::", False, True),
        ("::ffff:127.0.0.1", "127.0.0.1", True, False),
        ("::ffff:192.0.2.1", "192.0.2.1", False, False),
        ("::127.0.0.1", "::7f00:1", False, False),
    ],
)
def test_where_an_address_leads(host: str, plain: str, loopback: bool, everywhere: bool) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = gate_wire.address(inet6(host, 9) if family == socket.AF_INET6 else inet(host, 9))
    assert isinstance(found, Inet)
    assert (found.plain_host, found.is_loopback, found.is_any) == (plain, loopback, everywhere)


def test_a_notification_and_its_answers() -> None:
    data = struct.pack("=QIIiIQ6Q", 77, 1234, 0, 42, 0xC000003E, 0x1000, 2**64 - 1, 5, 16, 0, 0, 0)
    call = gate_wire.notification(data)
    assert call == Notification(77, 1234, 42, (2**64 - 1, 5, 16, 0, 0, 0))
    assert call.number(0) == -1, "a descriptor is a C int, whatever the rest of the word holds"
    assert Notification(1, 1, 1, (2**32 + 3,)).number(0) == 3
    answer = gate_wire.answer(call, errno.ECONNREFUSED)
    assert struct.unpack("=QqiI", answer) == (77, 0, -errno.ECONNREFUSED, 0)
    assert struct.unpack("=QqiI", gate_wire.go_on(call)) == (77, 0, 0, 1)
    assert struct.unpack("=QIIII", gate_wire.replacement(call, 9, 3, 0o2000000)) == (
        *(77, 1, 9, 3),
        0o2000000,
    )


def test_sockets_that_listen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            with open("/proc/net/tcp") as file:
                found = gate_wire.listening(file.read())
            assert found[os.fstat(server.fileno()).st_ino] == port
            assert list(found.values()).count(port) == 1, "connections are not listeners"
    assert gate_wire.listening("") == {}
