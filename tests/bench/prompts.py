"""How often ordinary sessions of agents are interrupted, and what dangers among them pass.

    python -m tests.bench.prompts [--contained | --uncontained] [--list]

Replays the calls of `sessions.jsonl` in their hooks' own shape. Whoever answers approves routine
and sensitive calls for "this task", and says no to dangers. The rules of approvals are the real
ones: an answer covers its class until the task ends.
The corpus is found by TASKPASS_CORPORA (`../shared/corpora`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from profiles import all_profiles
from supervisor.approvals.rules import Rules, absent
from supervisor.model import Answer, Approval, ApprovalRequest, Outcome, Scope
from supervisor.policy.evaluate import Evaluation, Evaluator
from tests.bench.support import last_line
from tests.support import corpora

_HOME = "/home/ana"
_FOREVER = 8 * 3600.0

# Labels that we dispute, with our reason. They count all the same.
DISPUTED: Mapping[str, str] = {
    "t2/0176": "runs a package that is in no lock file, which other rows call sensitive",
    **dict.fromkeys(
        ("t1/0105", "t3/0178", "t4/0080", "t5/0126"), "a pull request is seen by others"
    ),
}

# What stops a danger that a file's content carries, once something executes it.
_AT_RUN_TIME = {
    True: "executed contained, it sees no key and is given no credential without a lease",
    False: "executing it asks: it is code of the project, and nothing contains it",
}


@dataclass(frozen=True, slots=True)
class Replayed:
    """One call of a session with what came of it."""

    row: Mapping[str, Any]
    evaluation: Evaluation
    asked: bool  # a person was asked
    allowed: bool  # it ran without a person's word about this call

    @property
    def in_content(self) -> bool:
        return self.row["tool"] not in {"Bash"} and not self.row["tool"].startswith("mcp__")

    @property
    def without_lease(self) -> bool:
        return self.allowed and not self.evaluation.lease


def main() -> None:
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--contained", action="store_true", default=True)
    where.add_argument("--uncontained", dest="contained", action="store_false")
    parser.add_argument("--list", action="store_true", help="print every question and refusal")
    arguments = parser.parse_args()
    try:
        rows = corpora.rows("sessions")
    except FileNotFoundError as error:
        sys.exit(str(error))
    with tempfile.TemporaryDirectory() as workspace:
        evaluator = Evaluator("standard", arguments.contained, workspace, _HOME, all_profiles())
        calls = list(_replay(evaluator, rows))

    of = {
        label: [call for call in calls if call.row["label"] == label]
        for label in ("routine", "sensitive", "danger")
    }
    danger = [call for call in of["danger"] if call.allowed]
    apart = [call for call in danger if call.without_lease]
    in_content = [call for call in danger if call.in_content]
    plain = [call for call in danger if not (call.in_content or call.without_lease)]
    denied = [call for call in of["routine"] if call.evaluation.decision is Outcome.DENY]
    unasked = [call for call in of["sensitive"] if call.allowed]
    if arguments.list:
        _print("asked", [call for call in calls if call.asked])
        _print("routine, denied", denied)
    _print("sensitive, allowed without asking", unasked)
    _print("danger, allowed", plain)
    _print("danger, ran uninspectable, contained and without a lease", apart)
    _print(f"danger in content, written ({_AT_RUN_TIME[arguments.contained]})", in_content)
    for id, reason in DISPUTED.items():
        print(f"disputed: {id}: {reason}")
    routine_asked = sum(call.asked for call in of["routine"])
    last_line(
        "prompts",
        {
            "routine_asked_pct": 100 * routine_asked / len(of["routine"]),
            "asks": sum(call.asked for call in calls),
            "danger_allowed": len(plain),
            "danger_in_content_allowed": len(in_content),
            "danger_without_lease": len(apart),
            "sensitive_unasked": len(unasked),
            "routine_denied": len(denied),
            "calls": len(calls),
        },
        {},
    )


def _replay(evaluator: Evaluator, rows: Iterable[Mapping[str, Any]]) -> Iterable[Replayed]:
    answers: defaultdict[str, Rules] = defaultdict(Rules)  # each task has its own
    for number, row in enumerate(rows):
        evaluation = evaluator.evaluate(row)
        rules = answers[row["task"]]
        if evaluation.decision is not Outcome.ASK:
            yield Replayed(row, evaluation, False, evaluation.decision is Outcome.ALLOW)
            continue
        request = _request(f"a-{number}", evaluation)
        if rules.covered(request, evaluation.about, 0.0) is not None:
            yield Replayed(row, evaluation, False, row["label"] == "danger")
            continue
        rules.put(request, evaluation.about)
        if row["label"] == "danger":
            rules.close(request.id, absent(request, Answer.DENIED, 0.0))
        else:
            approval = Approval(
                request.id, Answer.APPROVED, Scope.TASK, "person", 0.0, expires=_FOREVER
            )
            rules.close(request.id, approval)
        yield Replayed(row, evaluation, True, False)


def _request(id: str, evaluation: Evaluation) -> ApprovalRequest:
    return ApprovalRequest(
        id=id,
        task="t",
        epoch=1,
        call=id,
        call_hash=id,
        title="",
        effects=evaluation.about,
        asking=evaluation.policies,
        reason="",
        risk=evaluation.risk,
        created=0.0,
        expires=300.0,
    )


def _print(title: str, calls: list[Replayed]) -> None:
    print(f"{title}: {len(calls)}")
    for call in calls:
        told = call.row["input"].get("command", call.row["input"])
        print(f"  {call.row['id']} {call.row['label']} {call.row['tool']}: {str(told)[:160]!r}")
        print(f"      {call.evaluation.decision.value}: {'; '.join(call.evaluation.reasons)[:200]}")
        print(f"      {', '.join(call.evaluation.effects)[:200]}")


if __name__ == "__main__":
    main()
