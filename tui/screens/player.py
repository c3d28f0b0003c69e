"""A recorded terminal, played beside the records of its task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.strip import Strip
from textual.widget import Widget

from supervisor.errors import TaskpassError
from tui import palette, records
from tui.lines import key_line, spread
from tui.reel import Reel
from tui.text import clip, time_of_day, watch
from tui.widgets.line import Line
from tui.widgets.rows import row_strip, with_cursor

if TYPE_CHECKING:
    from supervisor.client import AsyncClient

_TICK: Final = 1 / 15
_STEP: Final = 10.0  # seconds
_SPEEDS: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
_RECORDS: Final = 500
_CURSOR: Final = Style(reverse=True)
_KEYS: Final = (
    ("space", "play or stop"),
    ("←→", "10 s"),
    ("[ ]", "record before, after"),
    ("home end", "begin, end"),
    ("+ -", "speed"),
    ("q", "back"),
)


class Stage(Widget):
    """The rows of the terminal as they were; what it does not have room for is cut."""

    DEFAULT_CSS = "Stage { height: 1fr; }"

    def __init__(self, reel: Reel, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._reel = reel

    def render_line(self, y: int) -> Strip:
        width, ground = self.size.width, self.rich_style
        reel = self._reel
        # Of a terminal that is higher than this, the end is shown: there the agent works.
        top = max(0, reel.height - self.size.height)
        row = reel.rows.get(y + top, ())
        strip = row_strip(row, max(width, reel.cols), ground)
        x, cursor_y, shown = reel.cursor
        if shown and cursor_y == y + top:
            strip = with_cursor(strip, x, _CURSOR)
        return strip.crop(0, width).adjust_cell_length(width, ground)


class PlayerScreen(Screen[None]):
    """Plays a recording, from a moment on; stops at its end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss", show=False),
        Binding("space", "play_or_stop", show=False),
        Binding("left", "step(-1)", show=False),
        Binding("right", "step(1)", show=False),
        Binding("left_square_bracket", "record(-1)", show=False),
        Binding("right_square_bracket", "record(1)", show=False),
        Binding("home", "begin", show=False),
        Binding("end", "end", show=False),
        Binding("plus,equals_sign", "faster(1)", show=False),
        Binding("minus", "faster(-1)", show=False),
    ]

    def __init__(self, client: AsyncClient, task: str, name: str, at: float) -> None:
        """`name`: of the task, for the title. `at`: POSIX seconds; 0: from the beginning."""
        super().__init__()
        self._client = client
        self._task_id = task
        self._name_shown = name
        self._reel = Reel()
        self._start = at
        self._playing = False
        self._speed = _SPEEDS.index(1.0)
        self._records: list[dict[str, Any]] = []  # of the task, oldest first
        self._ticked = time.monotonic()
        self._problem = ""

    def compose(self) -> ComposeResult:
        yield Line(id="player-title")
        yield Stage(self._reel, id="player-stage")
        yield Line(id="player-record")
        yield Line(id="player-keys")

    def on_mount(self) -> None:
        self.set_interval(_TICK, self._tick)
        self._seek(self._start)
        self._read_records()

    def on_resize(self) -> None:
        self.query_one("#player-keys", Line).say(key_line("", _KEYS, self.size.width))
        self._draw()

    # ── Loading ─────────────────────────────────────────────────────────────────────────

    @work(group="seek", exclusive=True)
    async def _seek(self, at: float) -> None:
        """Show a moment, reading the chunk that it is in."""
        try:
            chunk = await self._client.recording(self._task_id, at)
        except TaskpassError as error:
            self._problem, self._playing = str(error), False
        else:
            self._problem = ""
            self._reel.load(chunk, at)
        self._draw()

    @work(group="records", exclusive=True)
    async def _read_records(self) -> None:
        try:
            page = await self._client.find(f"task:{self._task_id}", limit=_RECORDS)
        except TaskpassError:
            return  # it plays without them
        self._records = list(page.records)[::-1]
        self._draw()

    # ── Playing ─────────────────────────────────────────────────────────────────────────

    def _tick(self) -> None:
        now = time.monotonic()
        passed, self._ticked = now - self._ticked, now
        if not self._playing or self._reel.chunk is None:
            return
        wanted = self._reel.wanted
        changed = self._reel.advance(passed * _SPEEDS[self._speed])
        if wanted and self._reel.at >= wanted:
            self._seek(wanted)
        elif self._reel.over:
            self._playing = False
        if changed:
            self.query_one(Stage).refresh()
        self._draw_lines()

    def _draw(self) -> None:
        self.query_one(Stage).refresh()
        self._draw_lines()

    def _draw_lines(self) -> None:
        reel, width = self._reel, self.size.width
        left = Text(" RECORDING  ", f"bold {palette.TEAL}").append(clip(self._name_shown, 40))
        if self._problem:
            right = Text(clip(self._problem, max(20, width - 30)) + " ", palette.RED)
        elif reel.chunk is None:
            right = Text("reading… ", palette.MUTED)
        else:
            right = self._position()
        self.query_one("#player-title", Line).say(spread(left, right, width))
        self.query_one("#player-record", Line).say(self._beside(width))

    def _position(self) -> Text:
        chunk = self._reel.chunk
        assert chunk is not None
        state = "▶ plays" if self._playing else "■ ended" if self._reel.over else "‖ stopped"
        text = Text(f"{state} ×{_SPEEDS[self._speed]:g}  ", palette.AMBER)
        text.append(f"{time_of_day(self._reel.at)}  ", palette.TEXT)
        length = max(chunk.ended - chunk.began, 0)
        text.append(f"{watch(min(self._reel.at - chunk.began, length))} of {watch(length)} ",
                    palette.MUTED)  # fmt: skip
        if not chunk.whole:
            text.append(" not whole ", f"bold {palette.INK} on {palette.AMBER}")
        return text

    def _beside(self, width: int) -> Text:
        """The record that was the last at this moment."""
        past = [record for record in self._records if record["time"] <= self._reel.at]
        if not past:
            return Text(" no record of this task until here", palette.MUTED)
        line = records.line(past[-1])
        text = Text(f" {line.seq}  {time_of_day(line.time)}  ", palette.MUTED, no_wrap=True)
        text.append(f"{line.decision or '·'}  ", line.colour)
        return text.append(clip(line.sentence, max(10, width - text.cell_len - 1)), palette.TEXT)

    # ── Keys ────────────────────────────────────────────────────────────────────────────

    def action_play_or_stop(self) -> None:
        if self._reel.over and self._reel.chunk is not None:
            self._seek(self._reel.chunk.began)
        self._playing = not self._playing
        self._ticked = time.monotonic()
        self._draw_lines()

    def action_step(self, way: int) -> None:
        self._go(self._reel.at + way * _STEP)

    def action_record(self, way: int) -> None:
        """Go to the record before, or after, this moment."""
        times = [float(record["time"]) for record in self._records]
        ahead = [at for at in times if (at - self._reel.at) * way > 1e-3]
        if ahead:
            self._go(min(ahead) if way > 0 else max(ahead))

    def action_begin(self) -> None:
        self._go(0.0)

    def action_end(self) -> None:
        if self._reel.chunk is not None:
            self._go(self._reel.chunk.ended)

    def action_faster(self, way: int) -> None:
        self._speed = min(max(self._speed + way, 0), len(_SPEEDS) - 1)
        self._draw_lines()

    def _go(self, at: float) -> None:
        chunk = self._reel.chunk
        if chunk is not None:
            at = min(max(at, chunk.began), max(chunk.ended, chunk.began)) if at else chunk.began
        self._seek(at)
