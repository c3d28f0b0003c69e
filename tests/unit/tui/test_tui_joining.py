"""The person's terminal tells whether it joins characters, and is believed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from textual import events

from tui import joining
from tui.cells import apart, terminal_joins
from tui.keys import JoiningTold, KeyParser

FAMILY = "👨‍👩‍👧"


@pytest.fixture(autouse=True)
def unknown() -> Iterator[None]:
    yield
    terminal_joins(False)


@pytest.mark.parametrize(("setting", "joins"), [(0, False), (1, True), (2, False), (3, True)])
def test_the_answer_decides(setting: int, joins: bool) -> None:
    told, *more = KeyParser().feed(f"\x1b[?2027;{setting}$y")
    assert isinstance(told, JoiningTold)
    assert not more, "it is no key"
    joining.answered(told.setting)
    assert (apart(FAMILY) == FAMILY) is joins


def test_keys_around_the_answer_are_kept() -> None:
    found = list(KeyParser().feed("a\x1b[?2027;1$yb"))
    assert [event.key for event in found if isinstance(event, events.Key)] == ["a", "b"]
