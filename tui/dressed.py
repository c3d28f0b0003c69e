"""An app that can wear every look of `themes`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor

from tui import themes

Result = TypeVar("Result")


class Dressed(App[Result], inherit_bindings=False):
    """Has to be dressed before it is shown."""

    _put_on: LineFilter | None = None

    def dress(self, look: str) -> None:
        """Put on the look named `look`, now or while it runs."""
        if self.no_color:
            # Textual takes the variable away; the agents that are started from here are to have it.
            os.environ.setdefault("NO_COLOR", "1")
        self._put_on = themes.line_filter(look)
        self.register_theme(themes.theme(look))
        self.theme = look

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Ours first: it knows colours by what they are before anything is mixed with them."""
        if isinstance(self._put_on, themes.Plain):
            return [self._put_on]
        kept = [each for each in super().get_line_filters() if not _greys(each)]
        return kept if self._put_on is None else [self._put_on, *kept]


def _greys(line_filter: LineFilter) -> bool:
    """Whether it is what Textual makes of NO_COLOR: `themes.suitable` has decided about that."""
    return isinstance(line_filter, Monochrome | NoColor)
