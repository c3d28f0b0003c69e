"""How well questions are answered: whether a person is asked seldom, and then looks. Pure.

- *prompts per 100 calls*: questions that came before a person, for each hundred calls announced.
- *time to approve*: from the question's first moment on a screen's list to a person's yes.
- *rubber-stamp rate*: share of a person's yeses that came within `HASTE` seconds of the question:
  less than it takes to read what is asked.
- *by rule*: the rules that asked, with how often a person agreed. One that is always agreed to
  asks too much; one that is never agreed to should deny.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from supervisor.protocol.review import HASTE, FiguresView, RuleView

KINDS: Final = ("call.opened", "call.denied", "approval.asked", "approval.answered")


@dataclass(slots=True)
class _Rule:
    asked: int = 0
    approved: int = 0
    denied: int = 0
    hasty: int = 0
    times: list[float] = field(default_factory=list)


def figures(records: Iterable[Mapping[str, Any]]) -> FiguresView:
    """Count over records of `KINDS`, oldest first."""
    unnamed = asked = high = hasty = 0
    calls: set[str] = set()
    answers: dict[str, int] = defaultdict(int)
    rules: dict[str, _Rule] = defaultdict(_Rule)
    asking: dict[str, tuple[str, ...]] = {}  # question → the rules that asked it
    times: list[float] = []
    for record in records:
        kind = record.get("kind")
        if kind in ("call.opened", "call.denied", "approval.asked"):
            # One that a person refused is on record as a question only.
            if call := record.get("call"):
                calls.add(str(call))
            elif kind != "approval.asked":
                unnamed += 1
        if kind == "approval.asked":
            asked += 1
            high += record.get("risk") == "high"
            by = tuple(str(rule) for rule in record.get("policies") or ()) or ("no rule",)
            asking[str(record.get("approval"))] = by
            for rule in by:
                rules[rule].asked += 1
        elif kind == "approval.answered":
            answer, question = str(record.get("answer")), str(record.get("approval"))
            if question not in asking:
                continue  # asked before the time that is looked at
            answers[answer] += 1
            took = float(record.get("seconds") or 0.0)
            quick = answer == "approved" and took < HASTE
            hasty += quick
            if answer == "approved":
                times.append(took)
            for rule in asking.pop(question):
                one = rules[rule]
                one.approved += answer == "approved"
                one.denied += answer == "denied"
                one.hasty += quick
                if answer == "approved":
                    one.times.append(took)
    announced = len(calls) + unnamed
    approved = answers.pop("approved", 0)
    denied, expired = answers.pop("denied", 0), answers.pop("expired", 0)
    return FiguresView(
        calls=announced,
        asked=asked,
        approved=approved,
        denied=denied,
        expired=expired,
        withdrawn=sum(answers.values()),
        waiting=len(asking),
        per_100_calls=100 * asked / announced if announced else 0.0,
        approve_p50=_quantile(times, 0.5),
        approve_p95=_quantile(times, 0.95),
        hasty=hasty,
        rubber_stamps=hasty / approved if approved else 0.0,
        high_risk=high,
        by_rule=tuple(
            RuleView(rule=rule, asked=one.asked, approved=one.approved, denied=one.denied,
                     hasty=one.hasty, p50=_quantile(one.times, 0.5))
            for rule, one in sorted(rules.items(), key=lambda item: (-item[1].asked, item[0]))
        ),
    )  # fmt: skip


def _quantile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else 0.0
