"""Policy can ask for a person whom a provider vouches for."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from supervisor.model import Effect, Outcome, User, Verb, Verified
from supervisor.policy.engine import CedarEngine
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import situation

GET = Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/a"})
SIGNED_IN = """
@id("signed-in") @hint("Sign in: taskpass signin --issuer https://id.example.com")
forbid (principal, action, resource) unless { principal.user_evidence == "oidc" };
@id("ana") permit (principal, action, resource)
when { principal.user_subject == "https://id.example.com 00u1" };
"""


@pytest.mark.parametrize(
    ("subject", "lifetime", "outcome"),
    [("00u1", 60, Outcome.ALLOW), ("00u1", -1, Outcome.DENY), ("00u2", 60, Outcome.DENY)],
)
def test_only_who_is_signed_in_now(subject: str, lifetime: float, outcome: Outcome) -> None:
    verified = Verified("https://id.example.com", subject, "ana", time.time() + lifetime)
    asked = situation("/w")
    user = User(1000, "ana", "laptop", verified)
    engine = CedarEngine([PolicySource("a.cedar", SIGNED_IN, Layer.PRESET)])
    decision = engine.decide([GET], replace(asked, task=replace(asked.task, user=user)))
    assert decision.outcome is outcome


def test_the_account_alone_is_told_the_way() -> None:
    engine = CedarEngine([PolicySource("a.cedar", SIGNED_IN, Layer.PRESET)])
    decision = engine.decide([GET], situation("/w"))
    assert decision.policies == ("signed-in",)
    assert "taskpass signin" in decision.hint
