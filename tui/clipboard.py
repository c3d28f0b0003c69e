"""An agent's wish to write to the person's clipboard, in words. Pure."""

from __future__ import annotations

from rich.text import Text

from tui.paste import cleaned, shown
from tui.text import clip, plural

_FIRST_LINE = 24  # cells of it in the notice


def notice(text: str, chord: str) -> str:
    """One line that tells of it, and the keys that answer."""
    first = clip(text.lstrip("\n").partition("\n")[0], _FIRST_LINE)
    return f"▲ {chord}: for your clipboard, {plural(len(text), 'character')}: “{first}”"


def page(text: str) -> Text:
    """The whole of it, with nothing hidden in it."""
    why = ["The agent in this pane wants to replace what is on your clipboard."]
    if cleaned(text) != text:
        why.append("Control and hidden characters in it are left out when it is copied.")
    return shown(text, tuple(why))
