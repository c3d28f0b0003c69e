"""Terminals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Adjacent cells with one style. Colours: -1 default, 0–255 palette, 0x1000000|rgb."""

    text: str
    fg: int = -1
    bg: int = -1
    attrs: int = 0  # bits: 1 bold, 2 faint, 4 italic, 8 underline, 16 inverse, 32 strike


@dataclass(frozen=True, slots=True)
class Cursor:
    x: int
    y: int
    visible: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a terminal that is kept still."""

    runs: tuple[Run, ...]
    # Cells after which the agent's line goes on in the next row, one less than there are where a
    # wide character did not fit; 0 where the line ends.
    wraps_at: int = 0

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


class Still(ABC):
    """All rows of a terminal as they were at one moment, the oldest first."""

    @property
    @abstractmethod
    def count(self) -> int: ...

    @abstractmethod
    def lines(self, first: int, count: int) -> list[Line]:
        """Those of the rows [first, first + count) that there are."""


class Emulator(ABC):
    """Terminal state behind a PTY. Sizes are clamped to 20×5 … 1000×500 by implementations."""

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Take output of the agent; return what must be answered into the PTY (queries)."""

    @abstractmethod
    def resize(self, cols: int, rows: int) -> None: ...

    @abstractmethod
    def dirty(self) -> dict[int, tuple[Run, ...]]:
        """Rows changed since the last call, by row number from the top."""

    @abstractmethod
    def snapshot(self) -> dict[int, tuple[Run, ...]]:
        """All visible rows."""

    @abstractmethod
    def cursor(self) -> Cursor: ...

    @abstractmethod
    def key(self, key: str, text: str) -> bytes:
        """Encode one key press. `key` is Textual's name (`ctrl+a`, `shift+enter`, `up`)."""

    @abstractmethod
    def paste(self, text: str) -> bytes:
        """Encode a paste (bracketed where the agent asked for it)."""

    @abstractmethod
    def mouse(self, action: str, button: int, x: int, y: int, mods: int) -> bytes:
        """Encode a mouse event, b"" when the agent did not ask. action: press|release|move."""

    @abstractmethod
    def focus(self, gained: bool) -> bytes:
        """Encode a focus event, b"" when the agent did not ask."""

    @property
    @abstractmethod
    def title(self) -> str: ...

    def links(self, y: int) -> tuple[tuple[int, int, str], ...]:
        """Hyperlinks (OSC 8) in row `y`: first cell, cells, and the target as the agent gave it."""
        return ()

    def take_clipboard(self) -> str | None:
        """What the agent last asked to put on the clipboard (OSC 52) since the last call."""
        return None

    @abstractmethod
    def still(self) -> Still:
        """What it shows and has shown, which nothing that is fed changes any more."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(cols, rows) after clamping: what the PTY must be told."""

    @property
    @abstractmethod
    def wants_mouse(self) -> bool:
        """Whether `mouse` would encode anything now."""

    @property
    @abstractmethod
    def wants_buttons(self) -> bool:
        """Whether it would encode more of the mouse than the wheel."""

    @property
    @abstractmethod
    def brackets_pastes(self) -> bool:
        """Whether the agent is told where a paste begins and ends (DEC mode 2004)."""

    @property
    @abstractmethod
    def held(self) -> bool:
        """The agent is in the middle of a synchronized update (DEC mode 2026)."""
