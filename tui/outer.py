"""Notifications of the desktop by way of the person's own terminal. Pure.

OSC 777 (`notify;title;body`, from rxvt-unicode) is known to ghostty, WezTerm, foot, contour and
some builds of VTE; OSC 9 (iTerm2's, a text alone) to kitty and most others that know any. Who knows
neither ignores both. tmux hands on what is wrapped, where `allow-passthrough` is on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_WITH_777: Final = ("ghostty", "wezterm", "foot", "rxvt", "contour")
_WITH_9: Final = ("kitty", "iterm")
_WITH_NEITHER: Final = ("linux", "dumb")  # of TERM: may print what they do not know


def _names(environ: Mapping[str, str]) -> str:
    found = (environ.get(name, "") for name in ("TERM", "TERM_PROGRAM", "LC_TERMINAL"))
    return " ".join(found).lower()


def sequence(title: str, body: str, environ: Mapping[str, str]) -> str:
    """What has this terminal show a notification; "" for one that may print it instead.

    Args:
        title, body: without control characters; a `;` in the title would end it.
    """
    if environ.get("TERM", "") in _WITH_NEITHER:
        return ""
    names = _names(environ)
    if any(name in names for name in _WITH_777) or environ.get("VTE_VERSION"):
        text = f"\x1b]777;notify;{title.replace(';', ',')};{body}\x07"
    else:
        text = f"\x1b]9;{title}: {body}\x07"
    if environ.get("TMUX"):
        return "\x1bPtmux;" + text.replace("\x1b", "\x1b\x1b") + "\x1b\\"
    return text


def surely_shown(environ: Mapping[str, str]) -> bool:
    """Whether this terminal is known to show what `sequence` makes."""
    names = _names(environ)
    return not environ.get("TMUX") and any(name in names for name in (*_WITH_777, *_WITH_9))
