"""The terminal behind a pane: which engine, and what it may be asked to be.

One process holds one terminal only: an engine is native code that parses what an
untrusted program prints, and must not take another task down with it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

from supervisor.ports import Emulator

# Below 20×5 libghostty-vt 0.1.3 was seen to crash on hostile output with resizes;
# the upper bound keeps one resize from taking a gigabyte.
MIN_COLS, MIN_ROWS = 20, 5
MAX_COLS, MAX_ROWS = 1000, 500

TITLE_LENGTH = 200

# Characters that reorder or hide what stands around them (UAX #9, and zero-width ones).
BIDI_CONTROLS = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def clamp(cols: int, rows: int) -> tuple[int, int]:
    """The nearest size an engine is given."""
    return (min(max(cols, MIN_COLS), MAX_COLS), min(max(rows, MIN_ROWS), MAX_ROWS))


def clean_title(title: str) -> str:
    """`title` on one line, without control, format or private characters."""
    kept = (c if unicodedata.category(c)[0] != "C" else " " for c in title[: TITLE_LENGTH * 4])
    return " ".join("".join(kept).split())[:TITLE_LENGTH]


def engine() -> Callable[[int, int], Emulator]:
    """The engine for this machine: libghostty-vt, or where it has no build the slow one in Python.

    Raises:
        ImportError: neither is installed.
    """
    # The native library takes a quarter of a second to load: only panes pay for it.
    try:
        from supervisor.process.emulator_ghostty import GhosttyEmulator
    except (ImportError, OSError):
        from supervisor.process.emulator_bittty import BitttyEmulator

        return BitttyEmulator
    return GhosttyEmulator


def make_emulator(cols: int, rows: int) -> Emulator:
    """A fresh terminal of about this size (see `clamp`)."""
    return engine()(cols, rows)
