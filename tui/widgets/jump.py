"""The jump overlay: a letter on everything that can be focused or clicked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.screen import ModalScreen, Screen
from textual.widget import Widget

from tui.clicks import action_of
from tui.widgets.line import Line

_LETTERS: Final = "asdfghjklqwertyuiopzxcvbnm"  # the nearest first


@dataclass(frozen=True, slots=True)
class Target:
    """One thing to jump to, and where its letter stands."""

    at: Offset
    go: Callable[[], Awaitable[object] | object]


def names(count: int) -> list[str]:
    """`count` names of one letter each, or of two where there are more."""
    if count <= len(_LETTERS):
        return list(_LETTERS[:count])
    return ["".join(pair) for pair in product(_LETTERS, repeat=2)][:count]


def targets(screen: Screen[object]) -> list[Target]:
    """What can be focused or clicked on `screen`, from its top, each place once."""
    found: dict[Offset, Target] = {}
    for line in screen.query(Line):
        if line.is_on_screen and all(node.display for node in line.ancestors_with_self):
            for target in _clickable(line):
                found.setdefault(target.at, target)
    for widget in screen.focus_chain:
        region = screen.find_widget(widget).visible_region
        at = region.offset + Offset(1, 0)
        if region:
            found.setdefault(at, Target(at, _focuser(screen, widget)))
    return sorted(found.values(), key=lambda target: (target.at.y, target.at.x))


def _focuser(screen: Screen[object], widget: Widget) -> Callable[[], None]:
    return lambda: screen.set_focus(widget)


def _clickable(line: Line) -> Iterator[Target]:
    """Where something begins that a click does."""
    seen = set()
    area = line.content_region
    for row in range(area.height):
        column = 0
        for segment in line.render_line(row + line.gutter.top):
            action = action_of(segment)
            if action and action not in seen and segment.text.strip():
                seen.add(action)
                lead = len(segment.text) - len(segment.text.lstrip())
                at = Offset(line.region.x + column + lead, area.y + row)
                yield Target(at, _runner(line, action))
            column += segment.cell_length


def _runner(line: Line, action: str) -> Callable[[], Awaitable[object]]:
    return lambda: line.app.run_action(action, default_namespace=line)


class JumpOverlay(ModalScreen[None], inherit_bindings=False):
    """Any other key than a letter on show leaves it."""

    AUTO_FOCUS = ""

    def __init__(self) -> None:
        super().__init__()
        self.named: dict[str, Target] = {}
        self._typed = ""

    def compose(self) -> ComposeResult:
        below = self.app.screen_stack[-2] if self.app.screen is self else self.app.screen
        found = targets(below)
        self.named = dict(zip(names(len(found)), found, strict=False))
        for name, target in self.named.items():
            label = Line(classes="jump-label", id=f"jump-{name}")
            label.say(Text(name))
            label.styles.offset = (target.at.x, target.at.y)
            yield label

    async def on_key(self, event: events.Key) -> None:
        event.stop()
        self._typed += event.character or " "
        target = self.named.get(self._typed)
        if target is not None:
            self.dismiss()
            self.app.call_later(target.go)
        elif not any(name.startswith(self._typed) for name in self.named):
            self.dismiss()

    def on_click(self) -> None:
        self.dismiss()
