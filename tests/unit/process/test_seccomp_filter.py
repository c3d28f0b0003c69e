"""The filter as the kernel would run it: a small interpreter of classic BPF decides each call."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import LaunchFailed
from supervisor.process.seccomp import call_names, filter_bytes, gate_filter_bytes

ALLOW, KILL, GATE = "allow", "kill", "gate"
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
CLONE_NEWUSER, SIGCHLD = 0x10000000, 17


def judge(
    arch: str, number: int, *arguments: int, audit: int = 0, program_bytes: bytes = b""
) -> str | int:
    """What the filter says to one system call: allow, kill, an errno, or that the gate answers."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, audit or ARCH[arch], 0, *padded)
    program = list(struct.iter_unpack("=HBBI", program_bytes or filter_bytes(arch)))
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, constant)[0]
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x15:
            at += if_true if accumulator == constant else if_false
        elif code == 0x35:
            at += if_true if accumulator >= constant else if_false
        elif code == 0x45:
            at += if_true if accumulator & constant else if_false
        elif code == 0x06:
            if constant == 0x7FFF0000:
                return ALLOW
            if constant == 0x7FC00000:
                return GATE
            return KILL if constant == 0x80000000 else constant & 0xFFFF
        else:
            raise AssertionError(f"unknown instruction {code:#x}")


# number on x86_64, on aarch64
READ, CLONE, UNSHARE, IOCTL, SOCKET = (0, 63), (56, 220), (272, 97), (16, 29), (41, 198)
PTRACE, KEYCTL, BPF, MOUNT, SETNS = (101, 117), (250, 219), (321, 280), (165, 40), (308, 268)


@pytest.mark.parametrize(("column", "arch"), list(enumerate(ARCH)))
class TestFilter:
    def test_ordinary_calls_pass(self, column: int, arch: str) -> None:
        assert judge(arch, READ[column]) == ALLOW
        assert judge(arch, IOCTL[column], 0, 0x5401) == ALLOW
        assert judge(arch, CLONE[column], SIGCHLD) == ALLOW
        assert judge(arch, CLONE[column], 0x003D0F00) == ALLOW, "pthread_create"

    def test_a_tool_cannot_become_a_child_of_the_agent(self, column: int, arch: str) -> None:
        assert judge(arch, CLONE[column], 0x8000 | SIGCHLD) == errno.EPERM, "CLONE_PARENT"

    @pytest.mark.parametrize("call", [PTRACE, KEYCTL, BPF, MOUNT, SETNS, (438, 438)])
    def test_calls_that_escape_are_denied(
        self, column: int, arch: str, call: tuple[int, int]
    ) -> None:
        assert judge(arch, call[column]) == errno.EPERM

    @pytest.mark.parametrize("number", [425, 426, 427, 435])
    def test_calls_with_a_fallback_do_not_exist(self, column: int, arch: str, number: int) -> None:
        assert judge(arch, number) == errno.ENOSYS

    def test_foreign_architectures_are_killed(self, column: int, arch: str) -> None:
        assert judge(arch, READ[column], audit=I386) == KILL

    def test_no_new_namespaces(self, column: int, arch: str) -> None:
        assert judge(arch, UNSHARE[column], CLONE_NEWUSER) == errno.EPERM
        assert judge(arch, CLONE[column], CLONE_NEWUSER | SIGCHLD) == errno.EPERM
        assert judge(arch, UNSHARE[column], 0x400) == ALLOW, "CLONE_FILES"

    def test_no_typing_into_the_terminal(self, column: int, arch: str) -> None:
        for request in (0x5412, 0x541C):
            assert judge(arch, IOCTL[column], 0, request) == errno.EPERM
            assert judge(arch, IOCTL[column], 0, request | 7 << 32) == errno.EPERM

    @given(family=st.integers(0, 2**32 - 1), protocol=st.integers(0, 300))
    def test_socket_families(self, column: int, arch: str, family: int, protocol: int) -> None:
        allowed = family in (1, 2, 10) or (family == 16 and protocol == 0)
        expected = ALLOW if allowed else errno.EAFNOSUPPORT
        assert judge(arch, SOCKET[column], family, 1, protocol) == expected

    def test_netlink_route_only(self, column: int, arch: str) -> None:
        assert judge(arch, SOCKET[column], 16, 3, 0) == ALLOW
        assert judge(arch, SOCKET[column], 16, 3, 4) == errno.EAFNOSUPPORT, "sock_diag"


@given(st.integers(0x40000000, 0x7FFFFFFF))
def test_x32_calls_do_not_exist(number: int) -> None:
    assert judge("x86_64", number) == errno.ENOSYS


def test_unknown_architecture_is_one_clear_sentence() -> None:
    with pytest.raises(LaunchFailed, match="no system-call filter for m68k"):
        filter_bytes("m68k")


UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
STREAM, DGRAM, RAW, SEQPACKET = 1, 2, 3, 5
NONBLOCK_CLOEXEC = 0o2004000
CONNECT, BIND, LISTEN, SOCKETPAIR = (42, 203), (49, 200), (50, 201), (53, 199)
SENDTO, SENDMSG, SENDMMSG = (44, 206), (46, 211), (307, 269)
SETSOCKOPT, PRCTL, PRLIMIT, SECCOMP = (54, 208), (157, 167), (302, 261), (317, 277)
SHMGET, SHMAT, TRUNCATE = (29, 194), (30, 196), (76, 45)
FASTOPEN = 0x20000000


def gated(arch: str, call: tuple[int, int], *arguments: int, truncate: bool = True) -> str | int:
    """What tier B's filter says."""
    program = gate_filter_bytes(arch, truncate=truncate)
    return judge(arch, call[list(ARCH).index(arch)], *arguments, program_bytes=program)


@pytest.mark.parametrize("arch", list(ARCH))
class TestGatedFilter:
    def test_everything_that_tier_a_refuses_is_refused(self, arch: str) -> None:
        program, shared = gate_filter_bytes(arch), 0
        for number in range(480):
            said = judge(arch, number)
            if said != ALLOW and number != SOCKET[list(ARCH).index(arch)]:
                assert judge(arch, number, program_bytes=program) == said
                shared += 1
        assert shared > 30
        assert judge(arch, 0, audit=I386, program_bytes=program) == KILL
        assert gated(arch, IOCTL, 0, 0x5412) == errno.EPERM
        assert gated(arch, CLONE, CLONE_NEWUSER | SIGCHLD) == errno.EPERM

    def test_the_gate_is_asked_about_three_calls(self, arch: str) -> None:
        assert [gated(arch, call, 3) for call in (CONNECT, BIND, LISTEN)] == [GATE] * 3
        column = list(ARCH).index(arch)
        assert call_names(arch) == {
            CONNECT[column]: "connect",
            BIND[column]: "bind",
            LISTEN[column]: "listen",
        }

    @given(
        family=st.sampled_from([0, UNIX, INET, INET6, NETLINK, 17, 30, 38, 40, 44])
        | st.integers(0),
        kind=st.integers(0, 15),
        flags=st.sampled_from([0, NONBLOCK_CLOEXEC]),
        protocol=st.sampled_from([0, 1, 4, 6, 17, 132, 262]),
    )
    def test_only_streams_and_routes(
        self, arch: str, family: int, kind: int, flags: int, protocol: int
    ) -> None:
        family &= 0xFFFFFFFF
        allowed = (
            (family == UNIX and kind in (STREAM, SEQPACKET))
            or (family in (INET, INET6) and kind == STREAM and protocol in (0, 6))
            or (family == NETLINK and protocol == 0)
        )
        said = gated(arch, SOCKET, family, kind | flags, protocol)
        assert (said == ALLOW) is allowed
        if not allowed:
            assert said in (errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EPROTONOSUPPORT)

    def test_pairs_of_datagram_sockets_could_be_pointed_elsewhere(self, arch: str) -> None:
        assert gated(arch, SOCKETPAIR, UNIX, STREAM | NONBLOCK_CLOEXEC) == ALLOW
        assert gated(arch, SOCKETPAIR, UNIX, SEQPACKET) == ALLOW
        assert gated(arch, SOCKETPAIR, UNIX, DGRAM) == errno.ESOCKTNOSUPPORT
        assert gated(arch, SOCKETPAIR, 30, STREAM) == errno.ESOCKTNOSUPPORT, "TIPC"

    def test_nothing_connects_while_it_sends(self, arch: str) -> None:
        for call, before in ((SENDTO, 3), (SENDMSG, 2), (SENDMMSG, 3)):
            assert gated(arch, call, *[0] * before, 0x4000) == ALLOW, "MSG_NOSIGNAL"
            assert gated(arch, call, *[0] * before, FASTOPEN | 0x4000) == errno.EPERM

    def test_packets_of_a_connected_socket_keep_their_way(self, arch: str) -> None:
        for level, option in ((0, 4), (41, 57), (41, 5), (1, 25), (1, 62), (1, 15)):
            assert gated(arch, SETSOCKOPT, 3, level, option) == errno.ENOPROTOOPT
        for level, option in ((6, 1), (1, 2), (1, 9), (41, 26), (0, 1)):
            assert gated(arch, SETSOCKOPT, 3, level, option) == ALLOW

    def test_no_listener_before_the_gate_but_filters_that_only_restrict(self, arch: str) -> None:
        assert gated(arch, SECCOMP, 1, 8) == errno.EPERM
        assert gated(arch, SECCOMP, 1, 0) == ALLOW

    def test_a_process_stays_readable_for_the_gate_and_believes_that_it_is_not(
        self, arch: str
    ) -> None:
        assert gated(arch, PRCTL, 4, 0) == 0
        assert gated(arch, PRCTL, 4, 1) == ALLOW
        assert gated(arch, PRCTL, 38, 1) == ALLOW

    def test_other_processes_limits_and_shared_memory_by_number(self, arch: str) -> None:
        assert gated(arch, PRLIMIT, 0, 7) == ALLOW
        assert gated(arch, PRLIMIT, 4711, 0) == errno.EPERM
        assert gated(arch, SHMGET) == errno.ENOSYS
        assert gated(arch, SHMAT) == errno.ENOSYS

    def test_truncating_by_path_where_landlock_does_not_control_it(self, arch: str) -> None:
        assert gated(arch, TRUNCATE) == ALLOW
        assert gated(arch, TRUNCATE, truncate=False) == errno.EPERM
