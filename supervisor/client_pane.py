"""What a screen uses to talk to the holder of a task's terminal."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from supervisor import errors
from supervisor.protocol import holder_wire

if TYPE_CHECKING:
    from supervisor.client import AsyncClient
    from supervisor.protocol import clipboard, pane, reading


class PaneConnection:
    """One pane of one task, straight from its holder; outlives the supervisor."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, path: str, token: str, cols: int, rows: int) -> PaneConnection:
        """Raises DaemonUnavailable when the holder is gone."""
        try:
            reader, writer = await asyncio.open_unix_connection(path, limit=holder_wire.MAX_FRAME)
        except OSError as error:
            raise errors.DaemonUnavailable("The task's holder is gone; the task has ended.") from (
                error
            )
        writer.get_extra_info("socket").setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, 1 << 18)
        opened = cls(reader, writer)
        opened._send(holder_wire.Attach(token=token, cols=cols, rows=rows))
        return opened

    async def frames(self) -> AsyncIterator[pane.FromPane]:
        """What the holder shows and answers, until it closes."""
        from supervisor.protocol import pane

        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                length = holder_wire.frame_length(await self._reader.readexactly(4))
                message = pane.from_pane().decode(await self._reader.readexactly(length))
                if isinstance(message, pane.FromPane):
                    yield message

    def _send(self, message: pane.ToPane) -> None:
        if not self._writer.is_closing():
            self._writer.write(holder_wire.pack(message))

    def read(self, request: reading.Request) -> None:
        """Ask for something of what the pane shows and has shown."""
        self._send(request)

    def answer_clipboard(self, answer: clipboard.AnswerClipboard) -> None:
        self._send(answer)

    def key(self, key: str, text: str = "") -> None:
        self._send(holder_wire.Key(key=key, text=text))

    def paste(self, text: str) -> None:
        self._send(holder_wire.Paste(text=text))

    def resize(self, cols: int, rows: int) -> None:
        self._send(holder_wire.Resize(cols=cols, rows=rows))

    def mouse(self, action: str, button: int, x: int, y: int, mods: int = 0) -> None:
        self._send(holder_wire.Mouse(action=action, button=button, x=x, y=y, mods=mods))

    def focus(self, gained: bool) -> None:
        self._send(holder_wire.Focus(gained=gained))

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def read_terminal(client: AsyncClient, task: str) -> list[str]:
    """All lines of a task's terminal as text, oldest first, without the empty rest.

    Looks on without a size of its own: what its person works in is never reflowed. Raises
    TaskpassError.
    """
    from supervisor.protocol import reading

    pane = await client.attach(task, 0, 0)
    pane.read(reading.StartReading(count=0))
    lines: list[str] = []
    count = 0
    try:
        async for frame in pane.frames():
            match frame:
                case reading.Reading():
                    count = frame.count
                case reading.Lines():
                    lines += map(_text, frame.rows)
                case holder_wire.Exited():
                    break
                case _:
                    continue
            if len(lines) >= count:
                break
            pane.read(reading.ReadLines(first=len(lines), count=count))
    finally:
        await pane.close()
    while lines and not lines[-1]:
        lines.pop()
    return lines


def _text(row: Sequence[holder_wire.RunTuple]) -> str:
    """No control character of a pane gets into the terminal of who reads it."""
    return "".join(filter(str.isprintable, "".join(run[0] for run in row))).rstrip()
