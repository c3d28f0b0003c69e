"""The holder: one process per task. It owns the task's process tree, listeners and terminal.

It outlives the daemon and every screen, so an agent waits instead of breaking; it holds no
secret and decides nothing. It serves one unix socket (`SpawnRequest.socket`, 0600) with the
frames of `supervisor.protocol.holder_wire`. The first frame says who speaks:

- `Adopt` with the task's token: the daemon. Answered by `Adopted`, with the listeners' and the
  sock_diag descriptors; from then on this connection gets Spawned, SpawnFailed, Exited, Killed
  and takes Freeze, Thaw, Kill. A newer Adopt replaces it.
- `Stdio` with the screen's token: three descriptors for a headless agent.
- `Attach` with the screen's token: a pane, served by `panes.PaneServer`.

The agent is started only after Adopt has been answered (and Stdio has come, where one is
wanted), and lives no longer than this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib
import os
import pwd
import signal
import socket
import struct
import termios
import time
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from supervisor import procfs
from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.model import Process, Tier
from supervisor.ports import Attempt, SpawnRequest
from supervisor.process import linux, tree
from supervisor.process.apart import Apart
from supervisor.process.cgroup import Group
from supervisor.process.door_turns import DoorTurns
from supervisor.process.emulator import engine
from supervisor.process.filedoors import Doors
from supervisor.process.gate import Gate
from supervisor.process.holder_socket import (
    DECODER,
    first_frame,
    listen,
    peer_uid,
    same,
    send_with_fds,
    streams,
)
from supervisor.process.launch import Launcher, launch
from supervisor.process.limit_watch import LimitWatch
from supervisor.protocol import holder_wire

if TYPE_CHECKING:
    from supervisor.process.panes import PaneServer

_LINGER = 10.0  # seconds the last screen is kept after the agent's end when nobody is connected
_HELLO_LIMIT = 5.0  # seconds a new connection has to say who it is


def screen_token(token: str) -> str:
    """What a screen presents for `Attach` and `Stdio`; derived from the daemon's token.

    Whoever holds it can show and type into one pane. It does not open the listeners.
    """
    return hashlib.sha256(b"taskpass-screen" + token.encode()).hexdigest()[:32]


def open_terminal(cols: int, rows: int) -> tuple[int, int]:
    """A PTY of this size: (master, slave)."""
    master, slave = os.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("4H", rows, cols, 0, 0))
    return master, slave


class Holder:
    """The state of one task's holder; `run` is its life."""

    def __init__(
        self,
        request: SpawnRequest,
        token: str,
        launcher: Launcher,
        server: socket.socket,
        group: Group | None,
    ) -> None:
        self._request = request
        self._token = token
        self._screen_token = screen_token(token)
        self._launcher = launcher
        self._server = server
        self._group = group
        self._watch: LimitWatch | None = None
        self._contained = request.tier == Tier.A
        self._stdio: tuple[int, int, int] | None = None
        self._panes: PaneServer | None = None
        self._root: Process | None = None
        self._init = 0  # tier A: the pid namespace's init, as seen from here
        self._exit_code: int | None = None
        self._adopted = False
        self._going = False  # the launcher was told to go on
        self._failure: TaskpassError | OSError | None = None
        self._listening: Callable[[], None] | None = None  # what the launcher's next word is for
        self._daemon: asyncio.StreamWriter | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._screens = 0  # of the connections
        self._ended = asyncio.Event()
        stage = launcher.staging
        self._doors = DoorTurns(Doors(stage, home()) if stage is not None else None, self._tell)

    async def run(self, terminal: tuple[int, int] | None) -> None:
        """Serve until the task is over and nobody needs its last screen."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_signal_handler(signal.SIGTERM, self._end_at_once)
        self._reap()  # what ended before the handler was there
        if terminal is not None:
            self._open_panes(*terminal)
        if self._group is not None:
            self._watch = LimitWatch(self._group, self._limit_met)
        accepting = asyncio.create_task(self._accept())
        loop.call_later(_LINGER, self._check_linger)
        await self._ended.wait()
        accepting.cancel()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(accepting, *self._connections, return_exceptions=True)
        if self._panes is not None:
            self._panes.close()
        self._server.close()
        self._retire()
        if self._group is not None and self._watch is not None:
            self._watch.close()
            self._group.remove()

    def _limit_met(self, limit: str, times: int) -> None:
        self._tell(holder_wire.LimitMet(limit=limit, times=times))

    def _retire(self) -> None:
        """From here on nobody finds this holder."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._request.socket)

    # ── Connections ─────────────────────────────────────────────────────────────────────

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(self._server)
            task = asyncio.create_task(self._serve(connection))
            self._connections.add(task)
            task.add_done_callback(self._gone)

    def _gone(self, task: asyncio.Task[None]) -> None:
        self._connections.discard(task)
        if not task.cancelled():
            task.exception()  # a peer's broken connection is its own affair: the task goes on
        if not self._ended.is_set():
            asyncio.get_running_loop().call_later(_LINGER, self._check_linger)

    async def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.setblocking(False)
            if peer_uid(connection) != os.geteuid():
                return
            try:
                async with asyncio.timeout(_HELLO_LIMIT):
                    first, fds = await first_frame(connection)
            except (TimeoutError, ValueError, OSError, EOFError, msgspec.MsgspecError):
                return
            if isinstance(first, holder_wire.Stdio) and len(fds) == 3:
                self._take_stdio(first, (fds[0], fds[1], fds[2]))
                return
            for fd in fds:
                os.close(fd)
            match first:
                case holder_wire.Adopt(token=token) if same(token, self._token):
                    await self._serve_daemon(connection)
                case holder_wire.Attach(token=token) if same(token, self._screen_token):
                    await self._serve_screen(first, connection)

    def _take_stdio(self, first: holder_wire.Stdio, fds: tuple[int, int, int]) -> None:
        wanted = self._request.stdio and not self._request.pty and self._stdio is None
        if wanted and same(first.token, self._screen_token):
            self._stdio = fds
            self._start_if_ready()
            return
        for fd in fds:
            os.close(fd)

    async def _serve_screen(self, first: holder_wire.Attach, connection: socket.socket) -> None:
        if self._panes is None:
            return
        reader, writer = await streams(connection)
        self._screens += 1
        try:
            await self._panes.serve(first, reader, writer)
        finally:
            self._screens -= 1
            writer.close()

    async def _serve_daemon(self, connection: socket.socket) -> None:
        launcher = self._launcher
        answer = holder_wire.Adopted(
            listeners=self._request.listeners,
            ports=launcher.ports,
            root_pid=self._root.pid if self._root else 0,
            root_start=self._root.start_time if self._root else 0,
            exit_code=self._exit_code,
        )
        await send_with_fds(
            connection, holder_wire.frame(answer), [*launcher.listeners, launcher.sock_diag]
        )
        reader, writer = await streams(connection)
        if self._daemon is not None:
            self._daemon.close()
        self._daemon = writer
        self._doors.close_all()  # this daemon knows none of those calls
        self._adopted = True
        self._start_if_ready()
        try:
            while True:
                header = await reader.readexactly(4)
                body = await reader.readexactly(holder_wire.frame_length(header))
                self._obey(DECODER.decode(body))
        except (asyncio.IncompleteReadError, ConnectionError, ValueError, msgspec.MsgspecError):
            pass
        finally:
            if self._daemon is writer:
                self._daemon = None
            with contextlib.suppress(ConnectionError):
                writer.close()

    def _tell(self, message: holder_wire.FromHolder) -> None:
        if self._daemon is not None:
            self._daemon.write(holder_wire.frame(message))

    # ── The agent's life ────────────────────────────────────────────────────────────────

    def _open_panes(self, master: int, slave: int) -> None:
        from supervisor.process.panes import PaneServer

        self._panes = PaneServer(master, self._request.cols, self._request.rows, self._tell)
        self._stdio = (slave, slave, slave)

    def _start_if_ready(self) -> None:
        if self._going or not self._adopted or self._exit_code is not None:
            return
        if self._stdio is None:
            if self._request.stdio:
                return
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            self._stdio = (null, null, null)
        self._going = True
        self._listen_for(self._announced)
        self._launcher.start(*self._stdio)
        for fd in set(self._stdio):
            os.close(fd)

    def _listen_for(self, handler: Callable[[], None] | None) -> None:
        loop = asyncio.get_running_loop()
        if self._listening is not None:
            loop.remove_reader(self._launcher.control)
        self._listening = handler
        if handler is not None:
            loop.add_reader(self._launcher.control, handler)

    def _announced(self) -> None:
        """The process that becomes the agent has shown itself: note it, then let it start."""
        self._listen_for(None)
        try:
            pid = self._launcher.announced()
            found = procfs.stat(pid)
            if found is None:
                raise LaunchFailed("The agent ended before it began.", hint="Try again.")
            self._root = found.process
            self._init = found.parent if self._contained else 0
            if self._launcher.gate >= 0:
                self._open_gate(self._launcher.gate)
            self._tell(holder_wire.Spawned(root_pid=pid, root_start=found.start))
            self._listen_for(self._settled)
            self._launcher.release()
        except (TaskpassError, OSError) as error:
            self._failed(error)

    def _open_gate(self, listener: int) -> None:
        loop = asyncio.get_running_loop()

        def refused(attempt: Attempt) -> None:
            message = holder_wire.Refused(
                protocol=attempt.protocol, address=attempt.address, port=attempt.port
            )
            loop.call_soon_threadsafe(self._tell, message)

        Gate.of(self._request, listener, self._launcher.ports, refused).start()

    def _settled(self) -> None:
        """The agent's program has taken over, or could not."""
        self._listen_for(None)
        error = self._launcher.outcome()
        if error is not None:
            self._failed(error)

    def _failed(self, error: TaskpassError | OSError) -> None:
        self._listen_for(None)
        self._failure = error
        code = error.code if isinstance(error, TaskpassError) else LaunchFailed.code
        self._tell(holder_wire.SpawnFailed(code=code, message=str(error)))
        tree.kill_below(os.getpid())

    def _reap(self) -> None:
        for pid, code in tree.reap():
            if pid == self._launcher.pid and self._exit_code is None:
                self._exited(code)

    def _exited(self, code: int) -> None:
        """The root process is gone: nothing of the task goes on without it."""
        self._exit_code = code
        while self._listening is not None:
            self._listening()  # its last words came before its end
        tree.kill_below(os.getpid())
        tree.reap()
        if self._panes is not None:
            self._panes.exited(code)
        if self._watch is not None:
            self._watch.look()  # while there is somebody to tell
        if self._failure is None:
            self._tell(holder_wire.Exited(code=code))
        self._doors.over()
        asyncio.get_running_loop().call_later(_LINGER, self._check_linger)

    def _check_linger(self) -> None:
        if self._exit_code is not None:
            needed = self._screens > 0  # the daemon stays connected for as long as we live
        else:
            needed = self._going or bool(self._connections)
        if not needed:
            self._end_at_once()

    def _end_at_once(self) -> None:
        self._kill()
        self._ended.set()

    # ── The daemon's commands ───────────────────────────────────────────────────────────

    def _obey(self, message: holder_wire.ToHolder) -> None:
        match message:
            case holder_wire.Freeze(pid=pid):
                self._freeze(pid)
            case holder_wire.Thaw(pid=pid):
                self._thaw(pid)
            case holder_wire.OpenDoors():
                self._doors.open(message, self._root)
            case holder_wire.CloseDoors():
                self._doors.close(message)
            case holder_wire.Kill():
                began = time.monotonic()
                left = self._kill()
                self._reap()
                self._retire()
                took = (time.monotonic() - began) * 1000
                self._tell(holder_wire.Killed(left=left, took_ms=took))
                asyncio.get_running_loop().call_soon(self._ended.set)
            case _:
                raise ValueError(f"unexpected {type(message).__name__}")

    def _top(self) -> int:
        return self._init or os.getpid()

    def _freeze(self, pid: int) -> None:
        if self._root is None:
            return
        if pid == 0:
            tree.freeze(self._top(), include_top=False)
        elif self._is_ours(pid):
            tree.freeze(pid, include_top=True)

    def _thaw(self, pid: int) -> None:
        if self._root is None:
            return
        if pid == 0:
            tree.thaw(self._top(), include_top=False)
        elif self._is_ours(pid):
            tree.thaw(pid, include_top=True)

    def _is_ours(self, pid: int) -> bool:
        return any(entry.pid == pid for entry in procfs.descendants(self._top()))

    def _kill(self) -> int:
        if self._group is not None:
            self._group.kill()
        left = tree.kill_namespace(self._init) if self._init and self._exit_code is None else 0
        return left + tree.kill_below(os.getpid())


def prepare(
    request: SpawnRequest, token: str, apart: Apart | None = None
) -> tuple[Holder, tuple[int, int] | None]:
    """Everything that can fail, before the caller is told that the holder listens.

    Args:
        apart: a launcher that is there already.

    Raises:
        LaunchFailed: no namespaces, no port, a taken socket path.
    """
    linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
    if request.pty:
        _load_panes()
    terminal = open_terminal(request.cols, request.rows) if request.pty else None
    server = listen(request.socket)
    group: Group | None = None
    try:
        if request.cgroup:
            group = Group.make(request.cgroup, request.task, request.limits)
        launcher = launch(request, home(), terminal[1] if terminal else -1, apart)
        if group is not None:
            group.add(launcher.pid)  # it waits: nothing of the agent has begun
    except TaskpassError:
        server.close()
        os.unlink(request.socket)
        if group is not None:
            group.kill()
            group.remove()
        raise
    return Holder(request, token, launcher, server, group), terminal


@cache
def home() -> str:
    """The account's own home directory, whatever the environment says."""
    return pwd.getpwuid(os.geteuid()).pw_dir


def _load_panes() -> None:
    """Headless tasks never load an emulator; where there is none, a pane is refused here."""
    try:
        importlib.import_module("supervisor.process.panes")
        engine()
    except ImportError as error:
        raise LaunchFailed(
            f"The terminal emulator cannot be loaded: {error}.",
            hint="Install taskpass again, or start with --headless.",
        ) from error
