"""What a process of the task that waits for an answer holds: its memory, descriptors, paths.

All of it needs the right to trace the process, which the account has over its own processes while
they are dumpable, and which Landlock takes from the processes in its domain only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
from collections.abc import Iterator

from supervisor.process import linux


def memory(thread: int, address: int, length: int) -> bytes:
    """Exactly `length` bytes at `address`.

    Raises:
        OSError, OverflowError, ValueError: they cannot be read, or not all of them are there.
    """
    fd = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(fd, length, address)
    finally:
        os.close(fd)
    if len(data) != length:
        raise ValueError("not all of it is there")
    return data


def descriptor_flags(thread: int, descriptor: int) -> int:
    """O_NONBLOCK, O_CLOEXEC and the rest of one of its descriptors (proc(5), fdinfo)."""
    try:
        with open(f"/proc/{thread}/fdinfo/{descriptor}", "rb") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from None
    return next(int(line[6:], 8) for line in lines if line.startswith(b"flags:"))


def opened(thread: int, path: bytes) -> int:
    """An O_PATH descriptor of what it means by `path`, links followed."""
    flags = os.O_PATH | os.O_CLOEXEC
    directory = os.open(f"/proc/{thread}/cwd", flags)
    try:
        return os.open(path, flags, dir_fd=directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def taken(thread: int, descriptor: int) -> Iterator[socket.socket]:
    """The very socket that it has as `descriptor`, for as long as the block lasts."""
    process = os.pidfd_open(_leader(thread))
    try:
        fd = linux.pidfd_getfd(process, descriptor)
    finally:
        os.close(process)
    try:
        found = socket.socket(fileno=fd)
    except OSError:  # not a socket
        os.close(fd)
        raise
    with found:
        yield found


def _leader(thread: int) -> int:
    """The process it is a thread of: only processes have a pidfd."""
    with open(f"/proc/{thread}/status", "rb") as file:
        return next(int(line[5:]) for line in file if line.startswith(b"Tgid:"))


def peer_pid(connection: socket.socket) -> int:
    """Pid of the process that listens at the other end of a unix socket."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("3i", raw)[0])
