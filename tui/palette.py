"""The colours, in one place: as a Textual theme and as names for Rich text.

Colour never carries a meaning alone: every state has a symbol and a word as well, so that the
screen reads the same under NO_COLOR.
"""

from __future__ import annotations

from typing import Final

from textual.theme import Theme

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

THEME: Final = Theme(
    name="taskpass",
    primary=TEAL,
    secondary=BLUE,
    accent=AMBER,
    warning=AMBER,
    error=RED,
    success=GREEN,
    foreground=TEXT,
    background=INK,
    surface=SURFACE,
    panel=PANEL,
    dark=True,
    variables={
        "line": LINE,
        "muted": MUTED,
        "ice": ICE,
        "block-cursor-background": LINE,
        "block-cursor-foreground": TEXT,
        "block-cursor-text-style": "bold",
        "input-cursor-background": TEAL,
        "border": TEAL,
        "border-blurred": LINE,
        "scrollbar": LINE,
        "scrollbar-background": SURFACE,
        "scrollbar-hover": MUTED,
        "scrollbar-active": TEAL,
    },
)
