"""Programs of which an option for help makes all other words idle."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.reading import Word


@reader
def prints_help(invocation: Invocation, words: Sequence[Word]) -> None:
    """Only help is printed, whatever else is said."""
    invocation.act = ""
