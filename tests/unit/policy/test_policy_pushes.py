"""What the presets say of a push on the wire: the request that carries it, and its refs."""

from __future__ import annotations

from functools import cache

import pytest

from supervisor.effects.programs.shapes import push_effect
from supervisor.model import Effect, Outcome, Risk, Verb
from supervisor.policy.engine import CedarEngine
from tests.support.judging import situation

ALLOW, ASK, DENY = Outcome.ALLOW, Outcome.ASK, Outcome.DENY
URL = "https://github.com/ana/app"


@cache
def engine() -> CedarEngine:
    return CedarEngine.load("standard")


def carrying(*pushes: Effect, read: bool = True) -> tuple[Effect, ...]:
    told = {"method": "POST", "path": "/ana/app.git/git-receive-pack", "port": 443}
    return Effect(Verb.HTTP, "github.com", {**told, **({"push": True} if read else {})}), *pushes


def decided(*effects: Effect, credential: str = "github") -> tuple[Outcome, tuple[str, ...]]:
    decision = engine().decide(effects, situation("/work/project", credential=credential))
    return decision.outcome, tuple(effect.label for effect in decision.about)


def push(ref: str = "topic", **flags: bool) -> Effect:
    return push_effect(URL, ref, url=URL, **flags)


def test_the_request_itself_is_no_question_besides_its_refs() -> None:
    assert decided(*carrying()) == (ALLOW, ())
    assert decided(*carrying(push())) == (ASK, (push().label,))


def test_a_request_whose_refs_were_not_read_is_one() -> None:
    outcome, about = decided(*carrying(read=False))
    assert (outcome, len(about)) == (ASK, 1)


def test_without_a_credential_of_ours_it_is_data_that_is_sent() -> None:
    assert decided(*carrying(), credential="")[0] is ASK


@pytest.mark.parametrize(
    ("effect", "outcome"),
    [
        (push(force=True), ASK),
        (push(delete=True), ASK),
        (push("main", protected=True), ASK),
        (push("main", protected=True, force=True), DENY),
        (push("main", protected=True, delete=True), DENY),
        (push(foreign=True), DENY),
    ],
    ids=lambda value: str(value)[:60],
)
def test_one_ref_decides_for_the_whole_push(effect: Effect, outcome: Outcome) -> None:
    assert decided(*carrying(push(), effect))[0] is outcome


def test_force_is_a_high_risk() -> None:
    effects = carrying(push(force=True))
    decision = engine().decide(effects, situation("/work/project", credential="github"))
    assert decision.risk is Risk.HIGH
