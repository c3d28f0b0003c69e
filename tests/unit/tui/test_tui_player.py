"""A recorded terminal on the screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_client import NOW, FakeClient, story
from tests.support.fake_recording import recording
from tests.support.tui_driver import Driver, running
from tui.reel import QUIET, Reel
from tui.screens.player import PlayerScreen, Stage
from tui.widgets.line import Line

BEGAN = NOW - 35  # between records of the story


def shown(d: Driver) -> str:
    stage = d.app.screen.query_one(Stage)
    return "\n".join(stage.render_line(y).text.rstrip() for y in range(stage.size.height))


def said(d: Driver, name: str) -> str:
    return d.app.screen.query_one(f"#{name}", Line).said


async def opened(d: Driver, *keys: str) -> None:
    await d.lead("h")
    await d.until(lambda: "11 records" in said(d, "history-title"))
    await d.press(*keys, "p")
    await d.until(lambda: isinstance(d.app.screen, PlayerScreen) and "npm test" in shown(d))


async def test_it_is_played_from_the_record_on_that_was_in_focus() -> None:
    client = FakeClient(story())
    client.recorded["t-1"] = recording(BEGAN)
    async with running(client=client) as d:
        await opened(d, "down", "down")  # the use of 30 s ago: five seconds in
        await d.until(lambda: "42 passed" in shown(d))
        assert "git push" not in shown(d)
        assert "‖ stopped" in said(d, "player-title")
        assert "0:05 of 0:30" in said(d, "player-title")
        assert "approved  POST api.github.com" in said(d, "player-record")
        await d.press("right_square_bracket")
        await d.until(lambda: "git push origin" in said(d, "player-record"))
        await d.press("plus", "plus", "plus", "space")
        await d.until(lambda: "token: ••••" in shown(d))
        await d.until(lambda: "■ ended" in said(d, "player-title"))
        await d.press("home")
        await d.until(lambda: "42 passed" not in shown(d))
        await d.press("end")
        await d.until(lambda: "token: ••••" in shown(d))
        await d.press("left")
        await d.until(lambda: "0:20 of 0:30" in said(d, "player-title"))
        await d.press("escape")
        await d.until(lambda: not isinstance(d.app.screen, PlayerScreen))


async def test_one_that_stops_without_its_end_says_so_and_fits_a_small_screen() -> None:
    client = FakeClient(story())
    client.recorded["t-1"] = recording(BEGAN, whole=False)
    async with running(client=client, size=(80, 24)) as d:
        await opened(d)
        await d.until(lambda: "not whole" in said(d, "player-title"))


async def test_what_was_not_recorded_tells_how_to_have_it() -> None:
    async with running() as d:
        await d.lead("h")
        await d.until(lambda: "11 records" in said(d, "history-title"))
        await d.press("p")
        await d.until(lambda: any("run --record" in toast for toast in d.toasts))


@given(
    st.lists(st.floats(0, 6), min_size=1, max_size=60),
    st.floats(-5, 40),
)
def test_a_reel_goes_forward_only_and_comes_to_its_end(steps: list[float], at: float) -> None:
    chunks = recording(1000.0)
    reel = Reel()
    here = [each for each in chunks if each.start <= 1000 + at] or chunks[:1]
    reel.load(here[-1], 1000 + at)
    assert reel.rows, "something is always shown"
    for step in steps:
        before = reel.at
        reel.advance(step)
        assert reel.at >= before
        if reel.wanted and reel.at >= reel.wanted:
            reel.load(next(c for c in chunks if c.start == reel.wanted), reel.wanted)
    for _ in range(40):
        reel.advance(1.0)
        if reel.wanted and reel.at >= reel.wanted:
            reel.load(next(c for c in chunks if c.start == reel.wanted), reel.wanted)
    assert reel.over
    assert reel.rows[4] == (("token: ••••••••••••", -1, -1, 0),)


def test_quiet_times_are_passed_over() -> None:
    chunks = recording(1000.0)
    reel = Reel()
    reel.load(chunks[1], 1006.0)
    reel.advance(0.1)
    assert 20 - QUIET <= reel.at - 1000 < 20
