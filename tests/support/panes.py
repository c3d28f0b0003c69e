"""A pane for tests: a real program in a PTY, served over a real socket pair."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal
import socket
import sys
import termios
import tty
from collections.abc import AsyncIterator, Callable

from supervisor.process.panes import PaneServer
from supervisor.protocol import clipboard, holder_wire, reading
from supervisor.protocol import pane as protocol

DEADLINE = 10.0  # seconds; a generous one, because tests share their machine


class FakeScreen:
    """The other end of a pane: keeps the rows as a screen would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.rows: dict[int, tuple[holder_wire.RunTuple, ...]] = {}
        self.last: holder_wire.Screen | None = None
        self.screens: list[holder_wire.Screen] = []
        self.answers: list[reading.Answer] = []
        self.asked: list[str] = []  # for the clipboard
        self.closed: list[int] = []
        self.exited: int | None = None

    def send(self, message: holder_wire.ToHolder | reading.Request) -> None:
        self.writer.write(holder_wire.pack(message))

    async def ask(self, message: reading.Request) -> reading.Answer:
        """Send a question of a reading; its answer."""
        before = len(self.answers)
        self.send(message)
        await self.until(lambda: len(self.answers) > before)
        return self.answers[-1]

    def type(self, text: str) -> None:
        for character in text:
            key = {"\n": "enter", " ": "space"}.get(character, character)
            self.send(holder_wire.Key(key=key, text="\r" if character == "\n" else character))

    async def frame(self) -> holder_wire.FromHolder | protocol.FromPane:
        length = holder_wire.frame_length(await self.reader.readexactly(4))
        message = protocol.from_pane().decode(await self.reader.readexactly(length))
        match message:
            case holder_wire.Screen():
                if message.full:
                    self.rows.clear()
                self.rows.update(message.rows)
                self.last = message
                self.screens.append(message)
            case clipboard.ClipboardAsked():
                self.asked.append(message.text)
            case clipboard.ClipboardClosed():
                self.closed.append(message.number)
            case holder_wire.Exited():
                self.exited = message.code
            case reading.Reading() | reading.Lines() | reading.Found() | reading.Taken():
                self.answers.append(message)
        return message

    def text(self) -> str:
        lines = ("".join(run[0] for run in self.rows[y]) for y in sorted(self.rows))
        return "\n".join(lines)

    async def until(self, condition: Callable[[], object]) -> None:
        """Take frames until `condition` holds."""
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await self.frame()

    async def shows(self, text: str) -> None:
        try:
            await self.until(lambda: text in self.text())
        except TimeoutError:
            raise AssertionError(f"never shown: {text!r} in\n{self.text()}") from None


class Pane:
    """A PaneServer over a fresh PTY, with helpers for its agent's side."""

    def __init__(self, cols: int = 80, rows: int = 24) -> None:
        self.master, self.slave = pty.openpty()
        self._cooked = termios.tcgetattr(self.slave)
        tty.setraw(self.slave)
        self.told: list[holder_wire.ClipboardAnswered] = []
        self.server = PaneServer(self.master, cols, rows, self.told.append)
        self.pids: list[int] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    async def attach(self, cols: int = 80, rows: int = 24, receive: int = 0) -> FakeScreen:
        ours, theirs = socket.socketpair()
        if receive:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        attach = holder_wire.Attach(token="checked", cols=cols, rows=rows)
        self._tasks.append(asyncio.create_task(self.server.serve(attach, reader, writer)))
        # Else asyncio would read far ahead of a screen that takes nothing.
        limit = receive or 65536
        screen = FakeScreen(*await asyncio.open_unix_connection(sock=ours, limit=limit))
        self._writers.append(screen.writer)
        return screen

    def run(self, *argv: str, **env: str) -> int:
        """Start `argv` on the terminal, as its session leader with a cooked line discipline."""
        termios.tcsetattr(self.slave, termios.TCSANOW, self._cooked)
        environ = {"PATH": os.environ["PATH"], "TERM": "xterm-256color", "LANG": "C.UTF-8", **env}
        pid = os.fork()
        if pid == 0:
            try:
                os.login_tty(self.slave)
                os.execvpe(argv[0], argv, environ)
            finally:
                os._exit(127)
        self.pids.append(pid)
        return pid

    def python(self, code: str) -> int:
        return self.run(sys.executable, "-I", "-c", code)

    def agent_writes(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.slave, data) :]

    async def agent_reads(self, count: int) -> bytes:
        """`count` bytes that reached the agent."""
        os.set_blocking(self.slave, False)
        data = b""
        async with asyncio.timeout(DEADLINE):
            while len(data) < count:
                try:
                    data += os.read(self.slave, count - len(data))
                except BlockingIOError:
                    await asyncio.sleep(0.002)
        return data

    async def close(self) -> None:
        self.server.close()
        for writer in self._writers:
            writer.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=DEADLINE)
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)  # noqa: ASYNC222 - it has just been killed
        os.close(self.slave)
        os.close(self.master)


@contextlib.asynccontextmanager
async def pane(cols: int = 80, rows: int = 24) -> AsyncIterator[Pane]:
    served = Pane(cols, rows)
    try:
        yield served
    finally:
        await served.close()
