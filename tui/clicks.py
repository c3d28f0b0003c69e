"""Text that does something when it is clicked. Pure.

An agent's words never do: they are put into a text as plain strings, after this.
"""

from __future__ import annotations

from rich.segment import Segment
from rich.text import Text

from tui.keymap import key_shown


def clickable(text: Text, action: str) -> Text:
    """`text`, all of which does `action` of the app when clicked; `action` as in `zoom`."""
    text.apply_meta({"@click": f"app.{action}"})
    return text


def pressing(text: Text, shown: str) -> Text:
    """`text`, which when clicked does what the key does that is shown as `shown`; where that is
    no single key, as in `↑↓`, nothing."""
    key = key_shown(shown)
    return clickable(text, f"press('{key}')") if key else text


def key_line(line: str) -> Text:
    """`↑↓ read · x revoke it · esc back`, each part of which does what its key does."""
    parts = [pressing(Text(part), part.partition(" ")[0]) for part in line.split(" · ")]
    return Text(" · ").join(parts)


def action_of(segment: Segment) -> str:
    """What a click on a drawn segment does; "" for nothing."""
    return str(segment.style.meta.get("@click", "")) if segment.style else ""
