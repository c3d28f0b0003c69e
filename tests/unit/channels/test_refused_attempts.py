"""What the kernel's refusals in a task's network tell, and how many of them go on record."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.channels.network.packets import is_loopback, refused
from supervisor.channels.network.tally import Tally
from supervisor.ports import Attempt

# As Linux 6.18 sent them in a network where every address is local.
RESET = "450000280000400040067ecc5d0101015d0101011538c0d200000000ce28c1ca501400008dce0000"
RESET_6 = (
    "600257ff0014064020010db80000000000000000000000010000000000000000000000000000000101bbe98c0000"
    "0000ef00fc4a501400002dd50000"
)
UNREACHABLE = (
    "45c0003d0c50000040014d9108080808080808080303fd3f000000004500002166ed40004011b3bf080808080808"
    "08089b6a0035000d203e68656c6c6f"
)
UNREACHABLE_6 = (
    "600dbab6003d3a40000000000000000000000000000000010000000000000000000000000000000101040eea0000"
    "0000600d4b82000d11400000000000000000000000000000000120010db8000000000000000000000001931300350"
    "00d2dd968656c6c6f"
)
UDPLITE = (
    "45c0003da77c00004001ae600909090909090909030321b600000000450000213b0b40004088db26090909090909"
    "090984aa0035000d128868656c6c6f"
)
MULTICAST = "450000217d50400001111c77ef010101ef010101e7e30035000de02368656c6c6f"
MULTICAST_6 = (
    "600c798d000d110100000000000000000000000000000001ff020000000000000000000000000001bab30035000d"
    "ff2268656c6c6f"
)


@pytest.mark.parametrize(
    ("packet", "attempt"),
    [
        (RESET, Attempt("tcp", "93.1.1.1", 5432)),
        (RESET_6, Attempt("tcp", "2001:db8::1", 443)),
        (UNREACHABLE, Attempt("udp", "8.8.8.8", 53)),
        (UNREACHABLE_6, Attempt("udp", "2001:db8::1", 53)),
        (UDPLITE, Attempt("136", "9.9.9.9", 53)),
        (MULTICAST, Attempt("udp", "239.1.1.1", 53)),
        (MULTICAST_6, Attempt("udp", "ff02::1", 53)),
    ],
)
def test_a_refusal_names_where_it_was_to_go(packet: str, attempt: Attempt) -> None:
    assert refused(bytes.fromhex(packet)) == attempt


@given(st.binary(max_size=120))
def test_any_packet_is_read_or_passed_over(packet: bytes) -> None:
    attempt = refused(packet)
    assert attempt is None or 0 <= attempt.port < 65536


@given(st.integers(0, 61))
def test_a_packet_cut_short_is_passed_over_or_read_as_far_as_it_goes(length: int) -> None:
    attempt = refused(bytes.fromhex(UNREACHABLE)[:length])
    assert attempt is None or attempt.address == "8.8.8.8"


def test_loopback_is_told_from_elsewhere() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.9.9.9")
    assert is_loopback("::1")
    assert not is_loopback("198.18.0.1")


def tcp(port: int) -> Attempt:
    return Attempt("tcp", "93.184.216.34", port)


def test_the_first_attempt_is_told_at_once_and_repeats_are_summed_up() -> None:
    tally = Tally()
    assert tally.add(tcp(22), 0.0) == (True, True)
    for _ in range(500):
        assert tally.add(tcp(22), 1.0) == (False, False)
    assert tally.summary() == [(tcp(22), 500)]
    assert tally.summary() == []


def test_a_scan_of_all_ports_leaves_few_records_that_hold_every_attempt() -> None:
    tally = Tally()
    at_once = sum(tally.add(tcp(port), port / 10_000)[0] for port in range(1, 65536))
    summary = tally.summary()
    assert at_once + len(summary) < 60
    assert at_once + sum(times for _, times in summary) == 65535
    assert summary[-1][0].name == "further targets"


def test_a_scan_is_told_from_a_program_that_tries_a_few_hosts() -> None:
    tally = Tally()
    for port in (22, 80, 443):
        tally.add(tcp(port), 5.0)
    assert not tally.scanning(5.1)
    tally.add(tcp(8080), 5.2)
    assert tally.scanning(5.3)
    assert not tally.scanning(9.0)


def test_what_the_kernel_dropped_is_in_the_summary() -> None:
    tally = Tally()
    tally.lost(1000)
    [(attempt, times)] = tally.summary()
    assert (attempt.name, times) == ("further targets", 1000)
