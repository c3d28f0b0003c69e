"""Copy mode: where its keys lead, what is selected, what is found. No widget."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from supervisor.process.still import places
from tui.copymode import Ask, CopyMode
from tui.selection import Selection, word_at

LINES = [f"line {n}  src/main.py:{n} done" for n in range(100)]
WIDTH, HEIGHT = 40, 10


def mode(line: int = 99, x: int = 0) -> CopyMode:
    return CopyMode(len(LINES), (WIDTH, HEIGHT), (line, x), 90, lambda n: LINES[n])


def press(copy: CopyMode, *keys: str) -> Ask:
    asked = Ask.NOTHING
    for key in keys:
        asked = copy.press(key, key if len(key) == 1 else None)
    return asked


def find(copy: CopyMode, query: str) -> None:
    press(copy, "slash", *query)
    found = tuple(places([(line, 0) for line in LINES], copy.query))
    copy.took(copy.query, len(found), found)


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        (["k", "k", "l"], (97, 1)),
        (["up", "down", "right", "left"], (99, 0)),
        (["g"], (0, 0)),
        (["g", "G"], (99, 0)),
        (["dollar_sign"], (99, 27)),
        (["end", "0"], (99, 0)),
        (["w"], (99, 5)),
        (["w", "w"], (99, 9)),
        (["e"], (99, 3)),
        (["w", "w", "b"], (99, 5)),
        (["b"], (98, 24)),
        (["pageup"], (91, 0)),
        (["ctrl+u", "ctrl+d"], (99, 0)),
        (["H"], (90, 0)),
        (["L"], (99, 0)),
        (["h", "j"], (99, 0)),
    ],
)
def test_where_keys_lead(keys: list[str], cursor: tuple[int, int]) -> None:
    copy = mode()
    assert press(copy, *keys) is Ask.NOTHING
    assert copy.cursor == cursor


@given(st.lists(st.sampled_from([*"hjklgGHMLweb0vVnN", "pageup", "pagedown", "ctrl+u", "ctrl+d"])))
def test_one_never_leaves_what_there_is(keys: list[str]) -> None:
    copy = mode()
    for key in keys:
        press(copy, key)
        assert 0 <= copy.top <= copy.cursor[0] < copy.top + HEIGHT <= len(LINES)
        assert 0 <= copy.cursor[1] < WIDTH


def test_text_is_selected_and_copied() -> None:
    copy = mode()
    press(copy, "w", "v", "k", "e")
    assert copy.selection == Selection((99, 5), (98, 6))
    assert [copy.selection.span(line, WIDTH) for line in (97, 98, 99)] == [None, (6, 40), (0, 6)]
    assert press(copy, "y") is Ask.COPY
    press(copy, "V")
    assert copy.selection == Selection((99, 5), (98, 6), whole=True)
    assert copy.selection.span(99, WIDTH) == (0, WIDTH)


def test_escape_drops_the_search_then_the_selection_then_leaves() -> None:
    copy = mode()
    press(copy, "v", "slash", "x")
    assert press(copy, "escape") is Ask.FIND
    assert (copy.prompting, copy.query, copy.selection is None) == (False, "", False)
    assert press(copy, "escape") is Ask.NOTHING
    assert copy.selection is None
    assert press(copy, "escape") is Ask.LEAVE


def test_a_search_goes_up_from_where_one_is() -> None:
    copy = mode(line=50)
    find(copy, "line 4")
    assert (copy.found, copy.cursor, copy.rank) == (11, (49, 0), 1)
    press(copy, "enter", "n")
    assert (copy.cursor, copy.rank) == ((48, 0), 2)
    press(copy, "N", "N")
    assert copy.cursor == (4, 0), "from the newest one comes round to the oldest"
    press(copy, "n")
    assert copy.cursor == (49, 0)


def test_a_search_narrows_with_each_key_and_comes_back_when_dropped() -> None:
    copy = mode(line=60)
    find(copy, "line")
    assert copy.cursor == (60, 0)
    press(copy, *" 12")
    copy.took("line", 100, ((0, 0, 4),))
    assert copy.cursor == (60, 0), "a stale answer is passed over"
    copy.took("line 12", 1, ((12, 0, 7),))
    assert copy.cursor == (12, 0)
    assert copy.marks(12) == [(0, 7, True)]
    press(copy, "escape")
    assert (copy.cursor, copy.marks(12)) == ((60, 0), [])


def test_what_goes_on_in_the_next_row_is_marked_there_too() -> None:
    copy = mode()
    press(copy, "slash", "x")
    copy.took("x", 1, ((10, 35, 50),))
    assert [copy.marks(line) for line in range(9, 14)] == [
        [], [(35, 40, True)], [(0, 40, True)], [(0, 5, True)], [],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "x", "word"),
    [
        ("see src/a-b.py:12, ok", 6, "src/a-b.py:12"),
        ("(https://a.b/c?d=e#f)", 3, "https://a.b/c?d=e#f"),
        ("a  b", 1, None),
        ("日本 x", 2, "日本"),
        ("│cell│", 2, "cell"),
    ],
)
def test_a_word_is_what_one_wants_to_copy(text: str, x: int, word: str | None) -> None:
    found = word_at(text, x)
    if word is None:
        assert found is None
    else:
        assert found is not None
        start = cell_len(text[: text.index(word)])
        assert found == (start, start + cell_len(word))
