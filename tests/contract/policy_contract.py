"""What every policy engine must do."""

from __future__ import annotations

from abc import ABC, abstractmethod

from hypothesis import given
from hypothesis import strategies as st

from supervisor.model import Effect, Outcome, Risk, Verb
from supervisor.ports import PolicyEngine
from tests.support.judging import situation

_ORDER = [Outcome.ALLOW, Outcome.ASK, Outcome.DENY]
_EFFECTS = [
    Effect(Verb.SPAWN, "explore"),
    Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/"}),
    Effect(Verb.HTTP, "h.test", {"method": "POST", "path": "/"}),
    Effect(Verb.HTTP, "h.test", {"method": "DELETE", "path": "/"}),
    Effect(Verb.HTTP, "169.254.169.254", {"method": "GET", "path": "/"}),
    Effect(Verb.RUN, "sudo", {"act": "privilege"}),
    Effect(Verb.RUN, "ls", {"uninspectable": False}),
    Effect(Verb.MCP, "a.b", {"server": "a", "tool": "b"}),
]


class PolicyEngineContract(ABC):
    @abstractmethod
    def engine(self) -> PolicyEngine: ...

    @given(st.lists(st.sampled_from(_EFFECTS), min_size=1, max_size=8))
    def test_a_call_gets_the_strictest_outcome_of_its_effects(self, effects: list[Effect]) -> None:
        engine, where = self.engine(), situation("/w")
        single = [engine.decide([effect], where) for effect in effects]
        whole = engine.decide(effects, where)
        assert whole.outcome is max((d.outcome for d in single), key=_ORDER.index)
        if whole.outcome is Outcome.ASK:
            asking = [d for d in single if d.outcome is Outcome.ASK]
            order = [Risk.LOW, Risk.MEDIUM, Risk.HIGH]
            assert whole.risk is max((d.risk for d in asking), key=order.index)
            assert all(e in whole.about for d in asking for e in d.about)

    def test_no_effects_are_denied(self) -> None:
        assert self.engine().decide([], situation("/w")).outcome is Outcome.DENY

    def test_attributes_of_a_wrong_type_are_denied(self) -> None:
        wrong = [
            Effect(Verb.HTTP, "h.test", {"method": 1, "path": "/"}),
            Effect(Verb.HTTP, "h.test:x", {"method": "GET", "path": "/"}),
            Effect(Verb.READ, "/w/\udc80", {"inside": True, "home": False}),
            Effect(Verb.READ, "/w/a", {"inside": 1, "home": False}),
        ]
        for effect in wrong:
            decision = self.engine().decide([effect], situation("/w"))
            assert decision.outcome is Outcome.DENY

    def test_what_is_not_told_is_taken_strictly(self) -> None:
        bare = self.engine().decide([Effect(Verb.DELETE, "/w/a")], situation("/w"))
        assert bare.outcome is Outcome.DENY

    def test_a_digest_is_a_digest(self) -> None:
        assert self.engine().digest.startswith("sha256:")
        assert self.engine().digest == self.engine().digest
