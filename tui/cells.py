"""An agent's text in characters whose width every terminal agrees about. Pure.

A pane's rows are laid out by grapheme clusters (DEC mode 2027). A terminal without that mode, as
xterm, tmux and most others are, draws 👨‍👩‍👧 as three wide characters: it would run over the pane's
edge, and an agent could write into what stands beside it.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from rich.cells import get_character_cell_size, split_graphemes

# Blocks in which no character joins another one, and none is invisible: most of what is printed.
_ALONE: Final = re.compile(
    "[ -\u00ac\u00ae-\u02ff\u2010-\u2027\u2030-\u205e\u20a0-\u20cf\u2100-\u2cee"
    "\u3001-\u3029\u3031-\u3098\u309b-\ua48f\uac00-\ud7a3]*"
)
_MOST_MARKS: Final = 3  # above or below one letter; a tower of them is drawn over other rows
_FLAG_LETTERS: Final = range(0x1F1E6, 0x1F200)
_SKINS: Final = range(0x1F3FB, 0x1F400)
_SELECTORS: Final = (range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_UNKNOWN: Final = "\ufffd"


@lru_cache(maxsize=4096)
def apart(text: str) -> str:
    """`text`, as wide as it was, without what joins characters or hides between them.

    Of a joined emoji its first part is kept, of a flag its two letters; marks stay on their
    letters.
    """
    if _ALONE.fullmatch(text):
        return text
    return "".join(
        _certain(text[start:end], cells) for start, end, cells in split_graphemes(text)[0]
    )


def _certain(cluster: str, cells: int) -> str:
    cluster = unicodedata.normalize("NFC", cluster)
    if ord(cluster[0]) in _FLAG_LETTERS:
        kept = "".join(chr(ord(c) - _FLAG_LETTERS[0] + ord("A")) for c in cluster[:cells])
        return kept.ljust(cells)
    shown = [c for c in cluster if not _joins(c)]
    if len(shown) == len(cluster) and _width(cluster) == cells:
        marks = [c for c in cluster if unicodedata.combining(c) or unicodedata.category(c) == "Me"]
        if len(marks) <= _MOST_MARKS:
            return cluster
    if not shown or shown[0] != cluster[0] or get_character_cell_size(shown[0]) > cells:
        return _UNKNOWN[:cells].ljust(cells)
    marks = [c for c in shown[1:] if unicodedata.category(c) == "Mn"][:_MOST_MARKS]
    return "".join((shown[0], *marks, " " * (cells - get_character_cell_size(shown[0]))))


def _joins(character: str) -> bool:
    """Whether it changes what stands beside it, or takes a cell of its own in some terminals."""
    number, category = ord(character), unicodedata.category(character)
    return (
        category == "Cf"
        or (category == "Mc" and not get_character_cell_size(character))
        or number == 0x034F  # the grapheme joiner
        or number in _SKINS
        or any(number in selectors for selectors in _SELECTORS)
    )


def _width(text: str) -> int:
    return sum(map(get_character_cell_size, text))
