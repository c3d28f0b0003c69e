"""What an agent is doing, from what its hooks say."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from supervisor.grants.turns import Turns
from supervisor.model import TaskState, ToolCall
from tests.support.core_fakes import a_shell_call

OWN = a_shell_call()


def of(subagent: str, kind: str = "explore") -> ToolCall:
    return replace(OWN, subagent=subagent, subagent_kind=kind)


def test_a_turn_goes_from_the_prompt_to_its_end() -> None:
    turns = Turns()
    assert turns.prompted() is TaskState.WORKING
    assert turns.called(OWN, 1.0) is TaskState.WORKING
    assert turns.ended("", 2.0) is TaskState.WAITING_YOU
    assert turns.noticed("idle", TaskState.WAITING_YOU) is TaskState.IDLE
    assert turns.prompted() is TaskState.WORKING


def test_a_question_in_its_own_pane_waits_for_the_person() -> None:
    turns = Turns()
    turns.prompted()
    assert turns.noticed("waits", TaskState.WORKING) is TaskState.WAITING_YOU
    assert turns.noticed("something else", TaskState.FROZEN) is TaskState.FROZEN


def test_subagents_in_the_background_keep_it_working_until_the_last_has_ended() -> None:
    turns = Turns()
    turns.called(of("a"), 1.0)
    turns.called(of("b"), 2.0)
    turns.called(of("a"), 3.0)
    turns.ended("", 4.0)
    assert turns.ended("a", 5.0) is TaskState.WORKING
    assert turns.ended("b", 6.0) is TaskState.WAITING_YOU
    first = turns.subagents["a"]
    assert (first.kind, first.since, first.last, first.calls) == ("explore", 1.0, 5.0, 2)
    assert first.ended


def test_the_end_of_a_subagent_is_not_the_end_of_the_turn() -> None:
    turns = Turns()
    turns.called(of("a"), 1.0)
    assert turns.ended("a", 2.0) is TaskState.WORKING
    assert turns.ended("never heard of", 3.0) is TaskState.WORKING


@given(st.lists(st.tuples(st.text(max_size=300), st.booleans()), max_size=200))
def test_claims_without_end_take_no_room_without_end(claims: list[tuple[str, bool]]) -> None:
    turns = Turns()
    for at, (name, ends) in enumerate(claims):
        if ends:
            turns.ended(name, float(at))
        else:
            turns.called(of(name, name), float(at))
    assert len(turns.subagents) <= 16
    assert all(len(one.id) <= 80 and len(one.kind) <= 80 for one in turns.subagents.values())


def test_who_still_works_is_remembered_before_who_has_ended() -> None:
    turns = Turns()
    for number in range(16):
        turns.called(of(f"a{number}"), float(number))
    turns.ended("a9", 20.0)
    turns.called(of("new"), 21.0)
    assert "a9" not in turns.subagents
    assert {"a0", "new"} <= turns.subagents.keys()
