"""Rows of a pane's cells as what Textual draws. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from supervisor.protocol import holder_wire
from tui.cells import apart

# Padding has a style of its own: under NO_COLOR Textual's filter takes no segment without one.
PLAIN = Style()


def _colour(value: int) -> Color | None:
    if value < 0:
        return None
    if value < 256:
        return Color.from_ansi(value)
    return Color.from_rgb(value >> 16 & 0xFF, value >> 8 & 0xFF, value & 0xFF)


@lru_cache(maxsize=4096)
def _style(fg: int, bg: int, attrs: int, ground: Style) -> Style:
    return ground + Style(
        color=_colour(fg),
        bgcolor=_colour(bg),
        bold=bool(attrs & 1) or None,
        dim=bool(attrs & 2) or None,
        italic=bool(attrs & 4) or None,
        underline=bool(attrs & 8) or None,
        reverse=bool(attrs & 16) or None,
        strike=bool(attrs & 32) or None,
    )


def row_strip(row: Iterable[holder_wire.RunTuple], width: int = 0, ground: Style = PLAIN) -> Strip:
    """A row of cells over `ground`, made as wide as the pane where blanks were left out."""
    segments: list[Segment] = []
    taken = 0
    for text, fg, bg, attrs in row:
        shown = apart(text)
        taken += len(shown) if shown.isascii() else cell_len(shown)
        segments.append(Segment(shown, _style(fg, bg, attrs, ground)))
    if taken < width:
        segments.append(Segment(" " * (width - taken), ground))
        taken = width
    return Strip(segments, taken)


def with_cursor(strip: Strip, x: int, style: Style) -> Strip:
    """`strip` with the character at cell `x` (both cells of a wide one) in `style`."""
    for width in (1, 2):
        cell = strip.crop(x, x + width)
        if cell.text.strip():
            break
    else:
        width, cell = 1, strip.crop(x, x + 1)
    # `Strip.apply_style` would put the style below what is there; a cursor lies above.
    marked = Strip([Segment(s.text, (s.style or Style()) + style) for s in cell], width)
    return Strip.join([strip.crop(0, x), marked, strip.crop(x + width)])
