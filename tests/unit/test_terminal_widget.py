"""The pane on the screen: what is drawn, and what goes to the agent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from rich.style import Style
from textual import events
from textual.app import App, ComposeResult

from supervisor.protocol import clipboard, holder_wire, reading
from supervisor.protocol import pane as protocol
from tui.widgets.rows import row_strip, with_cursor
from tui.widgets.terminal import TerminalPane


class FakeConnection:
    """Records what a pane sends; shows what a test puts in."""

    def __init__(self) -> None:
        self.sent: list[tuple[Any, ...]] = []
        self.queue: asyncio.Queue[protocol.FromPane | None] = asyncio.Queue()

    async def frames(self) -> AsyncIterator[Any]:
        while (frame := await self.queue.get()) is not None:
            yield frame

    def key(self, key: str, text: str = "") -> None:
        self.sent.append(("key", key, text))

    def paste(self, text: str) -> None:
        self.sent.append(("paste", text))

    def resize(self, cols: int, rows: int) -> None:
        self.sent.append(("resize", cols, rows))

    def mouse(self, action: str, button: int, x: int, y: int, mods: int = 0) -> None:
        self.sent.append(("mouse", action, button, x, y, mods))

    def focus(self, gained: bool) -> None:
        self.sent.append(("focus", gained))

    def read(self, request: reading.Request) -> None:
        self.sent.append(("read", request))

    def answer_clipboard(self, answer: clipboard.AnswerClipboard) -> None:
        self.sent.append(("clipboard", answer.number, answer.allow))

    async def close(self) -> None:
        self.queue.put_nowait(None)


class PaneApp(App[None]):
    ENABLE_COMMAND_PALETTE = False  # its priority key would be taken before any widget's

    def __init__(self) -> None:
        super().__init__()
        self.connection = FakeConnection()
        self.heard: list[str] = []
        self.ended: list[int | None] = []

    def compose(self) -> ComposeResult:
        yield TerminalPane(self.connection, id="pane")  # type: ignore[arg-type]

    def on_key(self, event: events.Key) -> None:
        self.heard.append(event.key)

    def on_terminal_pane_ended(self, event: TerminalPane.Ended) -> None:
        self.ended.append(event.code)

    @property
    def pane(self) -> TerminalPane:
        return self.query_one(TerminalPane)

    def line(self, y: int) -> str:
        return self.pane.render_line(y).text.rstrip()


async def shows(app: PaneApp, pilot: Any, frame: protocol.FromPane) -> None:
    app.connection.queue.put_nowait(frame)
    for _ in range(3):
        await pilot.pause()


def screen(rows: dict[int, tuple[holder_wire.RunTuple, ...]], **more: Any) -> holder_wire.Screen:
    return holder_wire.Screen(rows=rows, cols=80, height=24, **more)


def still(above: str, live: str) -> reading.Reading:
    """Of a terminal of 24 rows of `live` below 24 rows of `above`."""
    last = tuple((((text, -1, -1, 0),)) for text in [above] * 24 + [live] * 24)
    return reading.Reading(count=48, height=24, x=0, y=30, number=1, last=last)


async def test_only_the_leader_is_not_the_agents() -> None:
    app = PaneApp()
    async with app.run_test() as pilot:
        app.pane.focus()
        await pilot.pause()
        app.connection.sent.clear()
        mine = ["a", "ctrl+c", "ctrl+p", "tab", "shift+tab", "escape", "enter", "alt+enter", "f1"]
        await pilot.press(*mine, "ctrl+backslash", "f12", "b")
        assert [s[1] for s in app.connection.sent if s[0] == "key"] == [*mine, "b"]
        assert app.heard == ["ctrl+backslash", "f12"]


async def test_a_row_is_drawn_as_text_never_as_markup() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        text = "[bold red]x[/] [@click=app.quit]y[/] :smile:"
        await shows(app, pilot, screen({0: ((text, -1, -1, 0),)}, full=True))
        assert app.line(0) == text


async def test_changed_rows_replace_and_full_frames_reset() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        first = screen({0: (("one", 1, -1, 1),), 1: (("two", -1, -1, 0),)}, full=True)
        await shows(app, pilot, first)
        await shows(app, pilot, screen({1: (("TWO", -1, -1, 0),)}))
        assert (app.line(0), app.line(1)) == ("one", "TWO")
        await shows(app, pilot, screen({1: (("new", -1, -1, 0),)}, full=True))
        assert (app.line(0), app.line(1)) == ("", "new")


async def test_size_focus_paste_and_the_end() -> None:
    app = PaneApp()
    async with app.run_test(size=(90, 30)) as pilot:
        await pilot.pause()
        assert ("resize", 90, 30) in app.connection.sent
        app.pane.focus()
        await pilot.pause()
        assert ("focus", True) in app.connection.sent
        await shows(app, pilot, screen({}, bracketed=True))
        app.pane.post_message(events.Paste("some\ntext"))
        await pilot.pause()
        assert ("paste", "some\ntext") in app.connection.sent
        await shows(app, pilot, holder_wire.Exited(code=7))
        assert app.ended == [7]


async def test_the_wheel_looks_back_and_a_key_returns() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, screen({0: (("live", -1, -1, 0),)}, full=True))
        app.pane.focus()
        app.pane.look_back(3)
        assert app.connection.sent[-1] == ("read", reading.StartReading(count=72, number=1))
        await shows(app, pilot, still("old", "now"))
        assert app.line(1) == "old"
        assert "↑ 3" in app.line(0)
        await shows(app, pilot, screen({0: (("newer", -1, -1, 0),)}))
        assert app.line(1) == "old", "what is read does not move"
        await pilot.press("x")
        assert app.line(0) == "newer"
        assert app.connection.sent[-2:] == [("read", reading.StopReading()), ("key", "x", "x")]


async def test_looking_back_ends_at_the_bottom() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, screen({0: (("live", -1, -1, 0),)}, full=True))
        app.pane.look_back(3)
        await shows(app, pilot, still("old", "now"))
        app.pane.look_back(-3)
        assert app.line(0) == "live"
        assert app.connection.sent[-1] == ("read", reading.StopReading())


async def test_the_mouse_is_the_agents_when_it_asked() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.click("#pane", offset=(4, 5))
        assert not [s for s in app.connection.sent if s[0] == "mouse"]
        await shows(app, pilot, screen({}, full=True, mouse=True, mouse_buttons=True))
        await pilot.click("#pane", offset=(4, 5))
        mouse = [s for s in app.connection.sent if s[0] == "mouse" and s[1] != "move"]
        assert mouse == [("mouse", "press", 1, 4, 5, 0), ("mouse", "release", 1, 4, 5, 0)]


async def test_with_shift_the_mouse_selects_where_the_agent_takes_it() -> None:
    app = PaneApp()
    async with app.run_test(size=(80, 24)) as pilot:
        await shows(app, pilot, screen({}, full=True, mouse=True, mouse_buttons=True))
        app.connection.sent.clear()
        await pilot.mouse_down("#pane", offset=(2, 1), shift=True)
        await shows(app, pilot, still("old", "some text"))
        await pilot.hover("#pane", offset=(6, 1))
        await pilot.mouse_up("#pane", offset=(6, 1), shift=True)
        assert [s for s in app.connection.sent if s[0] == "mouse"] == []
        take = reading.TakeText(anchor=(25, 2), head=(25, 6))
        assert app.connection.sent[-2:] == [("read", take), ("read", reading.StopReading())]
        await shows(app, pilot, reading.Taken(text="me te"))
        assert app.clipboard == "me te"


def test_the_cursor_takes_a_whole_wide_character() -> None:
    marked = Style(reverse=True)
    strip = with_cursor(row_strip([("a日b", -1, -1, 0)]), 1, marked)
    assert strip.cell_length == 4
    assert [s.text for s in strip if s.style and s.style.reverse] == ["日"]
    blank = with_cursor(row_strip([("ab   ", -1, -1, 0)]), 3, marked)
    assert [s.text for s in blank if s.style and s.style.reverse] == [" "]
    assert blank.cell_length == 5
