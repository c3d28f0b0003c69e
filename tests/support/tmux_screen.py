"""What tmux makes of bytes: a pane that is given them raw, read back cell by cell."""

from __future__ import annotations

import re
import socket
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.cells import cell_len

from supervisor.ports import Run
from tests.support.tmux import PATIENCE, Tmux

BOLD, FAINT, ITALIC, UNDERLINE, INVERSE, STRIKE, HIDDEN = (1 << n for n in range(7))
_ON = {1: BOLD, 2: FAINT, 3: ITALIC, 4: UNDERLINE, 7: INVERSE, 8: HIDDEN, 9: STRIKE}
_OFF = {22: BOLD | FAINT, 23: ITALIC, 24: UNDERLINE, 27: INVERSE, 28: HIDDEN, 29: STRIKE}
_INK = UNDERLINE | INVERSE | STRIKE  # what is seen of a blank

# What the pane runs: it prints what it is sent, and says so when tmux has read all of it, which
# tmux tells by its answer to a status query (DSR 5) behind it.
_PRINTER = """
import os, socket, sys, tty
tty.setraw(0)
to = socket.socket(socket.AF_UNIX)
to.connect(sys.argv[1])
orders = to.makefile("rb")
while length := orders.readline():
    data = orders.read(int(length)) + b"\\x1b[5n"
    asked = data.count(b"\\x1b[5n")
    while data:
        data = data[os.write(1, data):]
    answers = b""
    while answers.count(b"\\x1b[0n") < asked:
        answers += os.read(0, 65536)
    to.sendall(b".")
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell as it looks: of a blank only what is seen. The right half of a wide one is "".

    Colours and attributes are `model.Run`'s; `None` is a background nobody tells.
    """

    text: str = " "
    fg: int = -1
    bg: int | None = -1
    attrs: int = 0

    def as_seen(self) -> Cell:
        if self.attrs & HIDDEN:
            return Cell(" " if self.text else "", -1, self.bg, self.attrs & _INK).as_seen()
        if self.text != " " or self.attrs & _INK:
            return self
        return Cell(" ", -1, self.bg, 0)


def cells_of(runs: tuple[Run, ...], cols: int) -> list[Cell]:
    """A row of ours as cells."""
    row: list[Cell] = []
    for run in runs:
        row += _spread(run.text, Cell("", run.fg, run.bg, run.attrs))
    return row + [Cell()] * (cols - len(row))


def _spread(text: str, style: Cell) -> list[Cell]:
    """One cell for each column that `text` takes."""
    row: list[Cell] = []
    taken, start = 0, 0
    for end in range(1, len(text) + 1):
        # A grapheme ends where one more character begins a column of its own.
        if end < len(text) and cell_len(text[: end + 1]) == cell_len(text[:end]):
            continue
        width = cell_len(text[:end])
        whole = Cell(text[start:end], style.fg, style.bg, style.attrs).as_seen()
        row += [whole] + [Cell("", whole.fg, whole.bg, whole.attrs)] * (width - taken - 1)
        taken, start = width, end
    return row


class TmuxScreen(Tmux):
    """A tmux with one pane that shows what it is fed."""

    def __init__(self, cols: int, rows: int) -> None:
        super().__init__((), cols=cols, rows=rows)
        self._socket = f"{self._folder.name}/orders"
        self._argv = (sys.executable, "-S", "-c", _PRINTER, self._socket)

    def __enter__(self) -> Self:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._socket)
            listener.listen()
            listener.settimeout(PATIENCE)
            super().__enter__()
            self._orders, _ = listener.accept()
        self._orders.settimeout(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._orders.close()
        super().__exit__(kind, error, at)

    def feed(self, data: bytes) -> None:
        """Print `data` in the pane, and wait until tmux has read it."""
        self._orders.sendall(b"%d\n" % len(data) + data)
        assert self._orders.recv(1) == b".", "the pane has gone"

    def cursor(self) -> tuple[int, int]:
        """Column and row."""
        x, y = self._run("display-message", "-p", "#{cursor_x} #{cursor_y}").split()
        return int(x), int(y)

    def cells(self) -> list[list[Cell]]:
        """All rows of the pane, all cells of each."""
        captured = self._run("capture-pane", "-p", "-e", "-N")
        return _captured(captured, self.cols, self.rows)


_PIECE = re.compile(r"\x1b\[([0-9;:]*)m|([\x0e\x0f])|([^\x1b\x0e\x0f]+)|(.)", re.DOTALL)
_LINE_DRAWING = dict(zip("`afghijklmnopqrstuvwxyz{|}~", "◆▒°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·", strict=True))


def _captured(text: str, cols: int, rows: int) -> list[list[Cell]]:
    """`capture-pane -p -e -N`. The style goes on from row to row; a row ends with its last
    written cell, and what was erased with a background behind it is not told (`bg` None)."""
    found: list[list[Cell]] = []
    style, drawing = Cell(), False
    for line in text.split("\n")[:rows]:
        row: list[Cell] = []
        for rendition, shift, plain, other in _PIECE.findall(line):
            assert not other, f"not expected of tmux: {line!r}"
            if shift:
                drawing = shift == "\x0e"
            elif plain:
                drawn = "".join(_LINE_DRAWING.get(c, c) for c in plain) if drawing else plain
                row += _spread(drawn, style)
            else:
                style = _rendered(style, rendition)
        found.append(row + [Cell(bg=None)] * (cols - len(row)))
    return found


def _rendered(style: Cell, rendition: str) -> Cell:
    """`style` after SGR (ECMA-48 8.3.117) as tmux writes it."""
    fg, bg, attrs = style.fg, style.bg, style.attrs
    numbers = iter(int(n.partition(":")[0] or 0) for n in (rendition or "0").split(";"))
    for number in numbers:
        if number == 0:
            fg, bg, attrs = -1, -1, 0
        elif number in _ON:
            attrs |= _ON[number]
        elif number in _OFF:
            attrs &= ~_OFF[number]
        elif number in (38, 48):
            if next(numbers) == 5:
                colour = next(numbers)
            else:
                colour = 0x1000000 | next(numbers) << 16 | next(numbers) << 8 | next(numbers)
            fg, bg = (colour, bg) if number == 38 else (fg, colour)
        elif 30 <= number <= 39:
            fg = number - 30 if number < 38 else -1
        elif 40 <= number <= 49:
            bg = number - 40 if number < 48 else -1
        elif 90 <= number <= 97:
            fg = number - 82
        elif 100 <= number <= 107:
            bg = number - 92
        else:
            raise AssertionError(f"not expected of tmux: SGR {rendition}")
    return Cell("", fg, bg, attrs)
