"""Answers are remembered, and never for another question."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.model import Effect, Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.files import preset_sources
from supervisor.policy.memory import Reads, reads
from supervisor.policy.source import Layer, PolicySource
from supervisor.ports import Situation
from tests.support.judging import situation as judged

GET = Effect(Verb.HTTP, "api.example.com", {"method": "GET", "path": "/a"})


def situation(**changes: Any) -> Situation:
    return replace(judged("/work"), **changes)


def engine(*texts: str) -> CedarEngine:
    own = [PolicySource(f"own-{n}", text, Layer.USER) for n, text in enumerate(texts)]
    return CedarEngine([*preset_sources("standard"), *own])


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


def test_an_answer_is_for_every_effect_that_policy_cannot_tell_apart() -> None:
    plain = engine()
    first, second = (Effect(Verb.SPAWN, name) for name in ("explore", "review"))
    plain.judge([first], situation())
    (verdict,) = plain.judge([second], situation())
    assert verdict.effect is second


def test_a_rule_about_one_name_is_not_hidden_by_an_answer_about_another() -> None:
    for condition in ('resource == Subagent::"review"', "true"):
        scope = "resource" if condition != "true" else 'resource == Subagent::"review"'
        named = engine(f'@id("no-review") forbid (principal, action, {scope}) '
                       f"when {{ {condition} }};")  # fmt: skip
        outcomes = [
            named.decide([Effect(Verb.SPAWN, name)], situation()).outcome
            for name in ("explore", "review", "explore", "review")
        ]
        assert outcomes == [Outcome.ALLOW, Outcome.DENY] * 2


def test_a_text_that_is_not_unicode_is_denied_also_where_no_policy_reads_it() -> None:
    plain = engine()
    run = {"program": "ls", "known": True, "uninspectable": False}
    assert plain.decide([Effect(Verb.RUN, "ls", run)], situation()).outcome is Outcome.ALLOW
    for bad in ("program", "text", "arguments"):
        wrong = Effect(Verb.RUN, "ls", run | {bad: "\udc80"})
        assert plain.decide([wrong], situation()).outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("scope", "condition", "verb", "expected"),
    [
        ("resource", "context.call.total > 3", Verb.HTTP, Reads((("call", "total"),), False)),
        ("resource", "context.call == context.call", Verb.HTTP, Reads((("call",),), False)),
        ("resource", "context == context", Verb.HTTP, Reads(((),), False)),
        ("resource", "context has call.total", Verb.HTTP,
         Reads((("call",), ("call", "total")), False)),
        ("resource", 'context.host like "*.test" && context.port > 1', Verb.HTTP,
         Reads((("host",), ("port",)), False)),
        ("resource", "context.loopback", Verb.RUN, Reads((), False)),
        ("resource is Host", "true", Verb.HTTP, Reads((), False)),
        ('resource == Host::"h"', "true", Verb.HTTP, Reads((), True)),
        ("resource", 'resource == Host::"h"', Verb.HTTP, Reads((), True)),
        ("resource", '[Host::"h"].contains(resource)', Verb.HTTP, Reads((), True)),
    ],
)  # fmt: skip
def test_what_a_policy_looks_at_is_found(
    scope: str, condition: str, verb: Verb, expected: Reads
) -> None:
    text = f'forbid (principal, action == Action::"http", {scope}) when {{ {condition} }};'
    alone = CedarEngine([PolicySource("one", text, Layer.USER)])
    assert reads(policy.body for policy in alone.policies)[verb] == expected


def test_a_policy_for_a_group_of_actions_is_for_each_of_them() -> None:
    text = 'forbid (principal, action in Action::"file", resource) when { context.clear };'
    found = reads(p.body for p in CedarEngine([PolicySource("one", text, Layer.USER)]).policies)
    assert {verb for verb in Verb if found[verb].paths} == {Verb.READ, Verb.WRITE, Verb.DELETE}
