"""Pure helpers that turn values into what a person reads. No widget, no I/O."""

from __future__ import annotations

import math
import time
import unicodedata
from collections.abc import Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.style import Style
from rich.text import Text

from supervisor.model import KillMode, TaskState
from tui import palette

# Letters that are drawn as nothing, though Unicode does not class them as format characters.
BLANK_LETTERS: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_UNSAFE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Mn", "Me"})
# Wrapping asks a console for its width only; the width given with each call decides.
_MEASURE: Final = Console(width=80, no_color=True)
_ESCAPED: Final = Style(color=palette.AMBER, reverse=True)
_FOREIGN: Final = Style(color=palette.AMBER, underline=True)

STATE_SYMBOL: Final[dict[TaskState, str]] = {
    TaskState.STARTING: "◌",
    TaskState.WORKING: "●",
    TaskState.WAITING_APPROVAL: "▲",
    TaskState.WAITING_YOU: "◐",
    TaskState.IDLE: "○",
    TaskState.FROZEN: "❄",
    TaskState.REVOKED: "✕",
    TaskState.ENDED: "■",
    TaskState.LOST: "†",
}

STATE_COLOUR: Final[dict[TaskState, str]] = {
    TaskState.STARTING: palette.MUTED,
    TaskState.WORKING: palette.GREEN,
    TaskState.WAITING_APPROVAL: palette.AMBER,
    TaskState.WAITING_YOU: palette.BLUE,
    TaskState.IDLE: palette.MUTED,
    TaskState.FROZEN: palette.ICE,
    TaskState.REVOKED: palette.RED,
    TaskState.ENDED: palette.MUTED,
    TaskState.LOST: palette.RED,
}


def task_state(value: str) -> TaskState:
    """The state named `value`; one we do not know is shown as working, the least calm one."""
    try:
        return TaskState(value)
    except ValueError:
        return TaskState.WORKING


def program(agent: str) -> str:
    """The shortest name of an agent: `claude` of `claude-code 2.1.330`."""
    return agent.partition(" ")[0].partition("-")[0]


def is_plain(character: str) -> bool:
    """Whether a character shows as itself, in cells of its own, and cannot be mistaken."""
    if character == " ":
        return True
    category = unicodedata.category(character)
    return (
        category not in _UNSAFE
        and category != "Zs"
        and character not in BLANK_LETTERS
        and cell_len(character) > 0
    )


def spelled(character: str) -> str:
    """How a character that does not show as itself is written."""
    return f"⟨U+{ord(character):04X}⟩"


def visible(source: str, style: str = "") -> Text:
    """`source` with nothing hidden in it, for text that a person decides about.

    Control, bidi, zero-width, combining and blank characters are spelled out as `⟨U+202E⟩`;
    a line feed is shown as `⏎` and breaks the line; other characters outside ASCII are
    underlined, since they may look like ones inside it.
    """
    text = Text(style=style, no_wrap=False, overflow="fold")
    for character in source:
        if character == "\n":
            text.append("⏎", _ESCAPED)
            text.append("\n")
        elif not is_plain(character):
            text.append(spelled(character), _ESCAPED)
        elif character.isascii():
            text.append(character)
        else:
            text.append(character, _FOREIGN)
    return text


def one_line(source: str) -> str:
    """`source` as one safe line for lists and titles: what does not show becomes `·`."""
    return "".join(character if is_plain(character) else "·" for character in source)


def clip(source: str, cells: int) -> str:
    """`one_line(source)` in at most `cells` cells, with `…` where something is missing."""
    line = one_line(source)
    if cell_len(line) <= cells:
        return line
    if cells <= 1:
        return "…"[:cells]
    kept, used = [], 0
    for character in line:
        used += cell_len(character)
        if used > cells - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def pad(source: str, cells: int) -> str:
    """`source` clipped and filled to exactly `cells` cells."""
    line = clip(source, cells)
    return line + " " * (cells - cell_len(line))


def span(seconds: float) -> str:
    """A duration in its largest fitting unit: `7s`, `31m`, `2h05`, `3d`."""
    whole = max(0, math.ceil(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m"
    if whole < 48 * 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 86400}d"


def watch(seconds: float) -> str:
    """A duration as a stopwatch shows it: `0:19`, `12:07`, `1:04:00`."""
    whole = max(0, int(seconds))
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def time_of_day(at: float) -> str:
    """Local wall-clock time of a POSIX time: `14:02:11`."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def moment(at: float, now: float) -> str:
    """A time for a list, in eleven cells: of today by the second, else with its day."""
    then = time.localtime(at)
    same = then[:3] == time.localtime(now)[:3]
    return time.strftime("%H:%M:%S" if same else "%m-%d %H:%M", then)


def bar(left: float, whole: float, cells: int = 5) -> str:
    """What is left of a span as `▰▰▱▱▱`. Only what is over is empty."""
    share = 0.0 if whole <= 0 else min(1.0, max(0.0, left / whole))
    full = math.ceil(share * cells)
    return "▰" * full + "▱" * (cells - full)


def urgency(left: float) -> str:
    """Colour of a countdown with `left` seconds to go."""
    if left <= 10:
        return palette.RED
    return palette.AMBER if left <= 60 else palette.TEAL


def kill_words(mode: KillMode, bound: float) -> str:
    """How a credential dies after a revocation, and within what time."""
    limit = f"<{max(1, round(bound * 1000))} ms" if bound < 1 else f"≤{span(bound)}"
    return {
        KillMode.WIRE: f"cut on the wire {limit}",
        KillMode.VERIFIER: f"dies at its expiry {limit}",
        KillMode.UPSTREAM: f"deleted upstream {limit}",
    }[mode]


def hang(label: str, value: Text, width: int, indent: int) -> list[Text]:
    """`value` wrapped to `width` cells beside its label, later lines under its first.

    A label that leaves no space before the value has a line of its own, above it.
    """
    room = max(8, width - indent)
    lines = list(value.wrap(_MEASURE, room, overflow="fold")) or [Text()]
    hung = []
    if label and cell_len(label.rstrip()) >= indent:
        hung.append(Text(clip(label, width), palette.MUTED, no_wrap=True))
        label = ""
    for number, line in enumerate(lines):
        text = Text(no_wrap=True).append("" if number else label, palette.MUTED)
        text.append(" " * max(0, indent - text.cell_len))
        line.rstrip()
        hung.append(text.append_text(line))
    return hung


def table(rows: Sequence[tuple[str, Text]], width: int, indent: int) -> Text:
    """Labelled rows as one text; a row without a label and value is an empty line."""
    lines = [line for label, value in rows for line in hang(label, value, width, indent)]
    return Text("\n").join(lines)


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
