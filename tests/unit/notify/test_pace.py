"""What a person is told of, and when."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from supervisor.notify.pace import GAP, MOST, Due, Pace

IDS = ("a", "b", "c", "d", "e")


def test_the_first_is_told_at_once_and_once() -> None:
    pace = Pace()
    assert pace.due(["a"], (), 0.0) == Due(("a",))
    assert pace.due(["a"], (), 100.0) == Due()


def test_a_burst_is_told_at_its_beginning_and_then_all_together() -> None:
    pace = Pace()
    pace.due(["a"], (), 0.0)
    assert pace.due(["a", "b"], (), 1.0) == Due(again=GAP - 1)
    assert pace.due(["a", "b", "c"], (), 2.0) == Due(again=GAP - 2)
    assert pace.due(["a", "b", "c"], (), GAP) == Due(("b", "c"))


def test_what_the_person_looks_at_or_has_answered_is_not_told() -> None:
    pace = Pace(delay=2.0)
    assert pace.due(["a", "b", "c"], (), 0.0) == Due(again=2.0)
    assert pace.due(["b", "c"], ["b"], 2.0) == Due(("c",))
    assert pace.due(["b", "c"], [], 60.0) == Due(), "what was seen once was seen"


def test_each_waits_its_delay() -> None:
    pace = Pace(delay=2.0)
    assert pace.due(["a"], (), 0.0) == Due(again=2.0)
    assert pace.due(["a"], (), 1.5) == Due(again=0.5)
    assert pace.due(["a"], (), 2.0) == Due(("a",))


@given(
    st.lists(
        st.tuples(st.floats(0, 30), st.sets(st.sampled_from(IDS)), st.sets(st.sampled_from(IDS))),
        max_size=60,
    )
)
def test_never_twice_never_seen_never_a_flood(
    steps: list[tuple[float, set[str], set[str]]],
) -> None:
    pace, now = Pace(), 0.0
    times: list[float] = []
    told: set[str] = set()
    for pause, waiting, seen in steps:
        now += pause
        due = pace.due(sorted(waiting), seen, now)
        told &= waiting  # what has gone and comes again is another
        assert not set(due.ids) & (told | seen)
        assert set(due.ids) <= waiting
        assert not (due.ids and due.again)
        told |= set(due.ids) | (seen & waiting)
        if due.ids:
            times.append(now)
        elif due.again is None:
            assert waiting <= told, "whatever is left is asked about again"
    assert all(later - earlier >= GAP - 1e-6 for earlier, later in pairwise(times))
    for first in times:
        assert sum(first <= time < first + 60 - 1e-6 for time in times) <= MOST
