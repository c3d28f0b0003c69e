"""The launcher: a fork of the holder that enters the namespaces, waits, and becomes the agent.

One SOCK_SEQPACKET channel carries everything, in this order:
  holder → launcher   `W`, where it was forked ahead (`Apart`): what to do, in a file in memory
  launcher → holder   `L` + ports as JSON, with the listeners' and the sock_diag descriptor, and
                      those of its staging namespace; or `!` + JSON of an error
  holder → launcher   `G`, with the agent's three standard descriptors
  agent → holder      `.`; the kernel stamps it with the pid of the process that becomes the agent;
                      in tier B with the listener of its system-call filter
  holder → agent      a newline: start
  then the end of the channel, when the agent's program has taken over; or `!` again.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import signal
import socket
import struct
import termios
from dataclasses import dataclass
from typing import NoReturn

import msgspec

from supervisor.errors import AgentNotExecutable, AgentNotFound, LaunchFailed, TaskpassError
from supervisor.model import Tier
from supervisor.ports import SpawnRequest
from supervisor.process import netns, staging
from supervisor.process.apart import Apart, enter, memory
from supervisor.process.bubblewrap import (
    ARGS_FD,
    CONTROL_FD,
    FILTER_FD,
    STDERR_FD,
    bwrap_argv,
    bwrap_options,
)
from supervisor.process.confine import confine, make_private
from supervisor.process.containment import check_workspace
from supervisor.process.landlock import Rule
from supervisor.process.landlock_rules import Private, file_rules, search_path
from supervisor.process.seccomp import filter_bytes

_PACKET = 65536
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_DESCRIPTOR = struct.Struct("i")
_GIVEN = b"W"
START = b"\n"


@dataclass(slots=True)
class Launcher:
    """The holder's side: a process that waits to become the agent."""

    pid: int
    control: socket.socket
    listeners: list[int]  # descriptors, in the order of the request's names
    ports: tuple[int, ...]
    sock_diag: int
    errors: int  # read end of what bubblewrap itself complains about, -1 uncontained
    staging: staging.Staging | None  # where its mounts were made, None uncontained
    gate: int = -1  # listener of its filter in tier B, once it has announced itself

    def start(self, stdin: int, stdout: int, stderr: int) -> None:
        """Tell it to go on; the agent's process will announce itself (`announced`)."""
        socket.send_fds(self.control, [b"G"], [stdin, stdout, stderr])

    def announced(self) -> int:
        """Pid (as seen here) of the process that becomes the agent; call when readable.

        Raises:
            LaunchFailed and kin: it could not be set up.
        """
        space = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_DESCRIPTOR.size)
        data, ancillary, _, _ = self.control.recvmsg(_PACKET, space, socket.MSG_CMSG_CLOEXEC)
        sent = {kind: payload for level, kind, payload in ancillary if level == socket.SOL_SOCKET}
        if data != b"." or socket.SCM_CREDENTIALS not in sent:
            raise self._failure(data)
        if socket.SCM_RIGHTS in sent:
            self.gate = _DESCRIPTOR.unpack(sent[socket.SCM_RIGHTS])[0]
        return int(_CREDENTIALS.unpack(sent[socket.SCM_CREDENTIALS][: _CREDENTIALS.size])[0])

    def release(self) -> None:
        """The supervisor knows the root process: the agent may start."""
        self.control.send(START)

    def outcome(self) -> TaskpassError | None:
        """After `release`, call when readable: None when the agent's program runs."""
        try:
            data = self.control.recv(_PACKET)
        except ConnectionResetError:
            return None
        return self._failure(data) if data else None

    def _failure(self, data: bytes) -> TaskpassError:
        if data.startswith(b"!"):
            return _decode_error(data[1:])
        complaint = ""
        if self.errors >= 0:
            with contextlib.suppress(BlockingIOError):
                complaint = os.read(self.errors, 4096).decode(errors="replace").strip()
        return LaunchFailed(
            f"The container could not be set up: {complaint or 'bubblewrap ended early'}.",
            hint="taskpass doctor tells what this machine allows.",
        )


def launch(
    request: SpawnRequest, home: str, slave: int = -1, apart: Apart | None = None
) -> Launcher:
    """Fork a launcher and wait for its listeners. `slave`: the pane's terminal, -1 headless.

    Args:
        apart: one that is there already; it is used for a contained task.

    Raises:
        LaunchFailed: namespaces or ports are not to be had. Nothing is left running.
    """
    contained = request.tier == Tier.A
    # Plan before forking: what is wrong with the request is told without a process to clean up.
    options = bwrap_options(request, home) if contained else []
    if contained:
        filter_bytes()
    rules: list[Rule] = []
    if request.tier == Tier.B:
        check_workspace(request.containment, request.cwd, home)
        rules = file_rules(request, os.ttyname(slave) if slave >= 0 else "")
    if contained:
        os.makedirs(staging.skeleton(request.task_dir), mode=0o700, exist_ok=True)
    errors, complaints = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if contained else (-1, -1)
    work = _Work(request, home, options, complaints, slave)
    answer = (apart and _ahead(apart, work)) or _forked(work, rules)
    if complaints >= 0:
        os.close(complaints)
    data, fds, ours = answer.data, answer.descriptors, answer.control
    if not data.startswith(b"L"):
        os.waitpid(answer.pid, 0)
        ours.close()
        if errors >= 0:
            os.close(errors)
        if data.startswith(b"!"):
            raise _decode_error(data[1:])
        raise LaunchFailed("The launcher ended early.", hint="Try again.")
    sockets = len(request.listeners)
    # From here on messages carry their sender's credentials (which would crowd out descriptors).
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    ports = tuple(json.loads(data[1:]))
    stage = staging.Staging(*fds[sockets + 1 :]) if contained else None
    return Launcher(answer.pid, ours, fds[:sockets], ports, fds[sockets], errors, stage)


class _Work(msgspec.Struct, frozen=True, array_like=True):
    """What a launcher is to do. The descriptors are those of the process that holds it."""

    request: SpawnRequest
    home: str
    options: list[str]  # of bubblewrap
    complaints: int
    slave: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """A launcher's first words, and whose they are. `data`: b"" when it has ended."""

    pid: int
    control: socket.socket
    data: bytes
    descriptors: list[int]

    @classmethod
    def of(cls, pid: int, control: socket.socket, request: SpawnRequest) -> _Answer:
        wanted = len(request.listeners) + 1 + 3
        try:
            data, fds, _, _ = socket.recv_fds(control, _PACKET, wanted, socket.MSG_CMSG_CLOEXEC)
        except ConnectionError:
            data, fds = b"", []
        return cls(pid, control, data, fds)


def _ahead(apart: Apart, work: _Work) -> _Answer | None:
    """What a launcher that is there already answers; None where it is of no use."""
    given = [fd for fd in (work.complaints, work.slave) if fd >= 0]
    if work.request.tier == Tier.A and apart.give(msgspec.msgpack.encode(work), given):
        answer = _Answer.of(apart.pid, apart.control, work.request)
        if answer.data:
            return answer
    apart.control.close()
    return None


def _forked(work: _Work, rules: list[Rule]) -> _Answer:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            enter(contained=work.request.tier == Tier.A)
            _go_on(work, theirs, rules)
        except BaseException as error:
            _tell(theirs, error)
        os._exit(125)
    theirs.close()
    return _Answer.of(pid, ours, work.request)


def go_on(order: bytes, descriptors: list[int], control: socket.socket) -> None:
    """What `Apart` does once it is given its work."""
    try:
        work = msgspec.msgpack.decode(order, type=_Work)
        complaints, *slave = descriptors
        work = msgspec.structs.replace(work, complaints=complaints, slave=slave[0] if slave else -1)
        _go_on(work, control, [])
    except BaseException as error:
        _tell(control, error)


def _tell(control: socket.socket, error: BaseException) -> None:
    with contextlib.suppress(OSError):
        control.send(b"!" + _encode_error(error))


def _go_on(work: _Work, control: socket.socket, rules: list[Rule]) -> NoReturn:
    request, home = work.request, work.home
    contained = request.tier == Tier.A
    stage = _stage(request, home) if contained else []
    # In tier B the network is the machine's, where ports may be taken: the gate translates.
    wanted = [0] * len(request.ports) if request.tier == Tier.B else request.ports
    sockets, diag = netns.open_sockets(request.listeners, wanted)
    ports = [netns.port_of(*pair) for pair in zip(request.listeners, sockets, strict=True)]
    socket.send_fds(
        control,
        [b"L" + json.dumps(ports).encode()],
        [*(s.fileno() for s in sockets), diag.fileno(), *stage],
    )
    _, stdio, _, _ = socket.recv_fds(control, 1, 3, socket.MSG_CMSG_CLOEXEC)
    if len(stdio) != 3:
        os._exit(125)  # the holder is gone, or ended the task before it began
    _reset_signals()
    if contained:
        _become_bwrap(request, control, stdio, work.options, work.complaints)
    _become_agent(request, home, control, stdio, work.slave, rules)


def _stage(request: SpawnRequest, home: str) -> list[int]:
    root = staging.skeleton(request.task_dir)
    made = staging.enter(root, home, request.containment.workspace, request.overlay)
    return [made.user, made.mounts, made.skeleton]


def _reset_signals() -> None:
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGCHLD, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _become_bwrap(
    request: SpawnRequest,
    control: socket.socket,
    stdio: list[int],
    options: list[str],
    complaints: int,
) -> NoReturn:
    wanted = {
        0: stdio[0],
        1: stdio[1],
        2: complaints,
        CONTROL_FD: control.fileno(),
        STDERR_FD: stdio[2],
        ARGS_FD: memory("args", b"".join(os.fsencode(option) + b"\0" for option in options)),
        FILTER_FD: memory("filter", filter_bytes()),
    }
    for at, option in enumerate(options):
        if option == "--file":  # bubblewrap copies from a descriptor
            descriptor, path = options[at + 1 : at + 3]
            wanted[int(descriptor)] = _copied(path)
    _arrange(wanted)
    os.set_blocking(2, True)
    # Empty: the agent's environment is among the options, where no other process sees it.
    _exec(request.bwrap, bwrap_argv(request), {})


def _become_agent(
    request: SpawnRequest,
    home: str,
    control: socket.socket,
    stdio: list[int],
    slave: int,
    rules: list[Rule],
) -> NoReturn:
    if slave >= 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    env = request.env
    if request.tier == Tier.B:
        private = Private.of(request.task_dir)
        mounts = (mount.path for mount in request.containment.mounts)
        make_private(private, env.get("HOME", home), mounts)
        env = env | private.environment | {"PATH": search_path(env.get("PATH", ""), rules)}
        listener = confine(rules)
        socket.send_fds(control, [b"."], [listener])
    else:
        control.send(b".")
    if control.recv(1) != START:
        os._exit(125)
    os.umask(request.umask)
    os.chdir(request.cwd)
    _arrange({0: stdio[0], 1: stdio[1], 2: stdio[2], CONTROL_FD: control.fileno()})
    os.set_inheritable(CONTROL_FD, False)  # closes on exec: the holder reads that as success
    _exec(request.argv[0], list(request.argv), env)


def _exec(path: str, argv: list[str], env: dict[str, str]) -> NoReturn:
    try:
        os.execve(path, argv, env)  # noqa: S606 - a program without a shell is the point
    except OSError as error:
        os.write(CONTROL_FD, b"!" + _encode_error(error))
        os._exit(125)


def _arrange(wanted: dict[int, int]) -> None:
    """Put descriptors at fixed numbers, first out of each other's way, inheritable."""
    parked = {target: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for target, fd in wanted.items()}
    for target, fd in parked.items():
        os.dup2(fd, target)
    _close_from(max(wanted) + 1)


def _close_from(first: int) -> None:
    """The agent inherits nothing that whoever started us left open."""
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _copied(path: str) -> int:
    """A descriptor of what the container is to have as `path`."""
    if path == "/etc/resolv.conf":
        return memory("resolver", netns.RESOLVER)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


_KINDS = {kind.code: kind for kind in (LaunchFailed, AgentNotFound, AgentNotExecutable)}


def _encode_error(error: BaseException) -> bytes:
    if isinstance(error, TaskpassError):
        kind, message, hint = error.code, error.message, error.hint
    elif isinstance(error, OSError):
        kind, message, hint = _explain(error)
    else:
        kind, message, hint = LaunchFailed.code, f"The launcher failed: {error}.", "Report this."
    return json.dumps([kind, message, hint]).encode()


def _explain(error: OSError) -> tuple[str, str, str]:
    reason, name = error.strerror or str(error), error.filename or "the task"
    if error.errno == errno.ENOENT:
        return AgentNotFound.code, f"Cannot start {name}: {reason}.", "Check the path."
    if error.errno in (errno.EACCES, errno.ENOEXEC) and error.filename:
        return AgentNotExecutable.code, f"Cannot execute {name}: {reason}.", "Check its mode bits."
    if error.errno == errno.EADDRINUSE:
        return LaunchFailed.code, "A port the task needs is taken.", "End the program that has it."
    return LaunchFailed.code, f"Cannot set up the task: {reason}.", "taskpass doctor tells more."


def _decode_error(data: bytes) -> TaskpassError:
    kind, message, hint = json.loads(data)
    return _KINDS.get(kind, LaunchFailed)(message, hint=hint)
