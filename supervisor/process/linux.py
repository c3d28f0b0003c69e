"""The few system calls Python has no name for.

By ctypes: each is one line of C, and no kept library has them all (landlock(7), seccomp(2) with a
listener, the mount calls that take descriptors).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Any, NoReturn

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


def syscall(name: str, number: int, *arguments: int | bytes | ctypes.Structure | None) -> int:
    """A system call by its number (syscall(2)); bytes, structures and None are pointers.

    Raises:
        OSError: it failed; `name` is in the message.
    """
    # Whole words: an int would leave what lies beside it on the stack in the argument.
    words = [ctypes.c_long(a) if isinstance(a, int) else _pointer(a) for a in arguments]
    found = int(_libc.syscall(ctypes.c_long(number), *words))
    if found < 0:
        _fail(name)
    return found


def _pointer(value: bytes | ctypes.Structure | None) -> Any:
    return ctypes.byref(value) if isinstance(value, ctypes.Structure) else value


def prctl(option: int, value: int) -> None:
    """prctl(2) with one argument. Raises OSError."""
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        _fail("prctl")


def unshare(flags: int) -> None:
    """unshare(2). Raises OSError."""
    if _libc.unshare(flags) != 0:
        _fail("unshare")


# Numbers that x86_64 and aarch64 share.
_OPEN_TREE, _MOVE_MOUNT, _OPENAT2, _PIDFD_GETFD, _MOUNT_SETATTR = 428, 429, 437, 438, 442

MS_NOSUID, MS_NODEV, MS_REC = 0x2, 0x4, 0x4000
MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 18, 1 << 19, 1 << 20
MOUNT_ATTR_RDONLY, MOUNT_ATTR_NOSUID, MOUNT_ATTR_NODEV = 0x1, 0x2, 0x4
MNT_DETACH = 0x2
RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS = 0x2, 0x4
RESOLVE_BENEATH, RESOLVE_IN_ROOT = 0x8, 0x10
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE, _MOVE_FROM_EMPTY, _MOVE_TO_EMPTY = 0x1, 0x4, 0x40


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2); "" stands for NULL. Raises OSError."""
    words = [os.fsencode(word) or None for word in (source, target, kind)]
    options = data.encode() or None
    if _libc.mount(*words, ctypes.c_ulong(flags), options) != 0:
        _fail("mount")


def unmount(target: str, flags: int) -> None:
    """umount2(2). Raises OSError."""
    if _libc.umount2(os.fsencode(target), flags) != 0:
        _fail("umount")


def setns(descriptor: int, kind: int) -> None:
    """setns(2). Raises OSError."""
    if _libc.setns(descriptor, kind) != 0:
        _fail("setns")


def openat2(directory: int, path: str, flags: int, resolve: int, mode: int = 0) -> int:
    """openat2(2), close-on-exec. Raises OSError, ELOOP or EXDEV where `resolve` forbids the way."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, resolve)
    size = ctypes.sizeof(how)
    return syscall("openat2", _OPENAT2, directory, os.fsencode(path), how, size)


def pidfd_getfd(process: int, descriptor: int) -> int:
    """pidfd_getfd(2): a descriptor of another process, close-on-exec. Raises OSError."""
    return syscall("pidfd_getfd", _PIDFD_GETFD, process, descriptor, 0)


def clone_mount(directory: int, attributes: int, propagation: int = 0) -> int:
    """What `directory` shows, as a mount that is nowhere yet, with these attributes.

    open_tree(2) and mount_setattr(2). Raises OSError.
    """
    cloned = _OPEN_TREE_CLONE | _AT_EMPTY_PATH | os.O_CLOEXEC
    made = syscall("open_tree", _OPEN_TREE, directory, b"", cloned)
    wanted = _MountAttr(attributes, 0, propagation, 0)
    size = ctypes.sizeof(wanted)
    try:
        syscall("mount_setattr", _MOUNT_SETATTR, made, b"", _AT_EMPTY_PATH, wanted, size)
    except OSError:
        os.close(made)
        raise
    return made


def attach_mount(mounted: int, target: int) -> None:
    """Put a mount that `clone_mount` made on top of what `target` names. Raises OSError."""
    flags = _MOVE_FROM_EMPTY | _MOVE_TO_EMPTY
    syscall("move_mount", _MOVE_MOUNT, mounted, b"", target, b"", flags)


_IN_MODIFY = 0x2


def inotify(paths: Iterable[str]) -> int:
    """A descriptor that is readable when one of these files has changed (inotify(7)).

    Raises OSError.
    """
    made: int = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    if made < 0:
        _fail("inotify_init1")
    for path in paths:
        if _libc.inotify_add_watch(made, os.fsencode(path), _IN_MODIFY) < 0:
            os.close(made)
            _fail("inotify_add_watch")
    return made


def _fail(call: str) -> NoReturn:
    code = ctypes.get_errno()
    raise OSError(code, f"{call}: {os.strerror(code)}")
