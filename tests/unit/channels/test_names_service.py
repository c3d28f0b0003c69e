"""The name service of a contained task: what it answers, refuses and drops."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.channels.network.dns import answer
from supervisor.channels.network.names import Names, stands_for_a_name

A, TXT, PTR, AAAA, HTTPS, ANY = 1, 16, 12, 28, 65, 255
TASK = "t-nametest00"


def question(name: str, kind: int = A, *, network: int = 1, flags: int = 0x0100) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return (
        struct.pack("!6H", 0x1234, flags, 1, 0, 0, 0)
        + labels
        + struct.pack("!BHH", 0, kind, network)
    )


def told(query: bytes, names: Names) -> tuple[int, bytes]:
    """(response code, data of the one record or b"")."""
    reply = answer(query, names)
    assert reply is not None
    ident, flags, questions, answers, *_ = struct.unpack_from("!6H", reply)
    assert ident == struct.unpack_from("!H", query)[0]
    assert flags & 0x8000
    assert questions == 1
    assert reply[12 : len(query)] == query[12:]
    if not answers:
        assert len(reply) == len(query)
        return flags & 15, b""
    pointer, _, _, _, length = struct.unpack_from("!HHHIH", reply, len(query))
    assert pointer == 0xC00C
    data = reply[len(query) + 12 :]
    assert len(data) == length
    return flags & 15, data


def test_a_name_gets_an_address_that_no_network_has() -> None:
    names = Names(TASK)
    code, data = told(question("Packages.Example.ORG"), names)
    address = str(ipaddress.ip_address(data))
    assert code == 0
    assert stands_for_a_name(address)
    assert names.name(address) == "packages.example.org"
    assert told(question("packages.example.org"), names) == (0, data)


def test_a_restarted_supervisor_gives_the_same_address_and_another_task_another() -> None:
    name = "db.example"
    assert Names(TASK).address(name) == Names(TASK).address(name) != Names("t-other").address(name)


def test_every_name_has_an_address_of_its_own() -> None:
    names = Names(TASK)
    addresses = {names.address(f"host-{number}.example") for number in range(4096)}
    assert len(addresses) == 4096
    assert names.address("one-more.example") == ""
    assert told(question("one-more.example"), names) == (2, b"")
    assert names.address("host-7.example") in addresses


@pytest.mark.parametrize("kind", [AAAA, HTTPS])
def test_programs_go_on_with_the_first_kind_of_address(kind: int) -> None:
    assert told(question("db.example", kind), Names(TASK)) == (0, b"")


def test_localhost_is_the_tasks_own() -> None:
    names = Names(TASK)
    assert told(question("localhost"), names) == (0, bytes([127, 0, 0, 1]))
    assert told(question("app.localhost"), names) == (0, bytes([127, 0, 0, 1]))
    assert told(question("localhost", AAAA), names) == (0, bytes(15) + b"\1")


def test_an_address_tells_the_name_it_stands_for_and_no_other_does() -> None:
    names = Names(TASK)
    address = names.address("db.example")
    reverse = ".".join(reversed(address.split("."))) + ".in-addr.arpa"
    assert told(question(reverse, PTR), names) == (0, b"\2db\7example\0")
    assert told(question("8.8.8.8.in-addr.arpa", PTR), names) == (3, b"")


@pytest.mark.parametrize("kind", [TXT, ANY, 2, 15, 33, 257])
def test_kinds_that_could_carry_more_are_refused(kind: int) -> None:
    assert told(question("db.example", kind), Names(TASK)) == (5, b"")


def test_another_class_is_refused() -> None:
    assert told(question("version.bind", TXT, network=3), Names(TASK)) == (5, b"")


@pytest.mark.parametrize(
    "query",
    [
        b"",
        question("db.example")[:11],
        question("db.example")[:-1],
        question("db.example", flags=0x8100),  # an answer
        question("db.example", flags=0x2900),  # a change (RFC 2136)
        struct.pack("!6H", 1, 0x100, 2, 0, 0, 0) + question("a.example")[12:] * 2,
        struct.pack("!6H", 1, 0x100, 0, 0, 0, 0),
        struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",  # a name that is itself
        struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\0\0\1\0\1",  # the root
        struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + b"\4a\n.b\0\0\1\0\1",
        question(".".join(["a" * 63] * 5)),
    ],
)
def test_what_is_no_single_question_is_dropped(query: bytes) -> None:
    assert answer(query, Names(TASK)) is None


@given(st.binary(max_size=600))
def test_any_bytes_are_answered_or_dropped(data: bytes) -> None:
    reply = answer(data, Names(TASK))
    assert reply is None or reply[:2] == data[:2]


@given(st.binary(max_size=64))
def test_any_question_is_answered_or_dropped(data: bytes) -> None:
    header = struct.pack("!6H", 7, 0x0100, 1, 0, 0, 1)
    reply = answer(header + data, Names(TASK))
    assert reply is None or reply[:2] == b"\0\7"
