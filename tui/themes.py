"""The looks of the screen, and how one is put on.

Everything is drawn in the colours that `palette` names, which are the dark theme's. For any other
look a filter replaces them as the last thing before a line is shown, so that no part of the screen
knows which one it is. Without colour only bold, reverse, underline and strike are left: every
state has a symbol and a word.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

from tui import palette


@dataclass(frozen=True)
class Look:
    """One look.

    Attributes:
        about: in words, for the palette of commands.
        colours: name in `palette` → `#rrggbb`; what is missing is as in the dark one.
        dark: the ground is darker than the text.
        plain: no colour at all.
    """

    about: str
    colours: Mapping[str, str] = field(default_factory=dict)
    dark: bool = True
    plain: bool = False

    def colour(self, name: str) -> str:
        return self.colours.get(name, palette.NAMED[name])


LOOKS: Final = {
    "dark": Look("light text on a dark ground"),
    "light": Look(
        "dark text on a light ground",
        {
            "INK": "#fcfcfa", "SURFACE": "#f1f4f6", "PANEL": "#e6ebf0", "LINE": "#c3ccd6",
            "TEXT": "#1a222b", "MUTED": "#55616e", "TEAL": "#0a6659", "BLUE": "#2450b8",
            "AMBER": "#7d4f00", "RED": "#ab1f1a", "GREEN": "#23642b", "ICE": "#0b5c83",
        },
        dark=False,
    ),
    "high-contrast": Look(
        "the strongest contrast, on black",
        {
            "INK": "#000000", "SURFACE": "#000000", "PANEL": "#16181a", "LINE": "#4a525a",
            "TEXT": "#ffffff", "MUTED": "#cfd6dd", "TEAL": "#4ff0da", "BLUE": "#a9c4ff",
            "AMBER": "#ffcf4d", "RED": "#ff9d99", "GREEN": "#7dff86", "ICE": "#a6e6ff",
        },
    ),
    "no-colour": Look("bold, reverse and underline only", plain=True),
}  # fmt: skip

# Grounds that stand out carry a meaning: without colour they are reversed.
_LOUD: Final = frozenset({"LINE", "TEAL", "BLUE", "AMBER", "RED", "GREEN", "ICE"})


def suitable(chosen: str) -> str:
    """The look for this terminal: the chosen one, else what its variables ask for.

    A choice wins over NO_COLOR (https://no-color.org); a terminal without colours wins over both.
    """
    if os.environ.get("TERM", "") in ("dumb", "linux-m", "vt100", "vt102", "vt220", "xterm-mono"):
        return "no-colour"
    if chosen:
        return chosen
    return "no-colour" if os.environ.get("NO_COLOR") else "dark"


def theme(name: str) -> Theme:
    """The look `name` for Textual's style sheets."""
    look = LOOKS[name]
    c = look.colour
    return Theme(
        name=name,
        primary=c("TEAL"), secondary=c("BLUE"), accent=c("AMBER"), warning=c("AMBER"),
        error=c("RED"), success=c("GREEN"), foreground=c("TEXT"), background=c("INK"),
        surface=c("SURFACE"), panel=c("PANEL"), dark=look.dark,
        variables={
            # As they are: Textual rounds the colours above once more.
            **{each.lower(): c(each) for each in palette.NAMED},
            "block-cursor-background": c("LINE"), "block-cursor-foreground": c("TEXT"),
            "block-cursor-text-style": "bold", "input-cursor-background": c("TEAL"),
            "border": c("TEAL"), "border-blurred": c("LINE"),
            "scrollbar": c("LINE"), "scrollbar-background": c("SURFACE"),
            "scrollbar-hover": c("MUTED"), "scrollbar-active": c("TEAL"),
        },
    )  # fmt: skip


def line_filter(name: str) -> LineFilter | None:
    """What puts the look `name` on a line; None for the one in which lines are drawn."""
    look = LOOKS[name]
    if look.plain:
        return Plain()
    return Recolour(look) if look.colours else None


class Recolour(LineFilter):
    """Colours of the palette become those of a look; what an agent coloured itself stays.

    A colour that an agent chose and that happens to be one of ours changes with it, which does
    no harm.
    """

    def __init__(self, look: Look) -> None:
        super().__init__()
        self._instead = {
            RichColor.parse(drawn).triplet: RichColor.parse(look.colour(name))
            for name, drawn in palette.NAMED.items()
        }

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, self._style(style), None) for text, style, _ in segments]

    @lru_cache(2048)  # noqa: B019 - there are as many as there are looks
    def _style(self, style: Style | None) -> Style | None:
        if style is None:
            return None
        color, ground = self._of(style.color), self._of(style.bgcolor)
        if color is None and ground is None:
            return style
        return style + Style.from_color(color, ground)

    def _of(self, colour: RichColor | None) -> RichColor | None:
        return self._instead.get(colour.triplet) if colour is not None else None


class Plain(LineFilter):
    """No colours. A ground that stands out, and the cursor's, are reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [Segment(text, _plain(style), None) for text, style, _ in segments]


_LOUD_COLOURS: Final = {
    RichColor.parse(palette.NAMED[name]).triplet for name in _LOUD
}  # fmt: skip


@lru_cache(2048)
def _plain(style: Style | None) -> Style:
    # A style of its own for what has none: Textual's renderer takes no segment without one.
    if style is None:
        return Style()
    loud = style.bgcolor is not None and style.bgcolor.triplet in _LOUD_COLOURS
    bare = style.without_color + Style.from_meta(style.meta)
    return bare + Style(reverse=not style.reverse) if loud else bare
