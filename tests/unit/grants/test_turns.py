"""What an agent is doing, from what its hooks say."""

from __future__ import annotations

from supervisor.grants.turns import Turns
from supervisor.model import TaskState


def test_a_turn_goes_from_the_prompt_to_its_end() -> None:
    turns = Turns()
    assert turns.prompted() is TaskState.WORKING
    assert turns.called() is TaskState.WORKING
    assert turns.ended() is TaskState.WAITING_YOU
    assert turns.noticed("idle", TaskState.WAITING_YOU) is TaskState.IDLE
    assert turns.prompted() is TaskState.WORKING


def test_a_question_in_its_own_pane_waits_for_the_person() -> None:
    turns = Turns()
    turns.prompted()
    assert turns.noticed("waits", TaskState.WORKING) is TaskState.WAITING_YOU
    assert turns.noticed("something else", TaskState.FROZEN) is TaskState.FROZEN


def test_subagents_in_the_background_keep_it_working_until_the_last_has_ended() -> None:
    turns = Turns()
    turns.called()
    turns.ended()
    assert turns.left_by(busy=True) is TaskState.WORKING
    assert turns.left_by(busy=False) is TaskState.WAITING_YOU


def test_the_end_of_a_subagent_is_not_the_end_of_the_turn() -> None:
    turns = Turns()
    turns.called()
    assert turns.left_by(busy=False) is TaskState.WORKING
