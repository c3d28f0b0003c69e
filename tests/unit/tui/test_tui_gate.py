"""The approval gate: what no sequence of keys may do, and what the right ones do."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.model import Scope
from tui.gate import ARM_SECONDS, TASK_STEPS, Gate, Move, Reply

KEYS = st.sampled_from([*string.printable, "enter", "space", "tab", "backspace", "f12", "up"])


def press(gate: Gate, key: str, at: float) -> Reply | Move | None:
    return gate.press(key, key if len(key) == 1 else None, at)


def armed(code: str = "") -> Gate:
    gate = Gate()
    gate.show("request", code, 0.0)
    gate.reached_end()
    return gate


@given(st.lists(KEYS))
def test_no_keys_but_the_two_capitals_approve(keys: list[str]) -> None:
    gate = armed()
    for at, key in enumerate(keys, start=1):
        answer = press(gate, key, float(at))
        if isinstance(answer, Reply) and answer.approve:
            assert key in ("O", "T")


@given(st.lists(KEYS.filter(lambda key: key != "escape")), st.floats(0, ARM_SECONDS - 0.001))
def test_keys_pressed_before_it_armed_mean_nothing(keys: list[str], at: float) -> None:
    gate = armed("K7")
    assert [press(gate, key, at) for key in keys] == [None] * len(keys)
    assert gate.code_typed == ""


@given(st.lists(KEYS))
def test_high_risk_is_not_approved_before_its_code_was_typed(keys: list[str]) -> None:
    gate = armed("OT7")
    typed = ""
    for at, key in enumerate(keys, start=1):
        answer = press(gate, key, float(at))
        if isinstance(answer, Reply) and answer.approve:
            assert "OT7" in typed.upper()
        typed += key if len(key) == 1 else ""


@given(st.lists(KEYS))
def test_nothing_is_approved_before_the_end_was_shown(keys: list[str]) -> None:
    gate = Gate()
    gate.show("request", "", 0.0)
    for at, key in enumerate(keys, start=1):
        answer = press(gate, key, float(at))
        assert not (isinstance(answer, Reply) and answer.approve)


@pytest.mark.parametrize("key", ["enter", "space", "y", "Y", *string.digits, "a", "o", "t"])
def test_the_keys_of_habit_do_nothing(key: str) -> None:
    assert press(armed(), key, 1.0) is None


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("O", Reply(approve=True)),
        ("T", Reply(approve=True, scope=Scope.TASK)),
        ("d", Reply(approve=False)),
        ("f", Reply(approve=False, freeze=True)),
        ("n", Move.NOTE),
        ("A", Move.ALWAYS),
        ("escape", Move.LEAVE),
    ],
)
def test_the_keys_that_answer(key: str, answer: Reply | Move) -> None:
    assert press(armed(), key, ARM_SECONDS) == answer


def test_the_code_opens_the_approval_and_a_wrong_one_starts_over() -> None:
    gate = armed("K7")
    press(gate, "K", 1.0)
    press(gate, "8", 1.1)
    assert gate.code_refused
    assert press(gate, "7", 1.2) is None
    assert press(gate, "O", 1.3) is None
    for at, key in ((1.7, "k"), (1.8, "7")):
        press(gate, key, at)
    assert press(gate, "O", 1.9) == Reply(approve=True)


def test_approving_before_the_code_is_no_wrong_code() -> None:
    gate = armed("K7")
    for key in ("O", "T", "K", "A", "O", "7"):
        assert press(gate, key, 1.0) is None
    assert not gate.code_refused
    assert press(gate, "O", 1.0) == Reply(approve=True)


def test_a_wrong_code_disarms() -> None:
    gate = armed("K7")
    press(gate, "X", 1.0)
    assert gate.arms_in(1.0) == ARM_SECONDS
    for at, key in ((1.1, "K"), (1.2, "7"), (1.3, "O")):
        assert press(gate, key, at) is None
    assert gate.code_typed == ""


def test_how_long_for_the_task_is_chosen_and_starts_at_the_shortest() -> None:
    gate = armed()
    assert gate.minutes == min(TASK_STEPS)
    for key in "-+=+-":
        press(gate, key, 1.0)
    assert press(gate, "T", 1.0) == Reply(approve=True, scope=Scope.TASK, minutes=60)
    for _ in range(20):
        press(gate, "+", 1.0)
    assert gate.minutes == max(TASK_STEPS)
    gate.show("another request", "", 2.0)
    assert gate.minutes == min(TASK_STEPS)


def test_denying_needs_no_code_and_no_reading() -> None:
    gate = Gate()
    gate.show("request", "DNF", 0.0)
    assert press(gate, "d", 1.0) == Reply(approve=False)


def test_a_change_of_content_arms_and_asks_for_everything_anew() -> None:
    gate = armed("K7")
    press(gate, "K", 1.0)
    press(gate, "7", 1.0)
    assert gate.may_approve(1.0)
    assert gate.show("another request", "K7", 1.0)
    gate.reached_end()
    assert press(gate, "O", 1.2) is None
    assert gate.code_needed
    assert not gate.may_approve(2.0)


def test_the_same_content_again_changes_nothing() -> None:
    gate = armed()
    assert not gate.show("request", "", 5.0)
    assert gate.may_approve(5.0)


def test_regained_focus_drains_what_was_typed() -> None:
    gate = armed()
    gate.rearm(10.0)
    assert press(gate, "O", 10.4) is None
    assert press(gate, "O", 10.5) == Reply(approve=True)
