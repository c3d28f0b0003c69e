"""Draws changed lines of a widget on the person's terminal at once.

For any change, Textual's compositor waits for its timer, and then asks every widget of the screen
for all of its lines: too long for the echo of a key, and too dear for four panes at thirty frames a
second. A widget that lies in front, and whose lines are as they are drawn, can do without: what is
sent is what the compositor would have sent for these lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import CompositorUpdate
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

_HERE = "\0"  # stands for the text while the codes around it are made


class _Lines(CompositorUpdate):
    """Some lines, ready to be written."""

    def __init__(self, written: str) -> None:
        self._written = written

    def render_segments(self, console: Console) -> str:
        return self._written


class Painter:
    """Paints lines of one widget, which has no border, padding or opacity of its own."""

    def __init__(self, widget: Widget) -> None:
        self._widget = widget
        self._map: object = None  # the compositor's, for which `_place` holds
        self._place: Region | None = None
        self._looks: tuple[Any, ...] = ()  # filters and background, for which `_codes` holds
        self._codes: dict[Style | None, tuple[str, str]] = {}

    def paint(self, lines: Iterable[int]) -> bool:
        """Draw these lines, counted from the widget's top; those outside of it are left out.

        Returns:
            False where only the compositor can: something lies over the widget, or is going to.
        """
        widget = self._widget
        app = widget.app
        screen = widget.screen
        if (
            app.is_headless
            or app.is_inline
            or app._batch_count
            or app.screen is not screen
            or screen._layout_required
            or not widget.is_attached
        ):
            return False
        place = self._uncovered(screen._compositor.visible_widgets)
        if place is None:
            return False
        self._follow_looks()
        column = place.x + 1
        written: list[str] = []
        for y in lines:
            if 0 <= y < place.height:
                written.append(f"\x1b[{place.y + y + 1};{column}H")
                self._write(widget.render_line(y), written)
        if written:
            app._display(screen, _Lines("".join(written)))  # type: ignore[arg-type]
        return True

    def _uncovered(self, visible: dict[Widget, tuple[Region, Region]]) -> Region | None:
        """Where the widget stands, if nothing covers or cuts it. The map is a new one after every
        layout, and has what lies in front first."""
        if visible is not self._map:
            self._map, self._place = visible, None
            own, clip = visible.get(self._widget, (Region(), Region()))
            if own and clip.contains_region(own):
                for other, (region, cut) in visible.items():
                    if other is self._widget:
                        self._place = own
                        break
                    if region.intersection(cut).overlaps(own):
                        break
        return self._place

    def _follow_looks(self) -> None:
        widget = self._widget
        looks = (*widget.get_line_filters(), widget.background_colors[1], widget.app.console)
        if looks != self._looks:
            self._looks = looks
            self._codes.clear()

    def _write(self, strip: Strip, written: list[str]) -> None:
        codes = self._codes
        for text, style, _ in strip:
            found = codes.get(style)
            if found is None:
                found = codes[style] = self._around(style)
            before, after = found
            written.append(f"{before}{text}{after}")

    def _around(self, style: Style | None) -> tuple[str, str]:
        """What comes before and after text of this style."""
        *filters, background, console = self._looks
        strip = Strip([Segment(_HERE, style)], 1)
        for line_filter in filters:
            strip = strip.apply_filter(line_filter, background)
        before, _, after = strip.render(console).partition(_HERE)
        return before, after
