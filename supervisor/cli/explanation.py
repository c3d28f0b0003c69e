"""What `taskpass policy explain` says: the decision, the rules behind it, what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from supervisor import places
from supervisor.effects import effects_of
from supervisor.errors import UsageError
from supervisor.model import ApprovalRequest, Decision, Outcome, Risk, ToolCall
from supervisor.policy.evaluate import Evaluator
from supervisor.policy.explain import explain
from supervisor.policy.rules_file import propose


def explanation(
    evaluator: Evaluator, other: Evaluator, row: dict[str, Any], contained: bool
) -> Iterator[str]:
    """Lines of text.

    Args:
        evaluator: as the task is; `other`: as it would be in the other tier.

    Raises:
        UsageError: the row describes no call.
    """
    try:
        call = evaluator.call(row)
    except ValueError as error:
        raise UsageError(f"This is no call: {error}.") from None
    decision = _decide(evaluator, call)
    risk = f" ({decision.risk.value} risk)" if decision.outcome is Outcome.ASK else ""
    where = "contained" if contained else "uncontained"
    yield f"{decision.outcome.value}{risk}, {where}: {decision.reason}"
    if decision.hint:
        yield f"→ {decision.hint}"
    if decision.outcome is Outcome.ALLOW and not decision.lease:
        yield "It runs without a lease: no network and no credential without a question."
    yield ""
    effects = effects_of(call, evaluator.place)
    situation = replace(evaluator.situation, tool=call.name)
    yield from explain(evaluator.engine.judge(effects, situation))
    whys = dict.fromkeys(str(e.attributes.get("why", "")) for e in effects)
    yield from (f"       not readable beforehand: {why}" for why in whys if why)
    changes = list(_changes(decision, _decide(other, call), call, contained))
    if changes:
        yield ""
        yield "What would change it:"
        yield from (f"  {change}" for change in changes)


def _decide(evaluator: Evaluator, call: ToolCall) -> Decision:
    effects = effects_of(call, evaluator.place)
    return evaluator.engine.decide(effects, replace(evaluator.situation, tool=call.name))


def _changes(
    decision: Decision, elsewhere: Decision, call: ToolCall, contained: bool
) -> Iterator[str]:
    if elsewhere.outcome is not decision.outcome:
        where = "Uncontained" if contained else "Contained"
        yield f"{where}, it is: {elsewhere.outcome.value}."
    if decision.outcome is Outcome.DENY and decision.policies:
        yield f"{', '.join(decision.policies)} forbids it, whatever permits say."
    elif decision.outcome is Outcome.DENY:
        yield f"A permit that covers it, in {places.config()}/policy/*.cedar."
    elif decision.outcome is Outcome.ASK:
        rule = propose(_request(call, decision), decision.about)
        if rule is None:
            yield "Only an answer each time, or for the task: it is nothing to allow for good."
        else:
            yield f"This, in a file of {places.config()}/policy:"
            yield from (f"  {line}" for line in rule.text("mine").splitlines())


def _request(call: ToolCall, decision: Decision) -> ApprovalRequest:
    """The question that the call would be, for the rule that would answer it."""
    return ApprovalRequest(
        id="",
        task="",
        epoch=0,
        call="",
        call_hash="",
        title=call.command or call.tool,
        effects=decision.about,
        asking=decision.policies,
        reason=decision.reason,
        risk=Risk(decision.risk),
        created=0.0,
        expires=0.0,
    )
