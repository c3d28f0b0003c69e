"""What policy says where the container would refuse, and where the person has let in."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.model import Decision, Effect, Outcome, Tier, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.source import Layer, PolicySource
from supervisor.ports import Situation
from tests.support.judging import situation

ENGINE = CedarEngine.load("standard")


def contained(**runtime: Any) -> Situation:
    base = situation("/w")
    held = replace(base.task.runtime, containment="standard", writable=("/w",), **runtime)
    return replace(base, task=replace(base.task, runtime=held))


def file(verb: Verb, path: str, label: str = "", **attributes: Any) -> Effect:
    inside = path.startswith("/w/")
    facts = {"inside": inside, "home": not inside, "label": label, "clear": False}
    return Effect(verb, path, facts | attributes)


def decide(effect: Effect, **runtime: Any) -> Decision:
    return ENGINE.decide([effect], contained(**runtime))


def test_a_guarded_place_is_denied_with_the_way_that_works_not_asked_about() -> None:
    guarded = ("/w/.vscode",)
    asked = decide(file(Verb.WRITE, "/w/.vscode/tasks.json", "executes"))
    assert asked.outcome is Outcome.ASK
    denied = decide(file(Verb.WRITE, "/w/.vscode/tasks.json", "executes"), guarded=guarded)
    assert denied.outcome is Outcome.DENY
    assert denied.policies == ("standard/deny.guarded",)
    assert "--write PATH" in denied.hint
    assert (
        decide(file(Verb.READ, "/w/.vscode/tasks.json"), guarded=guarded).outcome is Outcome.ALLOW
    )
    assert decide(file(Verb.WRITE, "/w/.vscodes"), guarded=guarded).outcome is Outcome.ALLOW


def test_nothing_around_a_guarded_place_is_deleted() -> None:
    denied = decide(file(Verb.DELETE, "/w/tools", clear=True), guarded=("/w/tools/hooks",))
    assert denied.outcome is Outcome.DENY
    beside = decide(file(Verb.DELETE, "/w/tools/x"), guarded=("/w/tools/hooks",))
    assert beside.outcome is Outcome.ALLOW


def test_a_folder_that_may_be_written_in_a_guarded_one() -> None:
    base = contained(guarded=("/w/.claude",))
    runtime = replace(base.task.runtime, writable=("/w", "/w/.claude/worktrees"))
    inside = replace(base, task=replace(base.task, runtime=runtime))
    work = file(Verb.WRITE, "/w/.claude/worktrees/a/src.py")
    assert ENGINE.decide([work], inside).outcome is Outcome.ALLOW
    assert ENGINE.decide([file(Verb.WRITE, "/w/.claude/x")], inside).outcome is Outcome.DENY


@pytest.mark.parametrize("verb", [Verb.READ, Verb.WRITE])
def test_what_is_masked_is_denied_since_it_says_nothing(verb: Verb) -> None:
    denied = decide(file(verb, "/w/secrets/a"), masked=("/w/secrets",))
    assert (denied.outcome, denied.policies) == (Outcome.DENY, ("standard/deny.masked",))
    assert "--show PATH" in denied.hint


def test_a_search_passes_by_what_is_masked() -> None:
    for label in ("dotenv", "keys", ""):
        passed = file(Verb.READ, "/w/.env", label, passing=True)
        assert decide(passed, masked=("/w/.env",)).outcome is Outcome.ALLOW
    for label in ("dotenv", "keys"):
        assert decide(file(Verb.READ, "/w/.env", label, passing=True)).outcome is Outcome.DENY
        named = file(Verb.READ, "/w/.env", label)
        assert decide(named, masked=("/w/.env",)).outcome is Outcome.DENY


def test_what_the_person_shows_may_be_read_and_not_written() -> None:
    read, write = file(Verb.READ, "/w/.env", "dotenv"), file(Verb.WRITE, "/w/.env", "dotenv")
    assert decide(read).outcome is Outcome.DENY
    assert decide(read, let_read=("/w/.env",)).outcome is Outcome.ALLOW
    assert decide(write, let_read=("/w/.env",)).outcome is Outcome.DENY
    assert decide(write, let_write=("/w/.env",)).outcome is Outcome.ALLOW


def test_what_the_person_lets_be_written_outside_needs_no_question() -> None:
    write = file(Verb.WRITE, "/home/ana/.cache/pip/x")
    assert decide(write).outcome is Outcome.ASK
    assert decide(write, let_write=("/home/ana/.cache/pip",)).outcome is Outcome.ALLOW


def test_sockets_state_and_model_log_ins_stay_kept_whatever_is_let_in() -> None:
    for label in ("model-login", "socket", "process", "ours"):
        denied = decide(file(Verb.READ, "/x/y", label), let_read=("/x",), let_write=("/x",))
        assert denied.outcome is Outcome.DENY, label


def test_policy_can_read_tier_and_mode() -> None:
    rule = (
        'forbid (principal, action == Action::"write", resource) '
        'when { principal.tier != "A" || principal.containment != "strict" };'
    )
    engine = ENGINE.tightened([PolicySource("project", rule, Layer.PROJECT)])
    write = file(Verb.WRITE, "/w/a")
    base = contained()

    def outcome(tier: Tier, mode: str) -> Outcome:
        runtime = replace(base.task.runtime, tier=tier, containment=mode)
        return engine.decide(
            [write], replace(base, task=replace(base.task, runtime=runtime))
        ).outcome

    assert outcome(Tier.A, "strict") is Outcome.ALLOW
    assert outcome(Tier.A, "standard") is Outcome.DENY
    assert outcome(Tier.B, "strict") is Outcome.DENY
