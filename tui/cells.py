"""An agent's text in characters about whose width the person's terminal agrees.

A pane's rows are laid out by grapheme clusters (DEC mode 2027). A terminal without that mode, as
xterm, tmux and most others are, draws 👨‍👩‍👧 as three wide characters: it would run over the pane's
edge, and an agent could write into what stands beside it. One that says it has the mode is given
emoji whole, and nothing else that joins.
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

# Emoji (UTS #51) that every terminal with the mode takes for one character of two cells: only
# pictographs join each other (UAX #29, GB11), so only these may stand around a joiner.
_PICTURE: Final = (
    "[\U0001f300-\U0001f3fa\U0001f400-\U0001f64f\U0001f680-\U0001f6ff"
    "\U0001f90c-\U0001f93a\U0001f93c-\U0001f945\U0001f947-\U0001faff]"
    "[\ufe0f\U0001f3fb-\U0001f3ff]?"
)
_SIGN: Final = "[☀☁☎☑☝☠☮☯☹☺♀♂♠♣♥♦♻⚒⚔⚕⚖⚙⚛⚜⚠⚧⛹✂✈✉✌✍✏✒✔✖✝✡✨❄❌❤➡↔↕⬅⬆⬇⬛]"
_WHOLE: Final = re.compile(f"(?:{_PICTURE}|{_SIGN}\ufe0f)(?:\u200d(?:{_PICTURE}|{_SIGN}\ufe0f?))*")

# One process draws on one terminal. Nothing is taken for granted before it has answered.
_terminal_joins = False


def terminal_joins(joins: bool) -> None:
    """Whether the person's terminal joins characters, as it says itself."""
    global _terminal_joins
    _terminal_joins = joins
    apart.cache_clear()


@lru_cache(maxsize=4096)
def apart(text: str) -> str:
    """`text`, as wide as it was, without what joins characters or hides between them.

    Of a joined emoji its first part is kept, of a flag its two letters; marks stay on their
    letters. Where the terminal joins them, these two stay whole.
    """
    if _ALONE.fullmatch(text):
        return text
    clusters = [(text[start:end], cells) for start, end, cells in split_graphemes(text)[0]]
    if _terminal_joins:
        return _joined(clusters)
    return "".join(_certain(cluster, cells) for cluster, cells in clusters)


def _joined(clusters: list[tuple[str, int]]) -> str:
    shown: list[str] = []
    letter = ""  # the first of a flag's two
    for cluster, cells in clusters:
        if len(cluster) == 1 and ord(cluster) in _FLAG_LETTERS:
            if letter:
                shown[-1], letter = letter + cluster, ""
                continue
            letter = cluster
        else:
            letter = ""
        whole = cells == 2 and _WHOLE.fullmatch(cluster)
        shown.append(cluster if whole else _certain(cluster, cells))
    return "".join(shown)


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
