"""A pane: the cells of an agent's terminal, and the person's keys for it.

What arrives are cells, already parsed by the holder; they are drawn as text and nothing else.
The leader is the one key that a focused pane lets through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from supervisor.protocol import wire
from tui.keymap import LEADERS
from tui.widgets.painting import Painter
from tui.widgets.rows import PLAIN, row_strip, with_cursor

if TYPE_CHECKING:
    from supervisor.client import PaneConnection

_WHEEL_LINES = 3
_WHEEL_UP, _WHEEL_DOWN = 4, 5  # buttons, as wire.Mouse numbers them
_SHIFT, _CTRL, _ALT = 1, 2, 4  # modifiers of wire.Mouse

_CURSOR = Style(reverse=True)
_CURSOR_ELSEWHERE = Style(underline=True)
_LOOKING_BACK = Style(reverse=True, bold=True)


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
        ground: Style = PLAIN,
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
        self._drawn_size = (0, 0)  # columns and rows that are drawn; see `_measure`
        self._painter = Painter(self)

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
        width, _ = self._measure()
        top, cursor = self._top(), self._cursor_cell
        if frame.full:
            self._strips.clear()
        for y, row in frame.rows.items():
            self._strips[y] = row_strip(row, width, self._ground)
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
        lines = [y - top for y in {*frame.rows, cursor[1], frame.y}]
        if not self._painter.paint(lines):
            self.refresh(*(Region(0, y, width, 1) for y in lines))

    def _take_scrolled(self, frame: wire.Scrolled) -> None:
        self._back_offset = frame.offset
        width, _ = self._measure()
        rows = frame.rows if frame.offset else ()
        self._back = tuple(row_strip(row, width, self._ground) for row in rows)
        self.refresh()

    def _top(self) -> int:
        """First row shown. Not 0 only where the terminal is higher than this widget: then the
        cursor's part of it is shown."""
        _, height = self._drawn_size
        return min(max(self._cursor_cell[1] - height + 1, 0), max(self._cells[1] - height, 0))

    def _measure(self) -> tuple[int, int]:
        """Columns and rows there are now, for `render_line`. Textual finds them out by looking
        for the widget in its map: once a frame, not for every line."""
        self._drawn_size = self.content_size.width, self.content_size.height
        return self._drawn_size

    def render_lines(self, crop: Region) -> list[Strip]:
        # Rows are kept as they are drawn, and there is no border or padding to put around them:
        # Textual's own way would keep them a second time, and not know what was painted since.
        self._measure()
        strips = [self.render_line(y) for y in crop.line_range]
        background = self.background_colors[1]
        for line_filter in self.get_line_filters():
            strips = [strip.apply_filter(line_filter, background) for strip in strips]
        x1, x2 = crop.column_span
        return [strip.crop(x1, x2) for strip in strips]

    def render_line(self, y: int) -> Strip:
        width, _ = self._drawn_size
        if self._back:
            strip = self._back[y] if y < len(self._back) else Strip.blank(0, self._ground)
            strip = strip.crop_extend(0, width, self._ground)
            if y == 0:
                label = f" ↑ {self._back_offset} "
                mark = Strip([Segment(label, self._ground + _LOOKING_BACK)], len(label))
                strip = Strip.join([strip.crop(0, max(width - len(label), 0)), mark])
            return strip.crop_extend(0, width, self._ground)
        row = y + self._top()
        strip = self._strips.get(row) or Strip.blank(width, self._ground)
        if strip.cell_length != width:
            strip = strip.crop_extend(0, width, self._ground)
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
        size = self._measure()
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
