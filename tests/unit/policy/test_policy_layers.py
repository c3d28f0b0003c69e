"""Layers, asks, and what a wrong policy file says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from supervisor.errors import PolicyError, UsageError
from supervisor.model import Decision, Effect, Outcome, Risk, Tier, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.explain import explain
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import situation

GET = Effect(Verb.HTTP, "h.test", {"method": "GET", "path": "/a"})
PLAIN = '@id("plain") permit (principal, action, resource);'
ASK = '@id("asks") @ask("sure?") permit (principal, action, resource);'
HIGH = '@id("high") @ask("really?") @risk("high") permit (principal, action, resource);'
FORBID = '@id("no") @description("Never.") @hint("Walk.") forbid (principal, action, resource);'


def decide(*layers: tuple[Layer, str], effect: Effect = GET) -> Decision:
    sources = [PolicySource(f"{layer.name}.cedar", text, layer) for layer, text in layers]
    return CedarEngine(sources).decide([effect], situation("/w"))


def test_nothing_allows_nothing() -> None:
    decision = decide((Layer.PRESET, ""))
    assert decision.outcome is Outcome.DENY
    assert "No rule allows GET h.test/a" in decision.reason


def test_a_permit_without_ask_goes_before_one_with() -> None:
    assert decide((Layer.PRESET, ASK + PLAIN)).outcome is Outcome.ALLOW


def test_the_strictest_risk_of_the_asks_counts() -> None:
    decision = decide((Layer.PRESET, ASK + HIGH))
    assert (decision.outcome, decision.risk) == (Outcome.ASK, Risk.HIGH)
    assert decision.policies == ("asks", "high")
    assert "sure?" in decision.reason
    assert "really?" in decision.reason


def test_keycards_annotation_asks_too() -> None:
    text = '@description("d") @itl("ok?") permit (principal, action, resource);'
    assert decide((Layer.PRESET, text)).outcome is Outcome.ASK


def test_forbid_wins_and_says_the_way_that_works() -> None:
    decision = decide((Layer.PRESET, PLAIN), (Layer.USER, FORBID))
    assert (decision.outcome, decision.hint) == (Outcome.DENY, "Walk.")
    assert decision.reason.startswith("Never.")
    assert decision.policies == ("no",)


def test_a_persons_own_layer_decides_whether_to_ask() -> None:
    assert decide((Layer.PRESET, PLAIN), (Layer.USER, ASK)).outcome is Outcome.ASK
    assert decide((Layer.PRESET, ASK), (Layer.USER, PLAIN)).outcome is Outcome.ALLOW


def test_a_project_only_tightens() -> None:
    assert decide((Layer.PRESET, PLAIN), (Layer.PROJECT, ASK)).outcome is Outcome.ASK
    assert decide((Layer.PRESET, PLAIN), (Layer.PROJECT, FORBID)).outcome is Outcome.DENY
    assert decide((Layer.PRESET, ""), (Layer.PROJECT, ASK)).outcome is Outcome.DENY
    kept = decide((Layer.PRESET, HIGH), (Layer.PROJECT, ASK))
    assert (kept.outcome, kept.risk) == (Outcome.ASK, Risk.HIGH)
    with pytest.raises(PolicyError, match=r"PROJECT\.cedar:1:1: a project may only tighten"):
        decide((Layer.PROJECT, PLAIN))


def test_tightened_leaves_the_engine_as_it_was() -> None:
    engine = CedarEngine([PolicySource("p", PLAIN, Layer.PRESET)])
    tighter = engine.tightened([PolicySource("x", FORBID, Layer.PRESET)])
    assert tighter.decide([GET], situation("/w")).outcome is Outcome.DENY
    assert engine.decide([GET], situation("/w")).outcome is Outcome.ALLOW
    assert tighter.digest != engine.digest
    with pytest.raises(PolicyError, match="only tighten"):
        engine.tightened([PolicySource("x", PLAIN, Layer.USER)])


def test_an_error_while_evaluating_denies() -> None:
    # Cedar skips a forbid that errors, which would leave the permit standing.
    overflow = (
        '@id("e") forbid (principal, action == Action::"http", resource)'
        " when { context.port * 9223372036854775807 > 1 };"
    )
    assert decide((Layer.PRESET, PLAIN + overflow)).outcome is Outcome.DENY


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("permit (principal, action, resource);\n\npermit (", "3:9", "end of input"),
        ('// a;b\n@id("x")\npermit (principal, action, resource)\n  when { foo };', "4:10", "foo"),
        (
            'permit (principal, action == Action::"http", resource)\nwhen { context.nope == 1 };',
            "2:16",
            "nope",
        ),
        ("permit (principal, action, resource) when { 1 };", "1:1", ""),
        ('@risk("huge") permit (principal, action, resource);', "1:1", "huge"),
        ('@ask("x") forbid (principal, action, resource);', "1:1", "cannot @ask"),
        ("permit (principal == ?principal, action, resource);", "1:1", "templates"),
    ],
)
def test_a_wrong_policy_is_named_by_file_line_and_column(text: str, place: str, words: str) -> None:
    with pytest.raises(PolicyError) as error:
        CedarEngine([PolicySource("mine.cedar", text, Layer.USER)])
    assert error.value.message.startswith(f"mine.cedar:{place}: ")
    assert words in error.value.message
    assert error.value.hint


def test_an_id_is_used_once(tmp_path: Path) -> None:
    clash = '@id("standard/deny.privilege") permit (principal, action, resource);'
    (tmp_path / "mine.cedar").write_text(clash)
    with pytest.raises(PolicyError, match=r"is used at standard\.cedar:\d+"):
        CedarEngine.load(user_directory=tmp_path)


def test_loading_names_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.cedar").write_bytes(b"\xff\xfe")
    with pytest.raises(PolicyError, match="not UTF-8"):
        CedarEngine.load(user_directory=tmp_path)
    with pytest.raises(UsageError, match="no preset"):
        CedarEngine.load("nonsense")


def test_the_digest_follows_the_text() -> None:
    def digest(text: str, layer: Layer = Layer.USER) -> str:
        return CedarEngine([PolicySource("x", text, layer)]).digest

    assert digest(PLAIN) == digest(PLAIN)
    assert len({digest(PLAIN), digest(ASK), digest(PLAIN, Layer.PRESET), digest("")}) == 4


def test_explain_names_rule_place_and_way() -> None:
    engine = CedarEngine([PolicySource("p.cedar", FORBID, Layer.PRESET)])
    lines = explain(engine.judge([GET], situation("/w")))
    assert lines[0].split(maxsplit=1) == ["deny", "GET h.test/a"]
    assert "no" in lines[1]
    assert "p.cedar:1" in lines[1]
    assert "Walk." in lines[2]


def test_policy_can_count_the_ways_out() -> None:
    text = PLAIN + '@id("open") forbid (principal, action, resource) when { principal.holes > 0 };'
    engine = CedarEngine([PolicySource("p.cedar", text, Layer.PRESET)])
    closed = situation("/w", Tier.UNCONTAINED)
    runtime = replace(closed.task.runtime, holes=("docker socket (/run/docker.sock)",))
    opened = replace(closed, task=replace(closed.task, runtime=runtime))
    assert engine.decide([GET], closed).outcome is Outcome.ALLOW
    assert engine.decide([GET], opened).policies == ("open",)
