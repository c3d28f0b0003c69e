"""The system-call filter of a contained task, as classic BPF for `bwrap --seccomp`.

What it takes away is what escapes the mounts and namespaces around it: looking into other
processes, kernel key rings, io_uring (which does I/O that no filter sees), new namespaces and
mounts, socket families that reach past the network namespace, and typing into the terminal.
Assembled here because the whole program is small and a wheel of libseccomp does not exist.

Sources: seccomp(2); linux/filter.h; linux/audit.h; syscall tables of x86_64 and aarch64.
"""

from __future__ import annotations

import errno
import platform
import struct
from functools import cache

from supervisor.errors import LaunchFailed

# Offsets in struct seccomp_data; both architectures are little-endian, so the low word of an
# argument comes first. The kernel reads only that word of the arguments looked at here.
_NR, _ARCH = 0, 4
_ARG0, _ARG1, _ARG2 = 16, 24, 32

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_X32_BIT = 0x40000000

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_COLUMN = {"x86_64": 0, "aarch64": 1}

# Denied whatever their arguments: name → number on (x86_64, aarch64), -1 where it has none.
_DENIED = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "pidfd_getfd": (438, 438),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "setns": (308, 268),
    "open_by_handle_at": (304, 265),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "iopl": (172, -1),
    "ioperm": (173, -1),
}

# Answered with "no such system call", so that programs fall back: runtimes try io_uring first,
# and glibc falls back from clone3 (whose flags lie in memory, where no filter can look) to clone.
_ABSENT = {
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "clone3": (435, 435),
}

_CLONE, _UNSHARE, _IOCTL, _SOCKET = (56, 220), (272, 97), (16, 29), (41, 198)

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. (NEWTIME shares its bit with
# the exit signal of clone; in unshare it needs a capability that nothing in here has.)
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x70000000
# Makes a sibling instead of a child: a tool's process would look like one the agent started.
_CLONE_PARENT = 0x00008000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0  # interfaces and addresses: getaddrinfo, Go and Node ask for them

_Instruction = tuple[int, int, int, int]


def _deny(code: int) -> _Instruction:
    return (_RET, 0, 0, _ERRNO | code)


def _program(arch: str) -> list[_Instruction]:
    column = _COLUMN[arch]
    program: list[_Instruction] = [
        (_LD, 0, 0, _ARCH),
        (_JEQ, 1, 0, _AUDIT_ARCH[arch]),
        (_RET, 0, 0, _KILL),  # 32-bit calls have other numbers: none is let through
        (_LD, 0, 0, _NR),
    ]
    if arch == "x86_64":
        program += [(_JGE, 0, 1, _X32_BIT), _deny(errno.ENOSYS)]
    for numbers in _ABSENT.values():
        program += [(_JEQ, 0, 1, numbers[column]), _deny(errno.ENOSYS)]
    for numbers in _DENIED.values():
        if numbers[column] >= 0:
            program += [(_JEQ, 0, 1, numbers[column]), _deny(errno.EPERM)]
    for numbers, flags in ((_CLONE, _NEW_NAMESPACES | _CLONE_PARENT), (_UNSHARE, _NEW_NAMESPACES)):
        program += [
            (_JEQ, 0, 4, numbers[column]),
            (_LD, 0, 0, _ARG0),
            (_JSET, 0, 1, flags),
            _deny(errno.EPERM),
            (_RET, 0, 0, _ALLOW),
        ]
    program += [
        (_JEQ, 0, 5, _IOCTL[column]),
        (_LD, 0, 0, _ARG1),
        (_JEQ, 1, 0, _TIOCSTI),
        (_JEQ, 0, 1, _TIOCLINUX),
        _deny(errno.EPERM),
        (_RET, 0, 0, _ALLOW),
        # An allow-list of socket families: a new one in the kernel is not a new way out.
        (_JEQ, 0, 7, _SOCKET[column]),
        (_LD, 0, 0, _ARG0),
        (_JEQ, 5, 0, _AF_UNIX),
        (_JEQ, 4, 0, _AF_INET),
        (_JEQ, 3, 0, _AF_INET6),
        (_JEQ, 0, 3, _AF_NETLINK),
        (_LD, 0, 0, _ARG2),
        (_JEQ, 0, 1, _NETLINK_ROUTE),
        (_RET, 0, 0, _ALLOW),
        _deny(errno.EAFNOSUPPORT),
    ]
    return program


@cache
def filter_bytes(arch: str = "") -> bytes:
    """The filter as an array of `struct sock_filter`, for `arch` ("": this machine's).

    Raises:
        LaunchFailed: there is no filter for this architecture.
    """
    arch = arch or platform.machine()
    if arch not in _AUDIT_ARCH:
        raise LaunchFailed(
            f"There is no system-call filter for {arch}.",
            hint="Containment works on x86_64 and aarch64.",
        )
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in _program(arch))
