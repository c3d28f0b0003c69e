"""The filter as the kernel would run it: a small interpreter of classic BPF decides each call."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import LaunchFailed
from supervisor.process.seccomp import filter_bytes

ALLOW, KILL = "allow", "kill"
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
I386 = 0x40000003
CLONE_NEWUSER, SIGCHLD = 0x10000000, 17


def judge(arch: str, number: int, *arguments: int, audit: int = 0) -> str | int:
    """What the filter says to one system call: allow, kill, or an errno."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<iIQ6Q", number, audit or ARCH[arch], 0, *padded)
    program = list(struct.iter_unpack("=HBBI", filter_bytes(arch)))
    at, accumulator = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, constant)[0]
        elif code == 0x15:
            at += if_true if accumulator == constant else if_false
        elif code == 0x35:
            at += if_true if accumulator >= constant else if_false
        elif code == 0x45:
            at += if_true if accumulator & constant else if_false
        elif code == 0x06:
            if constant == 0x7FFF0000:
                return ALLOW
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
