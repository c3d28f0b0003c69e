"""How well questions are answered, counted."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.protocol.review import HASTE
from supervisor.review.figures import figures


def asked(name: str, *rules: str, **more: Any) -> dict[str, Any]:
    return {"kind": "approval.asked", "approval": name, "call": f"c-{name}", "policies": [*rules],
            **more}  # fmt: skip


def answered(name: str, answer: str, seconds: float) -> dict[str, Any]:
    return {"kind": "approval.answered", "approval": name, "answer": answer, "seconds": seconds}


def test_a_day_is_counted() -> None:
    told = figures(
        [
            {"kind": "call.opened", "call": "c-1"},
            {"kind": "call.denied"},
            asked("1", "push", risk="high"),
            answered("1", "approved", 20.0),
            {"kind": "call.opened", "call": "c-1"},  # approved, and so the same call
            asked("2", "push"),
            answered("2", "approved", 0.9),
            asked("3", "push", "host"),
            answered("3", "denied", 4.0),
            asked("4"),
            answered("4", "expired", 300.0),
            asked("5", "host"),
            answered("5", "revoked", 3.0),
            asked("6", "host"),
            answered("of yesterday", "approved", 1.0),
        ]
    )
    assert (told.calls, told.asked, told.high_risk) == (7, 6, 1)
    assert (told.approved, told.denied, told.expired, told.withdrawn) == (2, 1, 1, 1)
    assert told.waiting == 1
    assert told.per_100_calls == pytest.approx(100 * 6 / 7)
    assert (told.approve_p50, told.approve_p95) == (0.9, 20.0)
    assert (told.hasty, told.rubber_stamps) == (1, 0.5)
    rules = {rule.rule: rule for rule in told.by_rule}
    assert [rule.rule for rule in told.by_rule] == ["host", "push", "no rule"]
    assert (rules["push"].asked, rules["push"].approved, rules["push"].denied) == (3, 2, 1)
    assert (rules["push"].hasty, rules["push"].p50) == (1, 0.9)


def test_before_anything_was_asked_all_is_zero() -> None:
    told = figures([{"kind": "call.opened", "call": "c-1"}])
    assert (told.calls, told.per_100_calls, told.approve_p95, told.rubber_stamps) == (1, 0, 0, 0)


@given(st.lists(st.floats(0, 600), min_size=1, max_size=60))
def test_times_are_those_of_approvals(times: list[float]) -> None:
    told = figures(
        each
        for number, took in enumerate(times)
        for each in (asked(str(number)), answered(str(number), "approved", took))
    )
    assert told.approve_p50 in times
    assert told.approve_p50 <= told.approve_p95 <= max(times)
    assert 2 * sum(took <= told.approve_p50 for took in times) >= len(times)
    assert told.hasty == sum(took < HASTE for took in times)
