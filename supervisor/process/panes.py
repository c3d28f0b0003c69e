"""The pane of one task: a PTY's master end, its terminal state, and the screens that show it.

The agent is never throttled by a screen. Its output is always read; each screen is sent the
latest state at most `FRAME_RATE` times a second, with one frame in flight, so that a slow
screen gets fewer frames and never a backlog. Screens get cells, never the agent's bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios
from collections.abc import Callable
from socket import SO_SNDBUF, SOL_SOCKET

import msgspec

from supervisor.ports import Emulator, Run
from supervisor.process.clipboard import Clipboard
from supervisor.process.emulator import make_emulator
from supervisor.process.still import Reader
from supervisor.protocol import clipboard, holder_wire, pane, reading

FRAME_RATE = 30.0  # frames a second and screen
# While the person types, what they see of it must not wait for its turn.
_TYPING_RATE = 120.0
_TYPING = 0.1  # seconds after a key
_HOLD = 0.15  # seconds a synchronized update may keep a frame back
_UPDATE_ENDS = b"\x1b[?2026l"

_READ_SIZE = 65536
_WRITE_SIZE = 16384
_SEND_BUFFER = 16 * 1024
_READS_PER_TURN = 16  # then other screens and tasks of the loop have their turn

# What the agent has not read yet is kept up to these bounds (bytes), then dropped: a stopped
# agent must neither fill our memory nor act on minutes of keys when it is continued.
_INPUT_LIMIT = 64 * 1024
_REPLY_LIMIT = 16 * 1024

Row = tuple[holder_wire.RunTuple, ...]
# The cursor's column and row, whether it is shown, the title, and what the agent asked for:
# wheel, mouse, brackets around pastes.
_Status = tuple[int, int, bool, str, tuple[bool, bool, bool]]


def _row(runs: tuple[Run, ...]) -> Row:
    return tuple((run.text, run.fg, run.bg, run.attrs) for run in runs)


class _Display:
    """One attached screen: what it has been sent and what it still needs."""

    def __init__(
        self, writer: asyncio.StreamWriter, size: tuple[int, int], emulator: Emulator
    ) -> None:
        self.writer = writer
        self.reader = Reader(emulator, lambda answer: writer.write(holder_wire.pack(answer)))
        self.size = size  # columns and rows it has room for; 0 of each: it only looks on
        self.wake = asyncio.Event()
        self.changed: set[int] = set()
        self.full = True
        self.status: _Status | None = None
        self.sent = float("-inf")  # loop time of the last frame
        self.typed = float("-inf")  # … and of the last key from here
        self.hurried = asyncio.Event()  # a key has come


class PaneServer:
    """Serves one PTY to any number of screens. Lives on the running event loop.

    `master_fd` stays the caller's: it is made non-blocking, and never closed here.
    The screen that was last typed into, or was given the focus, decides the size; looking on
    from another one never reflows what its person works in.
    """

    def __init__(
        self,
        master_fd: int,
        cols: int,
        rows: int,
        tell: Callable[[holder_wire.ClipboardAnswered], None] = lambda _: None,
    ) -> None:
        self._fd = master_fd
        self._loop = asyncio.get_running_loop()
        self._emulator: Emulator = make_emulator(cols, rows)
        self._clipboard = Clipboard(self._show_all, tell)
        self._displays: list[_Display] = []  # the one that decides the size comes last
        self._rows: dict[int, Row] = {}
        self._links: dict[int, tuple[tuple[int, int, str], ...]] = {}
        self._status: _Status | None = None  # that goes with `_rows`
        self._stale = True
        self._wanted = False  # a screen waits for the end of a synchronized update
        self._ends = 0  # how many of them have been waited for, and seen
        self._input = bytearray()
        self._exit: int | None = None
        self._reading = True
        self._writing = False
        os.set_blocking(master_fd, False)
        self._tell_size()
        self._loop.add_reader(master_fd, self._readable)

    # ── The agent's side ────────────────────────────────────────────────────────────────

    def _readable(self) -> None:
        emulator = self._emulator
        read = 0
        for _ in range(_READS_PER_TURN):
            try:
                data = os.read(self._fd, _READ_SIZE)
            except BlockingIOError:
                break
            except OSError:  # EIO: no process has the terminal open any more
                data = b""
            if not data:
                self._stop_reading()
                break
            read += len(data)
            reply = self._feed_whole(data) if self._wanted else emulator.feed(data)
            if reply and len(self._input) < _REPLY_LIMIT:
                self._send_input(reply)
        if (text := emulator.take_clipboard()) is not None:
            self._clipboard.ask(text)
        if read:
            self._stale = True
            self._wake()

    def _feed_whole(self, data: bytes) -> bytes:
        """Feed it, and keep what is shown where the next synchronized update ends: an agent that
        draws all the time is in the middle of one whenever somebody looks."""
        reply = b""
        while self._wanted and data:
            end = data.find(_UPDATE_ENDS) + len(_UPDATE_ENDS)
            part, data = (data[:end], data[end:]) if end >= len(_UPDATE_ENDS) else (data, b"")
            reply += self._emulator.feed(part)
            if not self._emulator.held:
                self._wanted = False
                self._ends += 1
                self._stale = True
                self._refresh()
        return reply + self._emulator.feed(data)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    def _send_input(self, data: bytes) -> None:
        """Write to the agent, now or when it reads again."""
        if not data or self._exit is not None:
            return
        self._input += data
        if not self._writing:
            self._writable()

    def _writable(self) -> None:
        try:
            while self._input:
                del self._input[: os.write(self._fd, self._input[:_WRITE_SIZE])]
        except BlockingIOError:
            pass
        except OSError:
            self._input.clear()
        waiting = bool(self._input)
        if waiting and not self._writing:
            self._loop.add_writer(self._fd, self._writable)
        elif self._writing and not waiting:
            self._loop.remove_writer(self._fd)
        self._writing = waiting

    def _from_person(self, data: bytes) -> None:
        if len(self._input) < _INPUT_LIMIT:
            self._send_input(data)

    def _tell_size(self) -> None:
        cols, rows = self._emulator.size
        with contextlib.suppress(OSError):  # the terminal is gone with its last process
            fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))

    def _resize(self, cols: int, rows: int) -> None:
        before = self._emulator.size
        self._emulator.resize(cols, rows)
        if self._emulator.size == before:
            return
        self._tell_size()
        self._rows.clear()
        self._links.clear()
        self._status = None  # nothing of it holds
        self._stale = True
        for display in self._displays:
            display.full = True
        self._wake()

    def _lead(self, display: _Display) -> None:
        """The person is at this screen now."""
        if self._displays[-1] is not display:
            self._displays.remove(display)
            self._displays.append(display)
            self._fit()

    def _fit(self) -> None:
        """Make the terminal as large as the screen that decides; without one it stays."""
        sizes = [display.size for display in self._displays if display.size != (0, 0)]
        if sizes:
            self._resize(*sizes[-1])

    def _show_all(self, message: clipboard.ClipboardAsked | clipboard.ClipboardClosed) -> None:
        for display in self._displays:
            # A screen that does not read is shown the question when it attaches anew.
            if not display.writer.transport.get_write_buffer_size():
                display.writer.write(holder_wire.pack(message))

    def _wake(self) -> None:
        for display in self._displays:
            display.wake.set()

    # ── The screens' side ───────────────────────────────────────────────────────────────

    async def serve(
        self, attach: holder_wire.Attach, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Serve one screen until it goes; its token has been checked by the caller."""
        # `drain` then waits for the last byte, and the kernel holds a frame or two at most.
        writer.transport.set_write_buffer_limits(high=0)
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_SNDBUF, _SEND_BUFFER)
        display = _Display(writer, (attach.cols, attach.rows), self._emulator)
        self._displays.insert(0, display)
        if self._clipboard.waiting is not None:
            writer.write(holder_wire.pack(self._clipboard.waiting))
        self._fit()
        display.wake.set()
        sender = asyncio.create_task(self._send_frames(display))
        receiver = asyncio.create_task(self._receive(display, reader))
        try:
            await asyncio.wait((sender, receiver), return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._displays.remove(display)
            display.reader.stop()
            self._fit()
            for task in (sender, receiver):
                task.cancel()
            await asyncio.gather(sender, receiver, return_exceptions=True)
            writer.close()

    async def _receive(self, display: _Display, reader: asyncio.StreamReader) -> None:
        """Handle a screen's frames. A malformed one ends the connection, and only that."""
        with contextlib.suppress(
            asyncio.IncompleteReadError, OSError, ValueError, msgspec.MsgspecError
        ):
            while True:
                length = holder_wire.frame_length(await reader.readexactly(4))
                message = pane.to_pane().decode(await reader.readexactly(length))
                if isinstance(message, reading.Request):
                    display.reader.take(message)
                    await display.writer.drain()  # who does not read is not read from
                elif not self._handle(display, message):
                    return

    def _handle(self, display: _Display, message: pane.ToPane) -> bool:
        """Whether `message` is one that a screen may send."""
        emulator = self._emulator
        if isinstance(message, holder_wire.Key | holder_wire.Paste) or message == holder_wire.Focus(
            gained=True
        ):
            self._lead(display)
        match message:
            case holder_wire.Key():
                display.typed = self._loop.time()
                display.hurried.set()
                self._from_person(emulator.key(message.key, message.text))
            case holder_wire.Paste():
                self._from_person(emulator.paste(message.text))
            case holder_wire.Mouse():
                self._from_person(
                    emulator.mouse(
                        message.action, message.button, message.x, message.y, message.mods
                    )
                )
            case holder_wire.Focus():
                self._from_person(emulator.focus(message.gained))
            case holder_wire.Resize():
                display.size = (message.cols, message.rows)
                self._fit()
            case clipboard.AnswerClipboard():
                self._clipboard.answer(message)
            case _:
                return False
        return True

    async def _send_frames(self, display: _Display) -> None:
        with contextlib.suppress(OSError):
            while True:
                await display.wake.wait()
                live = await self._due(display)
                display.wake.clear()
                exit_code = self._exit
                if live or exit_code is not None:
                    self._refresh()
                frames = self._frames(display)
                if self._stale:
                    display.wake.set()  # there is more than what was kept
                if exit_code is not None:
                    frames.append(holder_wire.frame(holder_wire.Exited(code=exit_code)))
                if frames:
                    display.sent = self._paced(display)
                    display.writer.writelines(frames)
                    await display.writer.drain()
                if exit_code is not None:
                    return

    async def _due(self, display: _Display) -> bool:
        """Wait for this screen's turn: at once after a pause, else by the frame rate.

        A frame in the middle of a synchronized update would show a half-drawn screen.

        Returns:
            Whether to show what there is now; else it is what was kept at an update's end.
        """
        while (wait := self._wait(display)) > 0:
            display.hurried.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await display.hurried.wait()
        ends = self._ends
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_HOLD):
                while self._emulator.held and self._reading:
                    if self._ends != ends:
                        return False
                    self._wanted = True
                    display.wake.clear()
                    await display.wake.wait()
        return True

    def _paced(self, display: _Display) -> float:
        """Loop time at which a frame that is sent now was due: being a little late for one does
        not put off the next."""
        now = self._loop.time()
        late = now - display.sent - 1 / FRAME_RATE
        return now - min(late, 0.5 / FRAME_RATE) if 0 < late < 1 / FRAME_RATE else now

    def _wait(self, display: _Display) -> float:
        """Seconds until this screen's next frame."""
        now = self._loop.time()
        rate = _TYPING_RATE if now - display.typed < _TYPING else FRAME_RATE
        return display.sent + 1 / rate - now

    def _frames(self, display: _Display) -> list[bytes]:
        """What this screen lacks, encoded; nothing when it has it all."""
        frames: list[bytes] = []
        if self._status is None:
            self._refresh()
        status = self._status
        if status is None or not (display.full or display.changed or status != display.status):
            return frames
        wanted = self._rows if display.full else dict.fromkeys(display.changed)
        cols, height = self._emulator.size
        x, y, visible, title, (mouse, buttons, bracketed) = status
        frames.append(
            holder_wire.frame(
                holder_wire.Screen(
                    rows={row: self._rows[row] for row in sorted(wanted) if row in self._rows},
                    links={row: found for row in wanted if (found := self._links.get(row))},
                    x=x,
                    y=y,
                    cursor=visible,
                    cols=cols,
                    height=height,
                    title=title,
                    full=display.full,
                    mouse=mouse,
                    mouse_buttons=buttons,
                    bracketed=bracketed,
                )
            )
        )
        display.full, display.status = False, status
        display.changed.clear()
        return frames

    def _refresh(self) -> None:
        """Read the engine's changed rows once, for all screens."""
        if not self._stale:
            return
        self._stale = False
        for y, runs in self._emulator.dirty().items():
            row = _row(runs)
            links = self._emulator.links(y)
            if self._rows.get(y) != row or self._links.get(y, ()) != links:
                self._rows[y], self._links[y] = row, links
                for display in self._displays:
                    display.changed.add(y)
        emulator = self._emulator
        cursor = emulator.cursor()
        modes = (emulator.wants_mouse, emulator.wants_buttons, emulator.brackets_pastes)
        self._status = (cursor.x, cursor.y, cursor.visible, emulator.title, modes)

    # ── Its end ─────────────────────────────────────────────────────────────────────────

    def exited(self, code: int) -> None:
        """The agent has ended: screens get its last state, then `holder_wire.Exited`."""
        if self._reading:
            self._readable()  # what it printed last may still be in the terminal's buffer
        self._exit = code
        self._wake()

    def close(self) -> None:
        """Stop reading and let all screens go. Idempotent."""
        self._stop_reading()
        if self._writing:
            self._writing = False
            self._loop.remove_writer(self._fd)
        for display in self._displays:
            display.writer.close()
