"""The names of the colours in which everything is drawn; they are the dark theme's.

`themes` replaces them for another look. Colour never carries a meaning alone: every state has a
symbol and a word as well, so that the screen reads the same without any.
"""

from __future__ import annotations

from typing import Final

INK: Final = "#0f1318"
SURFACE: Final = "#151b22"
PANEL: Final = "#1d252e"
LINE: Final = "#2c3743"
TEXT: Final = "#d5dde5"
MUTED: Final = "#8593a1"
TEAL: Final = "#62c7b6"
BLUE: Final = "#86aaf5"
AMBER: Final = "#f0b550"
RED: Final = "#f2716d"
GREEN: Final = "#86ce8b"
ICE: Final = "#8fd3f4"

NAMED: Final = {
    "INK": INK, "SURFACE": SURFACE, "PANEL": PANEL, "LINE": LINE, "TEXT": TEXT, "MUTED": MUTED,
    "TEAL": TEAL, "BLUE": BLUE, "AMBER": AMBER, "RED": RED, "GREEN": GREEN, "ICE": ICE,
}  # fmt: skip
