"""A process in a network of its own, made before anybody asks for one.

To fork and to make a network takes the kernel milliseconds, and many of them while it takes
another one down: a start need not wait for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supervisor.process import linux, netns

_GIVEN = b"W"
_DESCRIPTORS = 3  # the order itself, and two that go with it

GoOn = Callable[[bytes, list[int], socket.socket], None]


@dataclass(frozen=True, slots=True)
class Apart:
    """This side of it. `control`: SOCK_SEQPACKET; what is said on it after `give` is not ours."""

    pid: int
    control: socket.socket

    @classmethod
    def made(cls, go_on: GoOn) -> Apart:
        """Fork it. It ends with this process, and by itself once nobody holds `control`.

        Args:
            go_on: called in it with what `give` was given, and the other end of `control`.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            # Where no network is to be had it ends without a word: who asks for one tries again.
            with contextlib.suppress(BaseException):
                ours.close()
                _wait(theirs, go_on)
            os._exit(125)
        theirs.close()
        return cls(pid, ours)

    def give(self, order: bytes, descriptors: Sequence[int]) -> bool:
        """Let it go on with this; False when it has ended meanwhile. At most two descriptors."""
        file = memory("order", order)
        try:
            socket.send_fds(self.control, [_GIVEN], [file, *descriptors])
        except OSError:
            return False
        finally:
            os.close(file)
        return True


def enter(*, contained: bool) -> None:
    """What every launcher does first. Raises OSError: no network of its own is to be had."""
    # The agent never outlives its holder: without one nothing supervises it.
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if contained:
        netns.enter()


def _wait(control: socket.socket, go_on: GoOn) -> None:
    enter(contained=True)
    data, fds, _, _ = socket.recv_fds(control, len(_GIVEN), _DESCRIPTORS, socket.MSG_CMSG_CLOEXEC)
    if not data:
        return  # nobody needs it
    with open(fds[0], "rb") as file:
        order = file.read()
    go_on(order, fds[1:], control)


def memory(name: str, content: bytes) -> int:
    """A descriptor of a file in memory that holds this, to be read from its beginning."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC)
    os.write(fd, content)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
