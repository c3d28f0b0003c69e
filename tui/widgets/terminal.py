"""A pane: the cells of an agent's terminal, and the person's keys for it.

What arrives are cells, already parsed by the holder; they are drawn as text and nothing else.
The leader is the one key that a focused pane lets through.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from rich.style import Style
from textual import events, work
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip

from supervisor.protocol import clipboard, holder_wire, reading
from tui.clipboard import notice
from tui.copymode import CopyMode
from tui.keymap import DEFAULT, Keymap
from tui.paste import risks
from tui.text import plural
from tui.widgets.asking import Asking
from tui.widgets.links import Link, Links
from tui.widgets.painting import Painter
from tui.widgets.reading import Reader, labelled
from tui.widgets.rows import PLAIN, row_strip, with_cursor
from tui.widgets.selecting import MouseSelection

if TYPE_CHECKING:
    from supervisor.client_pane import PaneConnection

_WHEEL_LINES = 3
_LEFT, _WHEEL_UP, _WHEEL_DOWN = 1, 4, 5  # buttons, as holder_wire.Mouse numbers them
_SHIFT, _CTRL, _ALT = 1, 2, 4  # modifiers of holder_wire.Mouse

_CURSOR = Style(reverse=True)
_CURSOR_ELSEWHERE = Style(underline=True)


class TerminalPane(Asking, can_focus=True):
    """Shows one agent's terminal and forwards keys, pastes, mouse, focus and size to it."""

    ALLOW_SELECT: ClassVar[bool] = False  # the mouse is the agent's, or selects here

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
        keys: Callable[[], Keymap] = lambda: DEFAULT,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """
        Args:
            ground: what lies below all that the agent colours itself.
            keys: those in force, of which the leader is not the agent's.
        """
        super().__init__(connection, id=id, classes=classes)
        self._keys = keys
        self._ground = ground
        self._strips: dict[int, Strip] = {}
        self._cells = (0, 0)  # the terminal's own size: columns, rows
        self._cursor_cell = (0, 0)
        self._cursor_shown = False
        self._agent_title = ""
        self._wheel_wanted = False
        self._mouse_wanted = False  # its buttons too
        self._brackets = False  # the agent is told where a paste begins and ends
        self._mouse_cell = (-1, -1, -1)  # last x, y, button reported as a move
        self._reader = Reader(connection, self._draw, ground, self.refresh, self._copied)
        self._links = Links()
        self._selecting = MouseSelection(self._reader, self._read)
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
                case holder_wire.Screen():
                    self._take_screen(frame)
                case reading.Reading() | reading.Lines() | reading.Found() | reading.Taken():
                    self._reader.take(frame)
                case clipboard.ClipboardAsked():
                    self._wishes(frame)
                case clipboard.ClipboardClosed():
                    if self.wish is not None and self.wish.number == frame.number:
                        self._wishes(None)
                case holder_wire.Exited():
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

    def _take_screen(self, frame: holder_wire.Screen) -> None:
        width, _ = self._measure()
        top, cursor = self._top(), self._cursor_cell
        if frame.full:
            self._strips.clear()
            self._links.clear()
        for y, row in frame.rows.items():
            self._strips[y] = self._links.mark(
                y, row_strip(row, width, self._ground), frame.links.get(y, ())
            )
        self._cells = (frame.cols, frame.height)
        self._cursor_cell, self._cursor_shown = (frame.x, frame.y), frame.cursor
        self._wheel_wanted, self._mouse_wanted = frame.mouse, frame.mouse_buttons
        self._brackets = frame.bracketed
        if frame.title != self._agent_title:
            self._agent_title = frame.title
            self.post_message(self.Titled(self, frame.title))
        if self._reader.mode is not None:
            return  # what the person reads does not move
        if frame.full or self._top() != top:
            self.refresh()
            return
        lines = [y - top for y in {*frame.rows, cursor[1], frame.y}]
        if not self._painter.paint(lines):
            self.refresh(*(Region(0, y, width, 1) for y in lines))

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
        if self._reader.mode is not None:
            return self._reader.line(y, width)
        row = y + self._top()
        strip = self._strips.get(row) or Strip.blank(width, self._ground)
        if strip.cell_length != width:
            strip = strip.crop_extend(0, width, self._ground)
        x, cursor_row = self._cursor_cell
        if self._cursor_shown and row == cursor_row and x < width:
            strip = with_cursor(strip, x, _CURSOR if self.has_focus else _CURSOR_ELSEWHERE)
        if self._links.under is not None and y == self._drawn_size[1] - 1:
            strip = labelled(strip, f"↗ {self._links.under.target}", self._ground)
        if y == 0 and self.wish is not None:
            strip = labelled(
                strip, notice(self.wish.text, self._keys().chord("clipboard")), self._ground
            )
        return strip

    # ── What the person does ────────────────────────────────────────────────────────────

    async def on_key(self, event: events.Key) -> None:
        if self._keys().leads(event.key):
            return  # bubbles to the app, which alone knows what comes after it
        event.stop()
        event.prevent_default()
        if self._reader.keyed:
            self._reader.press(event.key, event.character)
            return
        self._reader.close()
        self._connection.key(event.key, event.character or "")

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if self._reader.keyed:
            self._reader.type(event.text.partition("\n")[0])
            return
        self._reader.close()
        if why := risks(event.text, bracketed=self._brackets):
            self._ask_first(event.text, why)
        else:
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
                self._connection.resize(*size)
                self._reader.resize(size[1])

    def _refresh_cursor(self) -> None:
        y = self._cursor_cell[1] - self._top()
        self.refresh(Region(0, y, self.content_size.width, 1))

    # ── Reading back ────────────────────────────────────────────────────────────────────

    def copy_mode(self, *, find: bool = False) -> None:
        """Let the person read back, search and copy with keys; with `find` by a search."""
        self._read(lambda mode: mode.prompt() if find else None)
        self._reader.take_keys()

    def look_back(self, rows: int) -> None:
        """Scroll `rows` up into what has scrolled off, or down again when negative."""
        if rows > 0 or self._reader.active:
            self._read(lambda mode: self._scroll(mode, -rows))

    def _scroll(self, mode: CopyMode, rows: int) -> None:
        mode.scroll(rows)
        if rows > 0 and not (mode.offset or self._reader.keyed or mode.anchor):
            self._reader.close()

    def _draw(self, row: reading.Row) -> Strip:
        return row_strip(row, self._cells[0], self._ground)

    def _read(self, then: Callable[[CopyMode], None]) -> None:
        self._reader.open((self._cells[0], self.content_size.height), self._top(), then)

    def _copied(self, text: str, cut: bool) -> None:
        """Give it to the clipboard of the terminal that the person sits at (OSC 52)."""
        if not text:
            self.notify("There is no text there to copy.")
            return
        self.app.copy_to_clipboard(text)
        lines = text.count("\n") + 1
        rest = ". The rest was too much." if cut else ""
        self.notify(f"Copied {plural(len(text), 'character')} in {plural(lines, 'line')}{rest}")

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, _WHEEL_UP, _WHEEL_LINES)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, _WHEEL_DOWN, -_WHEEL_LINES)

    def _wheel(self, event: events.MouseEvent, button: int, rows: int) -> None:
        event.stop()
        event.prevent_default()
        if self._wheel_wanted and not self._reader.active:
            self._mouse("press", button, event)
        else:
            self.look_back(rows)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if self._agents(event):
            event.stop()
            self.capture_mouse()  # a drag goes on being the agent's outside the pane
            self._mouse("press", event.button, event)
        elif event.button == _LEFT:
            event.stop()
            self.capture_mouse()
            self._selecting.press(*self._cell(event))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        self.release_mouse()
        if self._selecting.pressed:
            event.stop()
            self._selecting.release()
        elif self._mouse_wanted:
            event.stop()
            self._mouse("release", event.button, event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        cell = (event.x, event.y, event.button)
        if cell == self._mouse_cell:
            return
        self._mouse_cell = cell
        if self._selecting.pressed:
            self._selecting.move(*self._cell(event))
        elif self._agents(event):
            self._mouse("move", event.button, event)
        x, y = self._cell(event)
        if self._links.point(x, y + self._top()):
            self.refresh()

    def on_leave(self) -> None:
        if self._links.point(-1, -1):
            self.refresh()

    def on_click(self, event: events.Click) -> None:
        if event.button == _LEFT and not self._agents(event):
            x, y = self._cell(event)
            link = self._links.at(x, y + self._top())
            if link is not None and event.chain == 1 and not self._reader.active:
                self.open_link(link)
            else:
                self._selecting.click(x, y, event.chain)

    @property
    def links(self) -> list[Link]:
        """What the agent's terminal shows as links now, from the top."""
        return self._links.all(self._strips)

    def _agents(self, event: events.MouseEvent) -> bool:
        """Whether the mouse is the agent's now; with Shift it is the person's, as in xterm."""
        return self._mouse_wanted and not event.shift and not self._reader.active

    def _cell(self, event: events.MouseEvent) -> tuple[int, int]:
        gutter = self.gutter
        return max(event.x - gutter.left, 0), event.y - gutter.top

    def _mouse(self, action: str, button: int, event: events.MouseEvent) -> None:
        x, y = self._cell(event)
        mods = _SHIFT * event.shift | _CTRL * event.ctrl | _ALT * event.meta
        self._connection.mouse(action, button, x, max(y + self._top(), 0), mods)
