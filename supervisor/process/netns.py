"""The netns listener: TCP listeners of ours that live inside a task's network namespace.

The task has a network of its own that holds only these listeners, so a connection on one comes
from that task and from nowhere else; nothing in between carries bytes. The netlink socket made
there answers which socket is at a connection's other end (sock_diag(7)).
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Sequence

from supervisor.process import linux

_SIOCSIFFLAGS = 0x8914
_IFF_UP_RUNNING = 0x1 | 0x40
_NETLINK_SOCK_DIAG = 4
_BACKLOG = 512


def enter() -> None:
    """Move this process into a fresh network namespace with its loopback up.

    An unprivileged account needs a user namespace for that (it keeps its own ids in it); root
    does without where it may, since a container's root often may not.

    Raises:
        OSError: the kernel or its policy does not let us.
    """
    if os.geteuid() == 0:
        try:
            linux.unshare(linux.CLONE_NEWNET)
        except PermissionError:
            _enter_with_user_namespace()
    else:
        _enter_with_user_namespace()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP_RUNNING))


def _enter_with_user_namespace() -> None:
    uid, gid = os.geteuid(), os.getegid()
    # A process that is not dumpable does not own its own /proc files, the id maps among them.
    linux.prctl(linux.PR_SET_DUMPABLE, 1)
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    linux.prctl(linux.PR_SET_DUMPABLE, 0)


def listen(ports: Sequence[int]) -> tuple[list[socket.socket], socket.socket]:
    """One TCP listener on 127.0.0.1 per wanted port (0: any), and one sock_diag netlink socket.

    They belong to the network namespace of the calling process for good.
    """
    listeners = []
    for port in ports:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(_BACKLOG)
        listeners.append(listener)
    diag = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG)
    diag.bind((0, 0))
    return listeners, diag
