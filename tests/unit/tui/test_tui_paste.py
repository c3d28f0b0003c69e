"""A paste that is not what it looks like is shown before it reaches the agent."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events

from tests.support.tui_driver import Driver, running
from tui.paste import cleaned, risks, shown
from tui.screens.question import Question


@pytest.mark.parametrize(
    ("text", "bracketed", "asked"),
    [
        ("git status", False, False),
        ("two\nlines\t!", True, False),
        ("日本語 👩\u200d💻 👍🏽 é می\u200cخواهم", True, False),
        ("ls\r", False, True),
        ("two\nlines", False, True),
        ("x\x1b[201~rm -rf /\r", True, True),
        ("a\x03b", True, True),
        ("a\x9bb", True, True),
        ("rm \u202egnp.x", True, True),
        ("pay\u200bpal", True, True),
        ("a\u200db", True, True),
        ("x\u2028y", True, True),
        ("tag\U000e0041", True, True),
    ],
    ids=ascii,
)
def test_what_is_asked_about(text: str, bracketed: bool, asked: bool) -> None:
    assert bool(risks(text, bracketed=bracketed)) is asked


@given(
    st.text(alphabet=st.characters() | st.sampled_from("\x1b[201~\u200d\u202e\n\r"), max_size=60)
)
def test_what_is_cleaned_hides_nothing_more(text: str) -> None:
    assert risks(cleaned(text), bracketed=True) == ()


@given(st.text(max_size=60))
def test_what_is_shown_has_no_character_that_is_not_seen(text: str) -> None:
    page = shown(text, risks(text, bracketed=False)).plain.replace("\n", "")
    assert page.isprintable()


def test_of_a_huge_paste_its_beginning_and_its_end_are_shown() -> None:
    page = shown("a" * 100_000 + "THE END", ("why",)).plain
    assert len(page) < 25_000
    assert page.endswith("THE END")
    assert "79007 characters not shown" in page


async def _pasting(driver: Driver, text: str) -> None:
    driver.app.main.query_one("#pane-t-1").post_message(events.Paste(text))
    await driver.until(lambda: isinstance(driver.app.screen, Question))


async def _answer(driver: Driver, key: str) -> None:
    question = driver.app.screen
    assert isinstance(question, Question)
    await driver.until(lambda: time.monotonic() >= question._armed_at)
    await driver.press(key)
    await driver.until(lambda: driver.app.screen is driver.app.main)


async def test_the_person_pastes_it_or_what_is_left_of_it_or_nothing() -> None:
    async with running() as d:
        pane = d.client.panes["t-1"]
        await _pasting(d, "one\ntwo\u200b")
        await _answer(d, "P")
        await d.until(lambda: pane.pasted == ["one\ntwo\u200b"])
        await _pasting(d, "one\ntwo\u200b")
        await _answer(d, "C")
        await d.until(lambda: pane.pasted[1:] == ["one\ntwo"])
        await _pasting(d, "three\n")
        await _answer(d, "escape")
        assert len(pane.pasted) == 2
        assert pane.keys == []


@pytest.mark.parametrize("key", ["enter", "space", "y", "p", "1"])
async def test_no_key_of_habit_pastes(key: str) -> None:
    async with running() as d:
        await _pasting(d, "rm -rf x\n")
        question = d.app.screen
        assert isinstance(question, Question)
        await d.until(lambda: question._armed_at < float("inf"))
        question._armed_at = float("inf")  # the question could not be read yet
        await d.press("P")
        question._armed_at = 0.0
        await d.press(key)
        assert d.app.screen is question
        assert d.client.panes["t-1"].pasted == []
        assert d.client.panes["t-1"].keys == []
