"""GraphQL under the preset: one path, judged by what is asked of it."""

from __future__ import annotations

import pytest

from supervisor.model import Effect, Outcome, Verb
from supervisor.policy.backtest import backtest
from supervisor.policy.engine import CedarEngine
from supervisor.policy.files import preset_sources
from supervisor.policy.rules_file import Rule, propose
from supervisor.policy.source import Layer, PolicySource
from tests.support.judging import question, situation

ALLOW, ASK, DENY = Outcome.ALLOW, Outcome.ASK, Outcome.DENY


def effect(graphql: str, fields: str = "", method: str = "POST") -> Effect:
    told = {"method": method, "path": "/graphql", "graphql": graphql, "fields": fields}
    return Effect(Verb.HTTP, "api.example.com", told)


@pytest.mark.parametrize(
    ("method", "graphql", "credential", "outcome"),
    [
        ("POST", "query", "api", ALLOW),
        ("POST", "subscription", "api", ALLOW),
        ("POST", "query", "", ASK),  # to any other host it is data that leaves
        ("POST", "mutation", "api", ASK),
        ("POST", "unknown", "api", ASK),
        ("GET", "query", "", ALLOW),
        ("GET", "mutation", "api", ASK),
        ("GET", "unknown", "", ASK),
        ("GET", "", "", ALLOW),
    ],
)
def test_questions_pass_and_changes_ask(
    method: str, graphql: str, credential: str, outcome: Outcome
) -> None:
    engine = CedarEngine(preset_sources("standard"))
    judged = engine.decide([effect(graphql, method=method)], situation("/w", credential=credential))
    assert judged.outcome is outcome


def test_a_policy_can_name_a_field() -> None:
    mine = PolicySource(
        "mine.cedar",
        '@id("mine") forbid (principal, action == Action::"http", resource)'
        ' when { context.fields like "* deleteRepository *" };',
        Layer.USER,
    )
    engine = CedarEngine([*preset_sources("standard"), mine])
    where = situation("/w", credential="api")
    assert engine.decide([effect("mutation", " a deleteRepository ")], where).outcome is DENY
    assert engine.decide([effect("mutation", " deleteRepositories ")], where).outcome is ASK


def kept(about: Effect) -> Rule:
    rule = propose(question(effects=(about,), credential="api"), [about])
    assert rule is not None
    return rule


def test_what_is_allowed_for_good_is_that_change_and_no_other() -> None:
    change = effect("mutation", " addComment ")
    source = PolicySource("rules.toml", kept(change).text("rules/1"), Layer.USER)
    engine = CedarEngine([*preset_sources("standard"), source])
    where = situation("/w", credential="api")
    assert engine.decide([change], where).outcome is ALLOW
    assert engine.decide([effect("mutation", " closeIssue ")], where).outcome is ASK
    plain = effect("")
    source = PolicySource("rules.toml", kept(plain).text("rules/1"), Layer.USER)
    engine = CedarEngine([*preset_sources("standard"), source])
    assert engine.decide([plain], where).outcome is ALLOW
    assert engine.decide([change], where).outcome is ASK


def test_history_is_judged_again_by_the_fields_it_shows() -> None:
    mine = PolicySource(
        "mine.cedar",
        '@id("mine") forbid (principal, action == Action::"http", resource)'
        ' when { context.fields like "* addComment *" };',
        Layer.USER,
    )
    started = {"kind": "task.started", "task": "t-1", "seq": 1, "time": 1.0, "repository": "/w"}
    use = {
        "kind": "use.intent", "task": "t-1", "seq": 3, "time": 6.0, "tier": "A",
        "effect": effect("mutation", " addComment closeIssue ").label, "credential": "api",
    }  # fmt: skip
    before = CedarEngine(preset_sources("standard"))
    after = CedarEngine([*preset_sources("standard"), mine])
    assert len(backtest([started, use], before, after, "/home/ana").changes) == 1
    push = use | {"further": ["push origin main"]}
    assert backtest([started, push], before, after, "/home/ana").unreadable == 1


def test_opening_a_websocket_asks() -> None:
    """What is sent in it later is not seen by policy."""
    engine = CedarEngine(preset_sources("standard"))
    attributes = {"method": "GET", "path": "/ws", "websocket": True}
    opening = Effect(Verb.HTTP, "api.example.com", attributes)
    for credential in ("", "api"):
        judged = engine.decide([opening], situation("/w", credential=credential))
        assert judged.outcome is ASK
    drop = Effect(Verb.HTTP, "webhook.site", attributes)
    assert engine.decide([drop], situation("/w")).outcome is DENY
    started = {"kind": "task.started", "task": "t-1", "seq": 1, "time": 1.0, "repository": "/w"}
    use = {
        "kind": "use.intent", "task": "t-1", "seq": 3, "time": 6.0, "tier": "A",
        "effect": opening.label, "credential": "api",
    }  # fmt: skip
    mine = PolicySource(
        "mine.cedar",
        '@id("mine") forbid (principal, action == Action::"http", resource)'
        " when { context.websocket };",
        Layer.USER,
    )
    after = CedarEngine([*preset_sources("standard"), mine])
    assert len(backtest([started, use], engine, after, "/home/ana").changes) == 1
    plain = use | {"effect": "GET api.example.com/ws"}
    assert not backtest([started, plain], engine, after, "/home/ana").changes
