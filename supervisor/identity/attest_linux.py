"""Who is at the other end, as the Linux kernel tells it.

For TCP there are no peer credentials. Three steps lead from a connection to processes: the
netlink socket made inside the task's network namespace names the inode of the client's socket
(sock_diag(7), an exact lookup); /proc/PID/fd of the task's tree says who holds that inode; start
times are read before and after, so that a reused pid is never taken for what it was.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Container, Sequence

from supervisor import procfs
from supervisor.errors import NotAttested
from supervisor.identity.standing import StandingChains
from supervisor.model import Process
from supervisor.ports import ConnectionOwner
from supervisor.procfs import Stat

_SO_PEERPIDFD = 77  # linux/asm-generic/socket.h, since Linux 6.5

# linux/sock_diag.h, linux/inet_diag.h: one message header, then struct inet_diag_req_v2.
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
_REQUEST = struct.Struct("=BBBxI")  # family, protocol, extensions, states
_SOCKET_ID = struct.Struct("!HH4s12x4s12x")  # ports and addresses of struct inet_diag_sockid
_ANY_INTERFACE_AND_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_REPLY = struct.Struct("=BBBB48xIIIII")  # struct inet_diag_msg; the last two are uid and inode
_ALL_STATES = 0xFFFFFFFF
_REPLY_BYTES = 8192
_STALE_REPLIES = 64  # at most so many answers to an earlier daemon's questions are passed over


class SockDiagOwner(ConnectionOwner):
    """Owners of connections on one task's listeners.

    `sock_diag` is the netlink descriptor that came with `Adopted`, and stays the caller's.
    `root` gives the agent's root process, None before it runs. The tree looked at is everything
    below the root's parent: bubblewrap's init in a container, the holder outside one.
    """

    def __init__(self, sock_diag: int, root: Callable[[], Process | None]) -> None:
        self._netlink = socket.socket(fileno=os.dup(sock_diag))
        self._netlink.settimeout(1.0)  # the kernel answers at once; never hang the daemon
        self._root = root
        self._sequence = 0
        self._tree: procfs.Tree | None = None
        self._standing = StandingChains()

    def close(self) -> None:
        self._standing.close()
        self._netlink.close()

    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        found = self._client_socket(sockname, peername)
        root = self._root()
        if found is None or root is None:
            return []
        uid, inode = found
        top = procfs.stat(root.pid)
        if top is None or top.start != root.start_time:
            return []
        if self._tree is None or self._tree.top != top.parent:
            self._tree = procfs.Tree(top.parent)
        return _holders(inode, uid, self._tree.members())

    def ancestry(self, process: Process) -> list[Process]:
        root = self._root()
        if root is None:
            return []
        known = self._standing.of(process)
        if known and known[-1] == root:
            return known
        chain = [entry.process for entry in procfs.ancestors(process.pid, top=root.pid)]
        if not chain or chain[0] != process or chain[-1] != root:
            return []
        # The walk took time: what it passed through must still be what it was.
        return chain if self._standing.keep(chain, procfs.lives) else []

    def stands(self, ancestry: Sequence[Process]) -> bool:
        if not ancestry or ancestry[-1] != self._root():
            return False
        if self._standing.of(ancestry[0]) == list(ancestry):
            return True
        # Only the end of its parent gives a process another one.
        return all(procfs.lives(member) for member in ancestry)

    def _client_socket(
        self, sockname: tuple[str, int], peername: tuple[str, int]
    ) -> tuple[int, int] | None:
        """(uid, inode) of the socket that is the client's end, None when there is none."""
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        try:
            ends = _SOCKET_ID.pack(
                peername[1],
                sockname[1],
                socket.inet_aton(peername[0]),
                socket.inet_aton(sockname[0]),
            )
            body = _REQUEST.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, _ALL_STATES)
            body += ends + _ANY_INTERFACE_AND_COOKIE
            header = _HEADER.pack(
                _HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, self._sequence, 0
            )
            self._netlink.send(header + body)
            return self._answer()
        except OSError:
            return None

    def _answer(self) -> tuple[int, int] | None:
        for _ in range(_STALE_REPLIES):
            reply = self._netlink.recv(_REPLY_BYTES)
            _, kind, _, sequence, _ = _HEADER.unpack_from(reply)
            if sequence != self._sequence:
                continue
            if kind != _SOCK_DIAG_BY_FAMILY:
                return None
            uid, inode = _REPLY.unpack_from(reply, _HEADER.size)[-2:]
            return (uid, inode) if inode else None  # 0: closed, nobody holds it any more
        return None


def peer_process(connection: socket.socket) -> Process:
    """The process at the other end of a connected unix socket, with its start time.

    By SO_PEERPIDFD, which cannot name a reused pid; before Linux 6.5 by SO_PEERCRED.

    Raises:
        NotAttested: it is gone, or is not visible from here.
    """
    try:
        raw = connection.getsockopt(socket.SOL_SOCKET, _SO_PEERPIDFD, 4)
    except OSError:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        found = procfs.stat(struct.unpack("3i", credentials)[0])
    else:
        pidfd = struct.unpack("i", raw)[0]
        try:
            pid = _pid_of(pidfd)
            found = procfs.stat(pid)
            # Read again: only a process that still is there makes the start time the peer's.
            if _pid_of(pidfd) != pid:
                found = None
        finally:
            os.close(pidfd)
    if found is None or not found.alive:
        raise NotAttested("The process that connected is gone.", hint="Connect again.")
    return found.process


def tree_of(process: Process, roots: Container[Process]) -> Process | None:
    """The nearest of `roots` that `process` is or is below, None when it is outside all of them.

    Raises:
        NotAttested: it is gone, so that nobody can tell any more.
    """
    chain = [entry.process for entry in procfs.ancestors(process.pid)]
    if not procfs.lives(process):
        raise NotAttested("The process that asked is gone.", hint="Connect again.")
    return next((ancestor for ancestor in chain if ancestor in roots), None)


def _pid_of(pidfd: int) -> int:
    """The pid behind a pidfd, -1 when its process has been reaped (pidfd_open(2))."""
    with open(f"/proc/self/fdinfo/{pidfd}", "rb") as file:
        for line in file:
            if line.startswith(b"Pid:"):
                return int(line[4:])
    return -1


def _holders(inode: int, uid: int, tree: list[Stat]) -> list[Process]:
    """Every process of the tree that holds the socket."""
    wanted = f"socket:[{inode}]"
    holding: list[Process] = []
    hidden: list[Process] = []
    for entry in tree:
        if not entry.alive:
            continue
        holds = _holds(entry.pid, wanted)
        if holds is None:
            hidden.append(entry.process)
        elif holds:
            holding.append(entry.process)
    if not holding and len(hidden) == 1 and not _held_elsewhere(wanted, uid, tree):
        # A program may close its /proc to its own account (Codex does). Outside a container that
        # hides it from us too; it is the owner when everybody else has been ruled out.
        holding = hidden
    return [process for process in holding if procfs.lives(process)]


def _holds(pid: int, wanted: str) -> bool | None:
    """Whether the process has the socket open; None when it does not let us look."""
    directory = f"/proc/{pid}/fd/"
    try:
        names = os.listdir(directory)
    except PermissionError:
        return None
    except OSError:
        return False
    # Connections are young: their descriptors are among the last.
    for name in reversed(names):
        try:
            if os.readlink(directory + name) == wanted:
                return True
        except OSError:
            continue
    return False


def _held_elsewhere(wanted: str, uid: int, tree: list[Stat]) -> bool:
    """Whether a process outside the tree holds the socket, or the socket is not our account's."""
    if uid != os.geteuid():
        return True
    inside = {entry.pid for entry in tree}
    return any(_holds(entry.pid, wanted) for entry in procfs.processes() if entry.pid not in inside)
