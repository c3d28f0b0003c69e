"""Answers are remembered, and never for another question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.model import Effect, Outcome, Verb
from supervisor.policy.engine import CedarEngine, preset_source
from supervisor.policy.memory import reads_counts
from supervisor.policy.source import Layer, PolicySource
from supervisor.ports import Situation
from tests.support.judging import situation as judged

GET = Effect(Verb.HTTP, "api.example.com", {"method": "GET", "path": "/a"})


def situation(**changes: Any) -> Situation:
    return replace(judged("/work"), **changes)


def engine(*texts: str) -> CedarEngine:
    own = [PolicySource(f"own-{n}", text, Layer.USER) for n, text in enumerate(texts)]
    return CedarEngine([preset_source("standard"), *own])


def test_a_limit_on_calls_is_met_however_often_the_question_was_asked() -> None:
    limited = engine('@id("at-most-three") forbid (principal, action, resource) when '
                     "{ context.call.total > 3 };")  # fmt: skip
    outcomes = [limited.decide([GET], situation(total_calls=n)).outcome for n in range(1, 6)]
    assert outcomes == [Outcome.ALLOW] * 3 + [Outcome.DENY] * 2


def test_another_credential_method_or_task_is_another_question() -> None:
    plain = engine()
    post = Effect(Verb.HTTP, "api.example.com", {"method": "POST", "path": "/a"})
    for _ in range(2):
        assert plain.decide([GET], situation()).outcome is Outcome.ALLOW
        assert plain.decide([post], situation(credential="api")).outcome is Outcome.ASK
    by_credential = engine('@id("none-for-api") forbid (principal, action, resource) when '
                           '{ context.call.credential == "api" };')  # fmt: skip
    assert by_credential.decide([GET], situation()).outcome is Outcome.ALLOW
    assert by_credential.decide([GET], situation(credential="api")).outcome is Outcome.DENY
    assert by_credential.decide([GET], situation()).outcome is Outcome.ALLOW


def test_a_value_of_the_wrong_type_is_not_taken_for_the_right_one() -> None:
    plain = engine()
    run = {"program": "ls", "known": True, "uninspectable": False}
    assert plain.decide([Effect(Verb.RUN, "ls", run)], situation()).outcome is Outcome.ALLOW
    wrong = Effect(Verb.RUN, "ls", run | {"known": 1})
    assert plain.decide([wrong], situation()).outcome is Outcome.DENY


def test_a_call_of_very_many_effects_is_answered_for_each() -> None:
    plain = engine()
    effects = [Effect(Verb.HTTP, f"host-{n}.example.com", GET.attributes) for n in range(1500)]
    for _ in range(2):
        assert len(plain.judge(effects, situation())) == 1500


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ("context.call.total > 3", True),
        ("context.call.open > 3", True),
        ("context.call == context.call", True),
        ('context.call.credential == ""', False),
        ("context.loopback", False),
    ],
)
def test_what_reads_the_counts_is_found(condition: str, reads: bool) -> None:
    text = f'forbid (principal, action == Action::"http", resource) when {{ {condition} }};'
    found = engine(text).policies[-1]
    assert reads_counts([found.body]) is reads
