"""The gate of tier B: connect, bind and listen of a task, done by the holder in its place.

The task's filter (`seccomp.gate_filter_bytes`) hands these three calls over and waits. A call's
arguments are read once, and nothing lets the kernel read them again, so another thread that
changes them meanwhile changes nothing:

- connect: where the target is one that the task may reach, the gate puts a socket of its own in
  the place of the caller's and connects that. TCP reaches the task's listeners and what the task
  itself listens on; a unix socket by path, when it lies where the task may write; an abstract
  one, when the task listens on it.
- listen: the gate takes the very socket and listens on it, only when it is bound to the loopback.
- bind: TCP is bound on the very socket, to the loopback whatever was asked. Other families bind
  by themselves: Landlock controls files, and a race that binds TCP elsewhere ends at listen.

It runs in a thread of its own. A caller's memory may lie where reading it takes as long as it
likes (a network file system); meanwhile the holder goes on, and can end the task.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import ipaddress
import logging
import os
import select
import socket
import stat
import threading
from collections.abc import Callable, Mapping, Sequence

from supervisor.ports import Attempt, SpawnRequest
from supervisor.process import caller, gate_wire
from supervisor.process.containment import within
from supervisor.process.gate_wire import Inet, Local, Notification
from supervisor.process.landlock_rules import Private
from supervisor.process.seccomp import call_names

log = logging.getLogger(__name__)

_PATIENCE = 5.0  # seconds until a listener of ours takes a connection
_BACKLOG = 4096
_FIRST_FREE_PORT = 1024  # those below are for the privileged, which the holder may be
_LOOPBACK, _MAPPED, _LOOPBACK_6 = "127.0.0.1", "::ffff:127.0.0.1", "::1"
_TIMEOUTS = (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO)
_TIMEOUT_BYTES = 16  # struct timeval


class Gate:
    """Answers one task's calls until the last of its processes is gone."""

    def __init__(
        self,
        listener: int,
        listeners: Mapping[int, int],
        writable: tuple[str, ...],
        closed: tuple[str, ...],
        refused: Callable[[Attempt], None],
    ) -> None:
        """
        Args:
            listener: descriptor of the filter's listener; the gate owns it.
            listeners: port as the task dials it on 127.0.0.1 → port where we listen.
            writable: at or below these paths, unix sockets may be reached.
            closed: but not at or below these.
            refused: is told what was refused, in the gate's thread.
        """
        self._listener = listener
        self._listeners = dict(listeners)
        self._writable = writable
        self._closed = closed
        self._refused = refused
        self._calls = call_names()
        self._own: dict[int, tuple[str, int]] = {}  # inode → where the task listens by TCP
        self._abstract: set[bytes] = set()  # names of abstract sockets it listens on

    @classmethod
    def of(
        cls,
        request: SpawnRequest,
        listener: int,
        ports: Sequence[int],
        refused: Callable[[Attempt], None],
    ) -> Gate:
        """The gate of one task. `ports`: where its listeners really are."""
        plan, private = request.containment, Private.of(request.task_dir)
        return cls(
            listener,
            dict(zip(ports, ports, strict=True)) | dict(zip(request.ports, ports, strict=True)),
            (*plan.writable, *plan.sockets, private.home, private.temporary),
            plan.absent,
            refused,
        )

    def start(self) -> None:
        threading.Thread(target=self._serve, name="gate", daemon=True).start()

    def _serve(self) -> None:
        poller = select.poll()
        poller.register(self._listener, select.POLLIN)
        while poller.poll()[0][1] & select.POLLIN:
            data = bytearray(gate_wire.NOTIFICATION_BYTES)
            try:
                fcntl.ioctl(self._listener, gate_wire.RECEIVE, data)
            except OSError:  # who called is gone, or was interrupted
                continue
            reply = self._judge(gate_wire.notification(data))
            with contextlib.suppress(OSError):  # as above
                fcntl.ioctl(self._listener, gate_wire.SEND, reply)
        os.close(self._listener)

    def _judge(self, call: Notification) -> bytearray:
        try:
            match self._calls.get(call.call):
                case "connect":
                    self._connect(call)
                case "bind":
                    if not self._bind(call):
                        return gate_wire.go_on(call)
                case "listen":
                    self._listen(call)
                case _:
                    return gate_wire.answer(call, errno.EPERM)
        except OSError as error:
            return gate_wire.answer(call, error.errno or errno.EACCES)
        except (ValueError, OverflowError):
            return gate_wire.answer(call, errno.EINVAL)
        except Exception:  # the task waits: it gets an answer, and never one that lets it through
            log.exception("the gate failed")
            return gate_wire.answer(call, errno.EACCES)
        return gate_wire.answer(call, 0)

    def _address(self, call: Notification) -> Inet | Local | None:
        length = call.number(2)
        if not 0 < length <= gate_wire.ADDRESS_BYTES:
            raise ValueError("an impossible length")
        data = caller.memory(call.thread, call.arguments[1], length)
        # It still waits, so the thread we read from is the one that called.
        fcntl.ioctl(self._listener, gate_wire.STILL_VALID, gate_wire.identity(call))
        return gate_wire.address(data)

    # ── connect ─────────────────────────────────────────────────────────────────────────

    def _connect(self, call: Notification) -> None:
        target = self._address(call)
        if target is None:
            raise OSError(errno.EAFNOSUPPORT, "neither TCP nor a unix socket")
        flags = caller.descriptor_flags(call.thread, call.number(0))
        if isinstance(target, Local):
            made = self._connect_local(call, target)
            with made:
                self._place(call, made, flags)
                made.setblocking(not flags & os.O_NONBLOCK)
            return
        where = self._reachable(target)
        if where is None:
            raise OSError(errno.ECONNREFUSED, "no way out")
        with _socket(target.family, socket.SOCK_STREAM) as made:
            # First: who answers asks at once whose connection it is, and it must not seem ours.
            # Nothing that the task could do to the socket meanwhile leads it elsewhere: its other
            # calls wait for this one, and the filter refuses options that would.
            self._place(call, made, flags)
            made.connect(where)
            # What the caller may have asked for before; on a loopback it costs nothing.
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setblocking(not flags & os.O_NONBLOCK)

    def _reachable(self, target: Inet) -> tuple[str, int] | None:
        """Where to connect for what was dialled; None: nowhere."""
        if target.plain_host == _LOOPBACK and target.port in self._listeners:
            return _spelled(_LOOPBACK, target.family), self._listeners[target.port]
        if not (target.is_loopback or target.is_any):
            self._refused(Attempt("tcp", target.plain_host, target.port))
            return None
        alive = self._listening()
        for inode, (host, port) in self._own.items():
            fits = target.family == socket.AF_INET6 or host != _LOOPBACK_6
            if port == target.port and fits and alive[inode] == port:
                return _spelled(host, target.family), port
        # Where nothing listens, a server of the task's own may just not be up yet.
        if target.port in alive.values():
            self._refused(Attempt("tcp", target.plain_host, target.port))
        return None

    def _listening(self) -> dict[int, int]:
        """Inode → port of what listens on this machine now; forgets what no longer does."""
        found: dict[int, int] = {}
        for table in ("tcp", "tcp6"):
            with contextlib.suppress(OSError), open(f"/proc/net/{table}") as file:
                found |= gate_wire.listening(file.read())
        self._own = {inode: where for inode, where in self._own.items() if inode in found}
        return found

    def _connect_local(self, call: Notification, target: Local) -> socket.socket:
        if target.abstract:
            if target.name in self._abstract:
                made = _connected_local(target.name)
                # A listener has the credentials of who called listen(2) for it: of us, here.
                if caller.peer_pid(made) == os.getpid():
                    return made
                made.close()
        else:
            fd = caller.opened(call.thread, target.name)
            try:
                if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                    raise OSError(errno.ECONNREFUSED, "not a socket")
                if self._may_reach(os.readlink(f"/proc/self/fd/{fd}")):
                    return _connected_local(f"/proc/self/fd/{fd}")
            finally:
                os.close(fd)
        self._refused(Attempt("unix", target.shown, 0))
        raise OSError(errno.EACCES, "not the task's")

    def _may_reach(self, path: str) -> bool:
        """The deeper place has the last word."""
        depth = max((len(at) for at in self._writable if within(path, at)), default=0)
        return depth > max((len(at) for at in self._closed if within(path, at)), default=0)

    def _place(self, call: Notification, made: socket.socket, flags: int) -> None:
        """Put our socket in the place of the caller's, whose timeouts it takes over."""
        target = call.number(0)
        with contextlib.suppress(OSError), caller.taken(call.thread, target) as theirs:
            for option in _TIMEOUTS:
                value = theirs.getsockopt(socket.SOL_SOCKET, option, _TIMEOUT_BYTES)
                made.setsockopt(socket.SOL_SOCKET, option, value)
        request = gate_wire.replacement(call, made.fileno(), target, flags & os.O_CLOEXEC)
        fcntl.ioctl(self._listener, gate_wire.ADD_DESCRIPTOR, request)

    # ── bind and listen ─────────────────────────────────────────────────────────────────

    def _bind(self, call: Notification) -> bool:
        """False: not TCP, so the kernel may do it."""
        target = self._address(call)
        if not isinstance(target, Inet):
            return False
        if 0 < target.port < _FIRST_FREE_PORT:
            raise OSError(errno.EACCES, "a privileged port")
        with caller.taken(call.thread, call.number(0)) as made:
            if made.family != target.family:
                raise OSError(errno.EINVAL, "another family")
            if target.is_any:
                made.bind((_home(made), target.port))
            elif target.is_loopback:
                made.bind((target.host, target.port))
            else:
                raise OSError(errno.EADDRNOTAVAIL, "not the loopback")
        return True

    def _listen(self, call: Notification) -> None:
        backlog = min(max(call.number(1), 0), _BACKLOG)
        with caller.taken(call.thread, call.number(0)) as made:
            if made.family == socket.AF_UNIX:
                made.listen(backlog)
                name = made.getsockname()
                if isinstance(name, bytes):
                    self._abstract.add(name)
                return
            if made.family not in (socket.AF_INET, socket.AF_INET6):
                raise OSError(errno.EOPNOTSUPP, "neither TCP nor a unix socket")
            if made.getsockname()[1] == 0:
                made.bind((_home(made), 0))  # listen(2) itself would take every address
            host, port = made.getsockname()[:2]
            if not ipaddress.ip_address(host.removeprefix("::ffff:")).is_loopback:
                raise OSError(errno.EACCES, "not the loopback")
            made.listen(backlog)
            self._own[os.fstat(made.fileno()).st_ino] = (host.removeprefix("::ffff:"), port)


def _home(made: socket.socket) -> str:
    """The loopback's address for a socket that was to have any."""
    if made.family == socket.AF_INET:
        return _LOOPBACK
    only_6 = made.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return _LOOPBACK_6 if only_6 else _MAPPED


def _spelled(host: str, family: int) -> str:
    """A loopback address as a socket of this family takes it."""
    return f"::ffff:{host}" if family == socket.AF_INET6 and ":" not in host else host


def _socket(family: int, kind: int) -> socket.socket:
    made = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    made.settimeout(_PATIENCE)
    return made


def _connected_local(name: str | bytes) -> socket.socket:
    """Whichever kind it is that listens there: the caller's own socket is not looked at."""
    made = _socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.connect(name)
    except OSError as error:
        made.close()
        if error.errno != errno.EPROTOTYPE:
            raise
        made = _socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            made.connect(name)
        except OSError:
            made.close()
            raise
    return made
