"""What is painted past the compositor: the same as it would draw, and only where nothing covers."""

from __future__ import annotations

from typing import Any

import pytest
from rich.style import Style
from textual.app import App, ComposeResult
from textual.containers import Horizontal
from textual.screen import ModalScreen
from textual.widgets import Static

from supervisor.process.emulator import make_emulator
from supervisor.protocol import holder_wire
from tests.support.tmux_screen import Cell, cells_of
from tests.unit.test_terminal_widget import FakeConnection
from tui.widgets.terminal import TerminalPane

COLS, ROWS = 60, 12


class Desk(App[None]):
    """A pane beside another widget, with a place for something over it. What is written to the
    terminal is kept."""

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layers: base over; }
    #beside { width: 20; height: 1fr; }
    #over { layer: over; dock: bottom; height: 3; display: none; }
    """

    def __init__(self, ground: Style) -> None:
        super().__init__()
        self.connection = FakeConnection()
        self.ground = ground
        self.written: list[str] = []

    def compose(self) -> ComposeResult:
        with Horizontal():
            yield Static("beside\nthe pane", id="beside")
            yield TerminalPane(self.connection, ground=self.ground)  # type: ignore[arg-type]
        yield Static("over", id="over")

    @property
    def is_headless(self) -> bool:
        return False

    def on_mount(self) -> None:
        assert self._driver
        self._driver.write = self.written.append  # type: ignore[method-assign]

    def shown(self) -> list[list[Cell]]:
        """What a terminal makes of all that was written."""
        terminal = make_emulator(COLS, ROWS)
        terminal.feed("".join(self.written).replace("\n", "\r\n").encode())
        return [cells_of(row, COLS) for row in terminal.snapshot().values()]

    def redrawn(self) -> list[list[Cell]]:
        """The same, if the compositor drew the whole screen now."""
        update: Any = self.screen._compositor.render_full_update()
        terminal = make_emulator(COLS, ROWS)
        terminal.feed(update.render_segments(self.console).replace("\n", "\r\n").encode())
        return [cells_of(row, COLS) for row in terminal.snapshot().values()]


async def settled(app: Desk, pilot: Any) -> None:
    """All messages are handled, and the compositor has had its turn."""
    for _ in range(3):
        await pilot.pause()
    app.screen._on_timer_update()


async def shows(app: Desk, pilot: Any, rows: dict[int, Any], **more: Any) -> bool:
    """Whether a frame came to the terminal without the compositor."""
    drawn: list[object] = []
    compositor = app.screen._compositor
    draws = compositor.render_update
    compositor.render_update = lambda *a, **k: drawn.append(1) or draws(*a, **k)  # type: ignore[method-assign]
    app.connection.queue.put_nowait(holder_wire.Screen(rows=rows, cols=40, height=ROWS, **more))
    await settled(app, pilot)
    compositor.render_update = draws  # type: ignore[method-assign]
    return not drawn


_ROWS: dict[int, Any] = {
    0: (("plain ", -1, -1, 0), ("red on blue", 1, 4, 1), ("é日本", 0x1FF8800, -1, 2 | 8)),
    3: (("x" * 38 + "日", 200, -1, 16),),
    7: (("👩\u200d💻 joined", -1, 0x1102030, 32),),
}


@pytest.mark.parametrize("ground", [Style(), Style(color="#dcdcdc", bgcolor="#101018")])
@pytest.mark.parametrize("no_color", [False, True])
async def test_what_is_painted_is_what_the_compositor_draws(
    ground: Style, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    app = Desk(ground)
    async with app.run_test(size=(COLS, ROWS)) as pilot:
        app.query_one(TerminalPane).focus()
        await shows(app, pilot, {0: (("first", -1, -1, 0),)}, full=True)
        assert await shows(app, pilot, _ROWS, x=7, y=3)
        assert "red on blue" in "".join(cell.text for cell in app.shown()[0])
        assert app.shown() == app.redrawn()
        assert await shows(app, pilot, {3: ()}, x=0, y=0)
        assert app.shown() == app.redrawn()


async def test_what_lies_over_the_pane_is_not_painted_over() -> None:
    app = Desk(Style())
    async with app.run_test(size=(COLS, ROWS)) as pilot:
        await shows(app, pilot, {0: (("first", -1, -1, 0),)}, full=True)
        assert await shows(app, pilot, _ROWS)
        app.query_one("#over").display = True
        await settled(app, pilot)
        assert not await shows(app, pilot, {10: (("below it", -1, -1, 0),)})
        assert app.shown() == app.redrawn()
        assert "below it" not in "".join(cell.text for cell in app.shown()[10])
        app.query_one("#over").display = False
        await settled(app, pilot)
        assert await shows(app, pilot, {1: (("seen again", -1, -1, 0),)})
        assert app.shown() == app.redrawn()


async def test_below_another_screen_only_the_compositor_draws() -> None:
    app = Desk(Style())
    async with app.run_test(size=(COLS, ROWS)) as pilot:
        await shows(app, pilot, {0: (("first", -1, -1, 0),)}, full=True)
        await app.push_screen(ModalScreen())
        assert not await shows(app, pilot, _ROWS)
