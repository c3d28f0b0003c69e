"""What is unsafe about a paste, and the same text without what hides in it. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

from rich.text import Text

from tui import palette
from tui.text import BLANK_LETTERS, plural, visible

_END_OF_PASTE: Final = "\x1b[201~"
_JOINERS: Final = "\u200c\u200d"  # of emoji and of scripts that need them
_SHOWN: Final = 20_000  # characters of a paste that are shown; of a longer one also its end
_SHOWN_END: Final = 1_000


def plain_lines(text: str) -> str:
    """`text` with line feeds only: terminals paste a line's end as CR, LF or both."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def risks(text: str, *, bracketed: bool) -> tuple[str, ...]:
    """Why the person is asked first; empty for a paste that is what it looks like.

    `bracketed`: the program is told where the paste begins and ends (DEC mode 2004), and can
    keep its lines from being run one by one.
    """
    found: list[str] = []
    text = plain_lines(text)
    lines = text.count("\n")
    if lines and not bracketed:
        found.append(
            f"The program takes a paste as typed keys: {plural(lines, 'line')} would be entered "
            "at once."
        )
    if _END_OF_PASTE in text:
        found.append("It pretends to end, and to go on as if it were typed (ESC [ 201 ~).")
    elif any(_is_control(c) for c in text):
        found.append("It holds control characters, which a program may take for keys.")
    if any(_is_hidden(text, at) for at in range(len(text))):
        found.append("It holds characters that are not seen, or that turn the text around.")
    return tuple(found)


def cleaned(text: str) -> str:
    """`text` without control and hidden characters; its lines stay."""
    text = plain_lines(text).replace(_END_OF_PASTE, "")
    while _END_OF_PASTE in text:
        text = text.replace(_END_OF_PASTE, "")
    return "".join(
        c for at, c in enumerate(text) if not _is_control(c) and not _is_hidden(text, at)
    )


def _is_control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\t\n"


def _is_hidden(text: str, at: int) -> bool:
    character = text[at]
    if character.isascii():
        return False
    if character in _JOINERS:
        # Between letters of ASCII it joins nothing.
        return at == 0 or text[at - 1].isascii()
    return character in BLANK_LETTERS or unicodedata.category(character) in ("Cf", "Co", "Zl", "Zp")


def shown(text: str, why: tuple[str, ...]) -> Text:
    """The whole question: why it is asked, and what would be pasted with nothing hidden in it."""
    page = Text()
    for sentence in why:
        page.append(f"▲ {sentence}\n", palette.AMBER)
    page.append(f"\n{plural(len(text), 'character')}:\n\n", palette.MUTED)
    text = plain_lines(text)
    if len(text) <= _SHOWN + _SHOWN_END:
        return page.append_text(visible(text, palette.TEXT))
    page.append_text(visible(text[:_SHOWN], palette.TEXT))
    left = len(text) - _SHOWN - _SHOWN_END
    page.append(f"\n\n… {plural(left, 'character')} not shown …\n\n", palette.AMBER)
    return page.append_text(visible(text[-_SHOWN_END:], palette.TEXT))
