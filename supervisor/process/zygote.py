"""The zygote: a small process with everything a holder needs already imported.

Starting Python and its imports costs more than all the rest of a task's start, so it is paid
once: a holder is a fork, made ahead of the request it waits for. There are two zygotes, one for
headless tasks, and one that has loaded the terminal emulator for panes; a headless task never
waits for that import.

A request is a 4-byte big-endian length and a msgpack pair (SpawnRequest, token); the answer is
framed likewise: nil, or [code, message, hint]. It comes when the holder's socket listens. Or it is
the path of a bubblewrap to try, or "" for tier B, and the answer what came of it. Holders
live in sessions of their own and outlive the zygote, which ends with the daemon's connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import struct
import sys
from typing import NoReturn

import msgspec

from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.model import Tier
from supervisor.ports import SpawnRequest
from supervisor.process import holder, linux
from supervisor.process.apart import Apart
from supervisor.process.emulator import engine
from supervisor.process.launch import go_on
from supervisor.process.probe import Outcome, attempted
from supervisor.process.seccomp import filter_bytes

_LENGTH = struct.Struct(">I")
_Request = tuple[SpawnRequest, str] | str  # a task and its token, or a bubblewrap to try
_Answer = tuple[str, str, str] | None
_ANSWERS: msgspec.msgpack.Decoder[_Answer] = msgspec.msgpack.Decoder(_Answer)
_OUTCOMES: msgspec.msgpack.Decoder[Outcome] = msgspec.msgpack.Decoder(Outcome)
_REPORT_BYTES = 4096  # PIPE_BUF: a report is written, and so read, in one piece
_SETTLED = 0.03  # seconds after which a task that was started runs
_HANDS_OVER = 15.0  # seconds a zygote may take: its start with imports, or one fork


class Zygote:
    """The daemon's side."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._headless: _Line | None = None
        self._panes: _Line | None = None

    async def start(self) -> None:
        """Start both zygotes. They import in the background; a request waits for that."""
        headless, headless_end = socket.socketpair()
        panes, panes_end = socket.socketpair()
        with headless_end, panes_end:
            ends = (headless_end.fileno(), panes_end.fileno())
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                __name__,
                *map(str, ends),
                pass_fds=ends,
                env={},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
        self._headless, self._panes = await _Line.over(headless), await _Line.over(panes)

    async def spawn(self, request: SpawnRequest, token: str) -> None:
        """Start a holder; return when `request.socket` listens. Nothing of the agent runs yet.

        Raises:
            LaunchFailed: no containment, no port, no zygote. Nothing is left behind.
        """
        line = self._panes if request.pty else self._headless
        if line is None:
            raise LaunchFailed("The zygote was not started.", hint="Restart the supervisor.")
        answer = _ANSWERS.decode(await line.ask((request, token)))
        if answer is not None:
            raise _error(answer)

    async def attempt(self, bwrap: str) -> Outcome:
        """`probe.attempted`, in a process that is as a holder is."""
        if self._headless is None:
            return False, "the zygote was not started"
        try:
            told = await self._headless.ask(bwrap)
            return _OUTCOMES.decode(told)
        except (LaunchFailed, msgspec.MsgspecError) as error:
            return False, f"the probe did not end: {error}"

    async def close(self) -> None:
        """End the zygotes. Holders go on."""
        for line in (self._headless, self._panes):
            if line is not None:
                line.close()
        if self._process is not None:
            await self._process.wait()


class _Line:
    """One request at a time to one zygote."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._turn = asyncio.Lock()

    @classmethod
    async def over(cls, end: socket.socket) -> _Line:
        return cls(*await asyncio.open_unix_connection(sock=end))

    async def ask(self, request: _Request) -> bytes:
        async with self._turn:
            try:
                async with asyncio.timeout(_HANDS_OVER):
                    body = msgspec.msgpack.encode(request)
                    self._writer.write(_LENGTH.pack(len(body)) + body)
                    await self._writer.drain()
                    (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
                    return await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, ConnectionError, TimeoutError) as error:
                # A late answer would be taken for the next request's: this line is over.
                self._writer.close()
                raise LaunchFailed(
                    "The process that starts tasks is gone.", hint="Restart the supervisor."
                ) from error

    def close(self) -> None:
        self._writer.close()


def _error(answer: tuple[str, str, str]) -> TaskpassError:
    code, message, hint = answer
    kinds = {kind.code: kind for kind in TaskpassError.__subclasses__()}
    return kinds.get(code, LaunchFailed)(message, hint=hint)


# ── The zygote itself ───────────────────────────────────────────────────────────────────


def main(headless: int, panes: int) -> None:
    """Become the two zygotes, each serving one inherited socket."""
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # tokens pass through here
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # holders are not waited for
    mine, other = headless, panes
    if os.fork() == 0:
        mine, other = panes, headless
    os.close(other)
    if mine == panes:
        # Without an emulator panes are refused one by one, with the reason.
        with contextlib.suppress(ImportError):
            importlib.import_module("supervisor.process.panes")
            engine()
    with contextlib.suppress(LaunchFailed):
        filter_bytes()  # kept; where there is none, tasks are told
    gc.collect()
    gc.freeze()  # so that a holder's collections do not copy what it shares with us
    with socket.socket(fileno=mine) as daemon:
        daemon.set_inheritable(False)
        _serve(daemon)


def _serve(daemon: socket.socket) -> None:
    spare = _Spare(daemon, contained=False)
    while True:
        header = _read(daemon, _LENGTH.size)
        body = _read(daemon, _LENGTH.unpack(header)[0]) if header else b""
        if not body:
            return
        answer = spare.obey(header + body)
        daemon.sendall(_LENGTH.pack(len(answer)) + answer)
        request = msgspec.msgpack.decode(body, type=_Request)
        contained = not isinstance(request, str) and request[0].tier == Tier.A
        spare = _Spare(daemon, contained=contained)


class _Spare:
    """A fork made before anybody asks, waiting to become a holder: 2 ms that no start waits for.

    It ends by itself when the zygote does.
    """

    def __init__(self, daemon: socket.socket, *, contained: bool) -> None:
        """`contained`: its task will probably be in tier A, as the last one was."""
        self._line, its_end = socket.socketpair()
        if os.fork() == 0:
            self._line.close()
            daemon.close()
            _wait_as_spare(its_end, contained=contained)
        its_end.close()

    def obey(self, request: bytes) -> bytes:
        """Its answer. `request`: framed, as the daemon sent it."""
        with self._line, contextlib.suppress(OSError):
            self._line.sendall(request)
            # One read, not up to the end: the launcher below the holder still has the other end.
            if report := self._line.recv(_REPORT_BYTES):
                return report
        ended: _Answer = (LaunchFailed.code, "The holder ended before it listened.", "Try again.")
        return msgspec.msgpack.encode(ended)


def _wait_as_spare(line: socket.socket, *, contained: bool) -> NoReturn:
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        runner = asyncio.Runner()
        runner.get_loop()
        holder.home()
        apart: Apart | None = None
        # Not at once: the task that has just been started needs the processors more.
        if contained and not select.select([line], [], [], _SETTLED)[0]:
            apart = Apart.made(go_on)
        header = _read(line, _LENGTH.size)
        body = _read(line, _LENGTH.unpack(header)[0]) if header else b""
        request = msgspec.msgpack.decode(body, type=_Request) if body else None
        if isinstance(request, str):
            line.sendall(msgspec.msgpack.encode(attempted(request))[:_REPORT_BYTES])
        elif request is not None:
            task, token = request
            _become_holder(task, token, line, runner, apart)
        status = 0
    finally:
        os._exit(status)


def _become_holder(
    request: SpawnRequest,
    token: str,
    line: socket.socket,
    runner: asyncio.Runner,
    apart: Apart | None,
) -> None:
    answer: _Answer = None
    prepared = None
    try:
        prepared = holder.prepare(request, token, apart)
    except TaskpassError as error:
        answer = (error.code, error.message, error.hint)
    except OSError as error:
        answer = (LaunchFailed.code, f"Cannot start the task: {error.strerror}.", "")
    line.sendall(msgspec.msgpack.encode(answer)[:_REPORT_BYTES])
    line.close()
    if prepared is not None:
        held, terminal = prepared
        runner.run(held.run(terminal))


def _read(line: socket.socket, length: int) -> bytes:
    data = bytearray()
    while len(data) < length:
        part = line.recv(length - len(data))
        if not part:
            return b""
        data += part
    return bytes(data)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
