"""A line of chrome is laid out again only when it takes other rows than before."""

from __future__ import annotations

from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import Static

from tui.widgets.line import Line


class Chrome(App[None]):
    CSS = "Line { height: auto; }"

    def compose(self) -> ComposeResult:
        yield Line()
        yield Static("below")


async def test_what_says_more_or_less_moves_what_is_below_it() -> None:
    app = Chrome()
    async with app.run_test(size=(20, 10)) as pilot:
        line, below = app.query_one(Line), app.query("Static").last()
        for said, rows in (
            ("one row", 1),
            ("another row", 1),
            ("two\nrows", 2),
            ("too long for a row of twenty", 2),
            ("日本語日本語日本語日本語", 2),
            ("as ever", 1),
            ("it is 14:02:31", 1),
        ):
            line.say(Text(said))
            await pilot.pause()
            assert below.region.y == rows, said
            assert line.render_line(0).text[:2] == said[:2], said


async def test_a_clock_that_ticks_lays_nothing_out() -> None:
    app = Chrome()
    async with app.run_test(size=(20, 10)) as pilot:
        line = app.query_one(Line)
        line.say(Text("14:02:31"))
        await pilot.pause()
        laid_out: list[object] = []
        layout = app.screen._refresh_layout
        app.screen._refresh_layout = lambda *a, **k: laid_out.append(layout(*a, **k))  # type: ignore[method-assign]
        line.say(Text("14:02:32"))
        await pilot.pause()
        assert line.render_line(0).text.startswith("14:02:32")
        assert not laid_out
        line.say(Text("two\nrows"))
        await pilot.pause()
        assert laid_out
