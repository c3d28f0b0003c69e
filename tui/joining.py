"""Whether the person's terminal joins characters to one (DEC mode 2027): asked when the app starts.

The mode is left as it is: whoever has it off has reasons, and a shell comes after us.
"""

from __future__ import annotations

import os
from typing import Any

from textual.app import App

from tui.cells import terminal_joins

_QUERY = "\x1b[?2027$p"  # DECRQM
_SET, _ALWAYS_SET = 1, 3  # of its answers, as DECRPM numbers them


def ask(app: App[Any]) -> None:
    """The answer comes as `keys.JoiningTold`, or never. Apple's terminal prints the question."""
    driver = app._driver
    if driver is not None and os.environ.get("TERM_PROGRAM") != "Apple_Terminal":
        driver.write(_QUERY)


def answered(setting: int) -> None:
    """Show whole what the terminal joins, from the next frame on."""
    terminal_joins(setting in (_SET, _ALWAYS_SET))
