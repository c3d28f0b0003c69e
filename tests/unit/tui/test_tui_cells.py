"""A pane's text is as wide in every terminal as the pane was laid out for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len, get_character_cell_size

from tui.cells import apart

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
