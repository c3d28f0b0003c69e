"""What a record and its times are for people."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.review.words import local_time, sentence


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("time", 1_784_200_931.2044, "2026-07-16 13:22:11+02:00"),
        ("detail.until", 1_768_562_531, "2026-01-16 12:22:11+01:00"),
        ("memory", 1_784_200_931, None),
        ("until", "tomorrow", None),
        ("expires", 0.0, None),
        ("time", True, None),
    ],
)
def test_times_are_local_and_say_their_zone(name: str, value: Any, shown: str | None) -> None:
    assert local_time(name, value) == shown


@given(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.lists(st.integers())))
def test_whatever_stands_there_is_read_or_left(value: Any) -> None:
    shown = local_time("time", value)
    assert shown is None or isinstance(shown, str)


@pytest.mark.parametrize(
    ("status", "said"), [(201, "upstream answered 201"), (0, "no answer came")]
)
def test_a_use_that_nobody_answered_is_said_so(status: int, said: str) -> None:
    assert sentence({"kind": "use.delivered", "status": status}) == said
