"""A pane: the cells of an agent's terminal, and the person's keys for it.

What arrives are cells, already parsed by the holder; they are drawn as text and nothing else.
The leader is the one key that a focused pane lets through.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from supervisor.protocol import wire
from tui.cells import apart
from tui.keymap import LEADERS

if TYPE_CHECKING:
    from supervisor.client import PaneConnection

_WHEEL_LINES = 3
_WHEEL_UP, _WHEEL_DOWN = 4, 5  # buttons, as wire.Mouse numbers them
_SHIFT, _CTRL, _ALT = 1, 2, 4  # modifiers of wire.Mouse

# Padding has a style of its own: under NO_COLOR Textual's filter takes no segment without one.
_PLAIN = Style()
_CURSOR = Style(reverse=True)
_CURSOR_ELSEWHERE = Style(underline=True)
_LOOKING_BACK = Style(reverse=True, bold=True)


def _colour(value: int) -> Color | None:
    if value < 0:
        return None
    if value < 256:
        return Color.from_ansi(value)
    return Color.from_rgb(value >> 16 & 0xFF, value >> 8 & 0xFF, value & 0xFF)


@lru_cache(maxsize=4096)
def _style(fg: int, bg: int, attrs: int) -> Style:
    return Style(
        color=_colour(fg),
        bgcolor=_colour(bg),
        bold=bool(attrs & 1) or None,
        dim=bool(attrs & 2) or None,
        italic=bool(attrs & 4) or None,
        underline=bool(attrs & 8) or None,
        reverse=bool(attrs & 16) or None,
        strike=bool(attrs & 32) or None,
    )


def row_strip(row: Iterable[wire.RunTuple]) -> Strip:
    """A row of cells as drawn; shorter than the pane where blanks were left out."""
    return Strip([Segment(apart(text), _style(fg, bg, attrs)) for text, fg, bg, attrs in row])


def with_cursor(strip: Strip, x: int, style: Style) -> Strip:
    """`strip` with the character at cell `x` (both cells of a wide one) in `style`."""
    for width in (1, 2):
        cell = strip.crop(x, x + width)
        if cell.text.strip():
            break
    else:
        width, cell = 1, strip.crop(x, x + 1)
    # `Strip.apply_style` would put the style below what is there; a cursor lies above.
    marked = Strip([Segment(s.text, (s.style or Style()) + style) for s in cell], width)
    return Strip.join([strip.crop(0, x), marked, strip.crop(x + width)])


class TerminalPane(Widget, can_focus=True):
    """Shows one agent's terminal and forwards keys, pastes, mouse, focus and size to it."""

    ALLOW_SELECT: ClassVar[bool] = False  # the mouse is the agent's, or scrolls

    DEFAULT_CSS = """
    TerminalPane { width: 1fr; height: 1fr; }
    """

    class Ended(Message):
        """The agent has ended (`code`), or its holder has gone without a word (None)."""

        def __init__(self, pane: TerminalPane, code: int | None) -> None:
            super().__init__()
            self.pane = pane
            self.code = code

        @property
        def control(self) -> TerminalPane:
            return self.pane

    class Titled(Message):
        """The agent gave its terminal another title."""

        def __init__(self, pane: TerminalPane, title: str) -> None:
            super().__init__()
            self.pane = pane
            self.title = title

        @property
        def control(self) -> TerminalPane:
            return self.pane

    def __init__(
        self,
        connection: PaneConnection,
        *,
        ground: Style = _PLAIN,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """`ground` is what lies below all that the agent colours itself."""
        super().__init__(id=id, classes=classes)
        self._ground = ground
        self._connection = connection
        self._strips: dict[int, Strip] = {}
        self._cells = (0, 0)  # the terminal's own size: columns, rows
        self._cursor_cell = (0, 0)
        self._cursor_shown = False
        self._agent_title = ""
        self._mouse_wanted = False
        self._mouse_cell = (-1, -1, -1)  # last x, y, button reported as a move
        self._back: tuple[Strip, ...] = ()  # rows looked back at; live when empty
        self._back_offset = 0  # rows above the bottom, as the holder last said
        self._told_size = (0, 0)

    # ── What the agent shows ────────────────────────────────────────────────────────────

    def on_mount(self) -> None:
        self._take_frames()

    @work(group="frames", exit_on_error=True)
    async def _take_frames(self) -> None:
        code: int | None = None
        async for frame in self._connection.frames():
            match frame:
                case wire.Screen():
                    self._take_screen(frame)
                case wire.Scrolled():
                    self._take_scrolled(frame)
                case wire.Exited():
                    code = frame.code
                    break
        self._cursor_shown = False
        self.refresh()
        self.post_message(self.Ended(self, code))

    async def on_unmount(self) -> None:
        await self._connection.close()

    @property
    def agent_title(self) -> str:
        """The title the agent gave its terminal, sanitised by the holder."""
        return self._agent_title

    def _take_screen(self, frame: wire.Screen) -> None:
        top, cursor = self._top(), self._cursor_cell
        if frame.full:
            self._strips.clear()
        for y, row in frame.rows.items():
            self._strips[y] = row_strip(row)
        self._cells = (frame.cols, frame.height)
        self._cursor_cell, self._cursor_shown = (frame.x, frame.y), frame.cursor
        self._mouse_wanted = frame.mouse
        if frame.title != self._agent_title:
            self._agent_title = frame.title
            self.post_message(self.Titled(self, frame.title))
        if self._back:
            return  # what the person reads does not move
        if frame.full or self._top() != top:
            self.refresh()
            return
        width = self.content_size.width
        rows = {*frame.rows, cursor[1], frame.y}
        self.refresh(*(Region(0, y - top, width, 1) for y in rows))

    def _take_scrolled(self, frame: wire.Scrolled) -> None:
        self._back_offset = frame.offset
        self._back = tuple(row_strip(row) for row in frame.rows) if frame.offset else ()
        self.refresh()

    def _top(self) -> int:
        """First row shown. Not 0 only where the terminal is higher than this widget: then the
        cursor's part of it is shown."""
        height, missing = self.content_size.height, self._cells[1] - self.content_size.height
        return min(max(self._cursor_cell[1] - height + 1, 0), max(missing, 0))

    def render_line(self, y: int) -> Strip:
        strip = self._line(y)
        return strip.apply_style(self._ground) if self._ground else strip

    def _line(self, y: int) -> Strip:
        width = self.content_size.width
        if self._back:
            strip = self._back[y] if y < len(self._back) else Strip.blank(0, _PLAIN)
            strip = strip.crop_extend(0, width, _PLAIN)
            if y == 0:
                label = f" ↑ {self._back_offset} "
                mark = Strip([Segment(label, _LOOKING_BACK)], len(label))
                strip = Strip.join([strip.crop(0, max(width - len(label), 0)), mark])
            return strip.crop_extend(0, width, _PLAIN)
        row = y + self._top()
        strip = self._strips.get(row, Strip.blank(0, _PLAIN)).crop_extend(0, width, _PLAIN)
        x, cursor_row = self._cursor_cell
        if self._cursor_shown and row == cursor_row and x < width:
            strip = with_cursor(strip, x, _CURSOR if self.has_focus else _CURSOR_ELSEWHERE)
        return strip

    # ── What the person does ────────────────────────────────────────────────────────────

    async def on_key(self, event: events.Key) -> None:
        if event.key in LEADERS:
            return  # bubbles to the app, which alone knows what comes after it
        event.stop()
        event.prevent_default()
        self._to_live()
        self._connection.key(event.key, event.character or "")

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        self._to_live()
        self._connection.paste(event.text)

    def on_focus(self) -> None:
        self._connection.focus(True)
        self._refresh_cursor()

    def on_blur(self) -> None:
        self._connection.focus(False)
        self._refresh_cursor()

    def on_resize(self) -> None:
        size = (self.content_size.width, self.content_size.height)
        if size != self._told_size:
            self._told_size = size
            if all(size):
                self._to_live()
                self._connection.resize(*size)

    def _refresh_cursor(self) -> None:
        y = self._cursor_cell[1] - self._top()
        self.refresh(Region(0, y, self.content_size.width, 1))

    def look_back(self, rows: int) -> None:
        """Scroll `rows` up into what has scrolled off, or down again when negative."""
        if rows < 0 and not self._back:
            return
        offset = max(self._back_offset + rows, 0)
        self._connection.scroll(offset, self.content_size.height)

    def _to_live(self) -> None:
        if self._back:
            self._back, self._back_offset = (), 0
            self._connection.scroll(0, self.content_size.height)
            self.refresh()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, _WHEEL_UP, _WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, _WHEEL_DOWN, -_WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, button: int, rows: int) -> None:
        event.stop()
        event.prevent_default()
        if self._mouse_wanted and not self._back:
            self._mouse("press", button, event)
        else:
            self.look_back(rows)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._mouse_wanted:
            event.stop()
            self.capture_mouse()  # a drag goes on being the agent's outside the pane
            self._mouse("press", event.button, event)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        if self._mouse_wanted:
            event.stop()
            self._mouse("release", event.button, event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        cell = (event.x, event.y, event.button)
        if self._mouse_wanted and cell != self._mouse_cell:
            self._mouse_cell = cell
            self._mouse("move", event.button, event)

    def _mouse(self, action: str, button: int, event: events.MouseEvent) -> None:
        gutter = self.gutter
        x, y = event.x - gutter.left, event.y - gutter.top + self._top()
        mods = _SHIFT * event.shift | _CTRL * event.ctrl | _ALT * event.meta
        self._connection.mouse(action, button, max(x, 0), max(y, 0), mods)
