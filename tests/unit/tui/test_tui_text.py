"""Text for people: nothing hidden, nothing longer than its place."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text

from supervisor.model import KillMode, TaskState
from tui.text import (
    STATE_SYMBOL,
    bar,
    clip,
    hang,
    is_plain,
    kill_words,
    one_line,
    pad,
    span,
    spelled,
    visible,
    watch,
)


@given(st.text())
def test_what_is_shown_for_a_decision_hides_nothing(source: str) -> None:
    shown = visible(source).plain
    assert all(character == "\n" or is_plain(character) for character in shown)
    # Every character is there: itself, or spelled out.
    for character in source:
        assert (
            character if is_plain(character) or character == "\n" else spelled(character)
        ) in shown


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rm \u202efdp.txt", "rm ⟨U+202E⟩fdp.txt"),
        ("a\u200bb", "a⟨U+200B⟩b"),
        ("\x1b[2Jclean", "⟨U+001B⟩[2Jclean"),
        ("x\u0301", "x⟨U+0301⟩"),
        ("a\u00a0b\tc", "a⟨U+00A0⟩b⟨U+0009⟩c"),
        ("one\ntwo", "one⏎\ntwo"),
        ("\u3164", "⟨U+3164⟩"),
        ("[bold]not markup[/]", "[bold]not markup[/]"),
    ],
)
def test_hidden_characters_are_spelled_out(source: str, shown: str) -> None:
    assert visible(source).plain == shown


def test_an_escape_looks_different_from_its_spelling_in_the_text() -> None:
    real, spelled = visible("\u202e"), visible("⟨U+202E⟩")
    assert real.plain == spelled.plain
    assert {str(s.style) for s in real.spans} != {str(s.style) for s in spelled.spans}


def test_letters_that_only_look_like_ascii_stand_out() -> None:
    assert any("underline" in str(span.style) for span in visible("gіthub.com").spans)


@given(st.text(), st.integers(0, 60))
def test_a_line_never_takes_more_than_its_cells(source: str, cells: int) -> None:
    assert cell_len(clip(source, cells)) <= cells
    assert cell_len(pad(source, cells)) == cells
    assert not any(unicodedata.category(c) == "Cc" for c in one_line(source))


@given(st.text(), st.integers(20, 80))
def test_wrapped_rows_lose_no_visible_character(source: str, width: int) -> None:
    value = visible(source)
    lines = hang("label", value, width, 12)
    assert all(line.cell_len <= width for line in lines)
    kept = "".join(line.plain for line in lines).replace("label", "", 1).replace(" ", "")
    assert kept == value.plain.replace(" ", "").replace("\n", "")


@given(st.text("abc", min_size=1, max_size=60), st.integers(1, 20), st.integers(30, 80))
def test_a_label_never_runs_into_its_value(label: str, indent: int, width: int) -> None:
    """One that has no room for a space after it stands alone, above its value."""
    first, *rest = (line.plain.rstrip() for line in hang(label, Text("VALUE"), width, indent))
    if len(label) < indent:
        assert (first, rest) == (label.ljust(indent) + "VALUE", [])
    else:
        assert (first, rest) == (clip(label, width), [" " * indent + "VALUE"])


@pytest.mark.parametrize(
    ("seconds", "short", "clock"),
    [(-1, "0s", "0:00"), (6.2, "7s", "0:06"), (60, "1m", "1:00"), (7500, "2h05", "2:05:00")],
)
def test_durations(seconds: float, short: str, clock: str) -> None:
    assert (span(seconds), watch(seconds)) == (short, clock)


def test_a_countdown_is_empty_only_when_it_is_over() -> None:
    assert [bar(left, 10) for left in (10, 5, 0.1, 0, -1)] == [
        "▰▰▰▰▰", "▰▰▰▱▱", "▰▱▱▱▱", "▱▱▱▱▱", "▱▱▱▱▱",
    ]  # fmt: skip


def test_states_differ_without_colour() -> None:
    assert set(STATE_SYMBOL) == set(TaskState)
    assert len(set(STATE_SYMBOL.values())) == len(TaskState)


def test_how_a_credential_dies_is_said_in_words() -> None:
    assert kill_words(KillMode.WIRE, 0.1) == "cut on the wire <100 ms"
    assert kill_words(KillMode.VERIFIER, 45) == "dies at its expiry ≤45s"
