"""The system-call filter of a contained task, as classic BPF.

What it takes away is what escapes the mounts and namespaces around it: looking into other
processes, kernel key rings, io_uring (which does I/O that no filter sees), new namespaces and
mounts, socket families that reach past the network namespace, and typing into the terminal.
In tier B there are no namespaces, so its filter takes more, and hands every connect, bind and
listen to the gate (`gate.py`).
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
_ARG0, _ARG1, _ARG2, _ARG3 = 16, 24, 32, 40

_LD, _AND, _JEQ, _JGE, _JSET, _RET = 0x20, 0x54, 0x15, 0x35, 0x45, 0x06
_ALLOW, _NOTIFY, _KILL, _ERRNO = 0x7FFF0000, 0x7FC00000, 0x80000000, 0x00050000
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

# Tier B. System V objects belong to the account, not to a path that Landlock could tell apart.
_SYSTEM_V = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "semtimedop": (220, 192),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
}
# What the gate answers.
_CONNECT, _BIND, _LISTEN = (42, 203), (49, 200), (50, 201)
_SOCKETPAIR, _SETSOCKOPT = (53, 199), (54, 208)
_SECCOMP, _PRCTL, _PRLIMIT, _TRUNCATE = (317, 277), (157, 167), (302, 261), (76, 45)
# Sending calls, with the place of their flags.
_SENDING = (((44, 206), _ARG3), ((46, 211), _ARG2), ((307, 269), _ARG3))

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. (NEWTIME shares its bit with
# the exit signal of clone; in unshare it needs a capability that nothing in here has.)
_NEW_NAMESPACES = 0x00020000 | 0x02000000 | 0x04000000 | 0x08000000 | 0x70000000
# Makes a sibling instead of a child: a tool's process would look like one the agent started.
_CLONE_PARENT = 0x00008000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0  # interfaces and addresses: getaddrinfo, Go and Node ask for them
_STREAM, _SEQPACKET, _TYPE_MASK = 1, 5, 0xF
_IPPROTO_TCP = 6
_MSG_FASTOPEN = 0x20000000
_NEW_LISTENER = 1 << 3
_PR_SET_DUMPABLE = 4
# (level, option): what sends a connected socket's packets another way, or shares a port with
# another program: IP_OPTIONS (source routes), IPV6_2292RTHDR, IPV6_2292PKTOPTIONS, IPV6_HOPOPTS,
# IPV6_RTHDRDSTOPTS, IPV6_RTHDR, IPV6_DSTOPTS, SO_BINDTODEVICE, SO_BINDTOIFINDEX, SO_REUSEPORT.
_ROUTING = {0: (4,), 41: (5, 6, 54, 55, 57, 59), 1: (25, 62, 15)}

_Instruction = tuple[int, int, int, int]


def _deny(code: int) -> _Instruction:
    return (_RET, 0, 0, _ERRNO | code)


def _common(arch: str) -> list[_Instruction]:
    """What both tiers refuse; falls through with the call's number loaded."""
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
    ]
    return program


def _namespaced(arch: str) -> list[_Instruction]:
    """The program of tier A."""
    return [
        *_common(arch),
        # An allow-list of socket families: a new one in the kernel is not a new way out.
        (_JEQ, 0, 7, _SOCKET[_COLUMN[arch]]),
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


def _gated(arch: str, truncate: bool) -> list[_Instruction]:
    """The program of tier B.

    Only stream sockets exist in it: whatever can name a peer while it sends (datagrams, fast
    open) would pass the gate by. So an address given to sendto(2) means nothing, and netlink
    may have it.
    """
    column = _COLUMN[arch]
    program = _common(arch)
    program += _when(_SOCKET[column], _socket())
    program += _when(_SOCKETPAIR[column], _socketpair())
    for numbers, flags in _SENDING:
        unlike = [(_LD, 0, 0, flags), (_JSET, 0, 1, _MSG_FASTOPEN), _deny(errno.EPERM)]
        program += _when(numbers[column], unlike)
    program += _when(_SETSOCKOPT[column], _setsockopt())
    # A second listener would be asked before the gate. Filters without one only restrict.
    listener = [(_LD, 0, 0, _ARG1), (_JSET, 0, 1, _NEW_LISTENER), _deny(errno.EPERM)]
    program += _when(_SECCOMP[column], listener)
    # The gate reads what a process asks for from its memory, which this would close to us.
    # Programs that do it to protect themselves end when it fails, so it seems to succeed.
    undumpable = [
        (_LD, 0, 0, _ARG0),
        (_JEQ, 0, 3, _PR_SET_DUMPABLE),
        (_LD, 0, 0, _ARG1),
        (_JEQ, 0, 1, 0),
        _deny(0),
    ]
    program += _when(_PRCTL[column], undumpable)
    # Limits of another process of the account: as good as a signal to it.
    program += _when(_PRLIMIT[column], [(_LD, 0, 0, _ARG0), (_JEQ, 1, 0, 0), _deny(errno.EPERM)])
    for numbers in _SYSTEM_V.values():
        program += [(_JEQ, 0, 1, numbers[column]), _deny(errno.ENOSYS)]
    if not truncate:
        program += [(_JEQ, 0, 1, _TRUNCATE[column]), _deny(errno.EPERM)]
    for numbers in (_CONNECT, _BIND, _LISTEN):
        program += [(_JEQ, 0, 1, numbers[column]), (_RET, 0, 0, _NOTIFY)]
    return [*program, (_RET, 0, 0, _ALLOW)]


def _when(number: int, body: list[_Instruction]) -> list[_Instruction]:
    """`body` for one call; what falls out of its end is allowed."""
    return [(_JEQ, 0, len(body) + 1, number), *body, (_RET, 0, 0, _ALLOW)]


def _socket() -> list[_Instruction]:
    return [
        (_LD, 0, 0, _ARG0),
        (_JEQ, 5, 0, _AF_UNIX),
        (_JEQ, 8, 0, _AF_INET),
        (_JEQ, 7, 0, _AF_INET6),
        (_JEQ, 0, 14, _AF_NETLINK),
        (_LD, 0, 0, _ARG2),
        (_JEQ, 13, 12, _NETLINK_ROUTE),
        (_LD, 0, 0, _ARG1),  # AF_UNIX
        (_AND, 0, 0, _TYPE_MASK),
        (_JEQ, 10, 0, _STREAM),
        (_JEQ, 9, 7, _SEQPACKET),
        (_LD, 0, 0, _ARG1),  # AF_INET, AF_INET6
        (_AND, 0, 0, _TYPE_MASK),
        (_JEQ, 0, 4, _STREAM),
        (_LD, 0, 0, _ARG2),
        (_JEQ, 4, 0, 0),
        (_JEQ, 3, 0, _IPPROTO_TCP),
        _deny(errno.EPROTONOSUPPORT),
        _deny(errno.ESOCKTNOSUPPORT),
        _deny(errno.EAFNOSUPPORT),
    ]


def _socketpair() -> list[_Instruction]:
    return [
        (_LD, 0, 0, _ARG0),
        (_JEQ, 0, 4, _AF_UNIX),
        (_LD, 0, 0, _ARG1),
        (_AND, 0, 0, _TYPE_MASK),
        (_JEQ, 2, 0, _STREAM),
        (_JEQ, 1, 0, _SEQPACKET),
        _deny(errno.ESOCKTNOSUPPORT),
    ]


def _setsockopt() -> list[_Instruction]:
    body: list[_Instruction] = []
    for level, options in _ROUTING.items():
        checks: list[_Instruction] = [(_LD, 0, 0, _ARG2)]
        for option in options:
            checks += [(_JEQ, 0, 1, option), _deny(errno.ENOPROTOOPT)]
        body += [(_LD, 0, 0, _ARG1), (_JEQ, 0, len(checks), level), *checks]
    return body


@cache
def filter_bytes(arch: str = "") -> bytes:
    """Tier A's filter as an array of `struct sock_filter`, for `arch` ("": this machine's).

    Raises:
        LaunchFailed: there is no filter for this architecture.
    """
    return _assembled(_namespaced(_known(arch)))


@cache
def gate_filter_bytes(arch: str = "", *, truncate: bool = True) -> bytes:
    """Tier B's filter, as `filter_bytes`; to be installed with a listener.

    `truncate`: whether Landlock controls truncate(2) here (ABI 3); if not, nobody may call it.

    Raises:
        LaunchFailed: there is no filter for this architecture.
    """
    return _assembled(_gated(_known(arch), truncate))


def call_names(arch: str = "") -> dict[int, str]:
    """The calls that tier B's filter hands to the gate: number → name."""
    column = _COLUMN[_known(arch)]
    return {_CONNECT[column]: "connect", _BIND[column]: "bind", _LISTEN[column]: "listen"}


def _known(arch: str) -> str:
    arch = arch or platform.machine()
    if arch not in _AUDIT_ARCH:
        raise LaunchFailed(
            f"There is no system-call filter for {arch}.",
            hint="Containment works on x86_64 and aarch64.",
        )
    return arch


def _assembled(program: list[_Instruction]) -> bytes:
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
