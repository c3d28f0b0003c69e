"""The person's terminal: a program in a PTY, its screen read, keys pressed as a terminal does."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from supervisor.process.emulator import make_emulator
from tests.support.live import PATIENCE


class Terminal:
    """A terminal window. `async with` starts the program and ends it."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        cols: int = 100,
        rows: int = 36,
    ) -> None:
        self._argv, self._cwd, self._environ = argv, cwd, environ
        self._emulator = make_emulator(cols, rows)
        self.printed = bytearray()  # all that the program wrote
        self._size = struct.pack("HHHH", rows, cols, 0, 0)
        self._master = -1
        self._process: asyncio.subprocess.Process | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Terminal:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, self._size)
        os.set_blocking(self._master, False)
        self._process = await asyncio.create_subprocess_exec(
            *self._argv,
            cwd=self._cwd,
            env=self._environ,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            # The new session's terminal: whoever may answer approvals has one.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)
        asyncio.get_running_loop().add_reader(self._master, self._read)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # nobody holds the other end any more
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.printed += data
        self._write(self._emulator.feed(data))
        self._changed.set()

    def _write(self, data: bytes) -> None:
        if data:
            os.write(self._master, data)

    def text(self) -> str:
        """What the person sees now."""
        rows = self._emulator.snapshot()
        return "\n".join("".join(run.text for run in rows[y]).rstrip() for y in sorted(rows))

    async def shows(self, pattern: str, patience: float = PATIENCE) -> re.Match[str]:
        """Wait until the screen matches a regular expression."""
        deadline = time.monotonic() + patience
        while not (found := re.search(pattern, self.text())):
            self._changed.clear()
            left = deadline - time.monotonic()
            assert left > 0, f"never shown: {pattern!r} in\n{self.text()}"
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                continue
        return found

    def press(self, *keys: str) -> None:
        """Press keys by Textual's names; one character names itself."""
        for key in keys:
            self._write(self._emulator.key(key, key if len(key) == 1 else ""))

    def send(self, data: bytes) -> None:
        """What the keyboard's terminal sends, byte for byte."""
        self._write(data)

    def mouse(self, action: str, x: int, y: int, *, button: int = 1, mods: int = 0) -> None:
        """Press, move or release a button at a cell, in the form that the program asked for."""
        self._write(self._emulator.mouse(action, button, x, y, mods))

    def type(self, text: str) -> None:
        self.press(*text)

    def kill(self) -> None:
        """End the program with no chance to leave well."""
        assert self._process is not None
        self._process.kill()

    async def exit_code(self) -> int:
        """Wait for the program's end."""
        assert self._process is not None
        async with asyncio.timeout(PATIENCE):
            return await self._process.wait()
