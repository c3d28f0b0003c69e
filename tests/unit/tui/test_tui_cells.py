"""A pane's text is as wide in every terminal as the pane was laid out for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from supervisor.process.emulator import make_emulator
from tui.cells import apart, terminal_joins

HOSTILE = st.text(
    st.one_of(
        st.characters(exclude_categories=("Cc", "Cs")),
        st.sampled_from("\u200d\ufe0f\u0301\u0335\U0001f468\U0001f1eb\U0001f3fb\u093f\u0915\u00ad"),
    )
)


@given(HOSTILE)
def test_the_whole_is_as_wide_as_its_characters_one_by_one(text: str) -> None:
    shown = apart(text)
    assert cell_len(shown) == cell_len(text)
    assert sum(map(get_character_cell_size, shown)) == cell_len(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("╭─ plain ● text ─╮", "╭─ plain ● text ─╮"),
        ("日本語", "日本語"),
        ("e\u0301", "é"),
        ("ä̱", "ä̱"),
        ("\u1100\u1161\u11a8", "각"),
        ("กำ", "กำ"),
        ("👨‍👩‍👧.", "👨."),
        ("👍🏽.", "👍."),
        ("🇫🇷.", "FR."),
        ("⚠️.", "⚠ ."),
        ("a\u00adb", "a\ufffdb"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert apart(text) == shown


@pytest.fixture
def joining() -> Iterator[None]:
    terminal_joins(True)
    yield
    terminal_joins(False)


@pytest.mark.usefixtures("joining")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("👨‍👩‍👧.", "👨‍👩‍👧."),
        ("👍🏽.", "👍🏽."),
        ("👩🏽‍❤️‍💋‍👨🏽", "👩🏽‍❤️‍💋‍👨🏽"),
        ("⚠️.", "⚠️."),
        ("🇫🇷🇩🇪.", "🇫🇷🇩🇪."),
        ("🇫🇷🇩.", "🇫🇷D."),
        ("🇫\u0301🇷.", "FR."),
        ("👩\u200dx", "👩"),
        ("👩\u200d", "👩"),
        ("a\u200db", "a"),
        ("a\u00adb", "a\ufffdb"),
    ],
)
def test_a_terminal_that_joins_is_given_emoji_whole_and_nothing_else(text: str, shown: str) -> None:
    assert apart(text).rstrip() == shown


@settings(deadline=None)
@given(HOSTILE)
def test_in_a_terminal_that_joins_the_pane_is_as_wide_as_its_holder_has_it(text: str) -> None:
    holder, terminal = make_emulator(200, 5), make_emulator(200, 5)
    holder.feed(text[:90].encode())
    sent = "".join(run.text for run in holder.snapshot()[0])
    terminal_joins(True)
    try:
        terminal.feed(apart(sent).encode())
    finally:
        terminal_joins(False)
    assert terminal.cursor().x == cell_len(sent)
