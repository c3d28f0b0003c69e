"""Every look can be read, and none takes a meaning away."""

from __future__ import annotations

import os
from itertools import product

import pytest
from textual.color import Color

from tests.support.tui_driver import Driver, running
from tui import palette, themes
from tui.first_run import FirstRunApp, Sheet
from tui.settings import Settings

GROUNDS = ("INK", "SURFACE", "PANEL")
WRITING = ("TEXT", "MUTED", "TEAL", "BLUE", "AMBER", "RED", "GREEN", "ICE")
LEAST = {"dark": 4.5, "light": 4.5, "high-contrast": 7.0}  # WCAG 2.2, 1.4.3 and 1.4.6


def _luminance(colour: Color) -> float:
    def linear(value: int) -> float:
        share = value / 255
        return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4

    return 0.2126 * linear(colour.r) + 0.7152 * linear(colour.g) + 0.0722 * linear(colour.b)


def _contrast(one: str, other: str) -> float:
    dark, light = sorted(_luminance(Color.parse(each)) for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", LEAST)
def test_what_is_written_stands_out_from_every_ground(name: str) -> None:
    look = themes.LOOKS[name]
    poor = {
        (ink, ground): round(_contrast(look.colour(ink), look.colour(ground)), 2)
        for ink, ground in product(WRITING, GROUNDS)
        if _contrast(look.colour(ink), look.colour(ground)) < LEAST[name]
    }
    assert not poor


def colours(d: Driver) -> set[str]:
    """Colours that the screen is drawn with now."""
    found = set()
    for strip in d.app.screen._compositor.render_strips():
        for segment in strip:
            if segment.style:
                found |= {segment.style.color, segment.style.bgcolor}
    return {str(each.name).lower() for each in found if each is not None}


async def test_no_colour_is_no_colour_anywhere_and_nothing_is_lost() -> None:
    async with running() as d:
        await d.lead("a")
        with_colour = [strip.text for strip in d.app.screen._compositor.render_strips()]
        d.app.dress("no-colour")
        await d.until(lambda: not colours(d))
        plain = [strip.text for strip in d.app.screen._compositor.render_strips()]
        assert [line for line in plain if "arms in" not in line] == [
            line for line in with_colour if "arms in" not in line
        ]


@pytest.mark.parametrize("name", ["light", "high-contrast"])
async def test_a_theme_reaches_every_part_of_the_screen(name: str) -> None:
    async with running() as d:
        d.app.dress(name)
        look = themes.LOOKS[name]
        instead = {look.colour(each).lower() for each in palette.NAMED}
        left = {hex for each, hex in palette.NAMED.items() if each != "GREEN"} - instead
        await d.until(lambda: not colours(d) & left)  # an agent's own green is the palette's
        assert look.colour("INK") in colours(d)


@pytest.mark.parametrize(
    ("environ", "chosen", "look"),
    [
        ({}, "", "dark"),
        ({}, "light", "light"),
        ({"NO_COLOR": "1"}, "", "no-colour"),
        ({"NO_COLOR": ""}, "", "dark"),
        ({"NO_COLOR": "1"}, "light", "light"),
        ({"TERM": "dumb"}, "light", "no-colour"),
        ({"TERM": "vt100"}, "", "no-colour"),
    ],
)
def test_the_terminal_is_asked_first(
    environ: dict[str, str], chosen: str, look: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert themes.suitable(chosen) == look


async def test_under_no_color_the_agents_that_are_started_have_it_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running() as d:
        assert d.app.theme == "no-colour"
        await d.until(lambda: not colours(d))
        assert os.environ["NO_COLOR"] == "1"  # what the dialog for a new task hands on


async def test_the_first_run_has_the_theme_too() -> None:
    async def broker(rows: object) -> list[object]:
        return []

    app = FirstRunApp(Sheet((), "tier A", True, ()), broker, look="light")  # type: ignore[arg-type]
    async with app.run_test():
        assert app.theme == "light"


async def test_a_chosen_theme_wins_over_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with running(settings=Settings(theme="dark")) as d:
        assert palette.TEAL in colours(d)
