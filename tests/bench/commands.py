"""What policy says about commands that others collected, and how fast.

    python -m tests.bench.commands [--contained | --uncontained] [--list GROUP] [--every N]

Abuses (`gtfobins`) and labelled commands (`dcg`) are judged uncontained, where policy alone stands
between a command and the machine; ordinary ones (`tldr`) contained. `--list` prints the rows that
miss an aim: `gtfobins` (allowed), `tldr-uninspectable`, `tldr-unknown`, `tldr-asked`, `dcg`.
The corpora are found by TASKPASS_CORPORA (`../shared/corpora`). Times are processor time of the
second reading: nothing here waits, and another program's turn is not ours.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from supervisor.model import Effect, Outcome, Verb
from supervisor.policy.engine import CedarEngine
from supervisor.policy.evaluate import Evaluation, Evaluator
from supervisor.policy.files import preset_sources
from supervisor.policy.source import Layer, PolicySource
from tests.bench.support import last_line, percentile, summary
from tests.support import corpora

_POLICIES = 1000
_HOME = "/home/ana"

# Labels of dcg that we dispute: what is called harmless and asks by these rules only.
_ABROAD = "it leaves this machine, where it cannot be taken back"
DISPUTED: Mapping[str, str] = {
    "standard/run.unknown": "nothing is known of a program of that name, and nothing contains it",
    "standard/run.project": "a project's own code can do anything, and nothing contains it",
    "standard/push": _ABROAD,
    "standard/push.far": _ABROAD,
    "standard/operate": _ABROAD,
    "standard/http.send": _ABROAD,
    "standard/read.outside": "it reads what is not the task's, and nothing contains it",
    "standard/write.outside": "it writes where the task has nothing to do",
    "standard/delete.shared": "what lies in the directory for temporary files may be another's",
    "standard/delete.tree": "a directory of the workspace would be gone, and nothing contains it",
}

Judged = list[tuple[dict[str, Any], Evaluation]]


def main() -> None:
    parser = argparse.ArgumentParser()
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--contained", action="store_true", default=None)
    where.add_argument("--uncontained", dest="contained", action="store_false")
    parser.add_argument("--list", default="", metavar="GROUP")
    parser.add_argument("--every", type=int, default=1, help="judge every Nth row only")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as workspace:

        def judge(name: str, contained: bool) -> tuple[Judged, list[float]]:
            chosen = contained if arguments.contained is None else arguments.contained
            evaluator = Evaluator("standard", chosen, workspace, _HOME)
            return _judged(evaluator, _rows(name)[:: arguments.every])

        gtfobins, _ = judge("gtfobins", False)
        dcg, _ = judge("dcg", False)
        tldr, times = judge("tldr", True)  # most programs are met for the first time
        _, again = judge("tldr", True)
        thousand = _with_many_policies(workspace)

    _list(arguments.list, gtfobins, dcg, tldr)
    known = [pair for pair in tldr if pair[1].known]
    dcg_deny = _labelled(dcg, "deny")
    dcg_allow = _labelled(dcg, "allow")
    print(f"tldr, reading and decision: {summary(times)}")
    print(f"tldr, once more, all knowledge in memory: {summary(again)}")
    print(f"decision with {_POLICIES} policies more: {summary(thousand)}")
    for row, evaluation in dcg_allow:
        if not _allowed(row, evaluation) and _passed(row, evaluation):
            reasons = dict.fromkeys(DISPUTED[rule] for rule in evaluation.policies)
            print(f"disputed: {row['id']}: {'; '.join(reasons)}")
    last_line(
        "commands",
        {
            "gtfobins_allowed_pct": _percent(gtfobins, _allowed),
            "tldr_uninspectable_pct": _percent(tldr, lambda row, e: not e.inspectable),
            "tldr_known_pct": _percent(tldr, lambda row, e: e.known),
            "tldr_known_allowed_pct": _percent(known, _allowed),
            "dcg_deny_allowed": sum(_allowed(*pair) for pair in dcg_deny),
            "dcg_allow_allowed_pct": _percent(dcg_allow, _allowed),
            "dcg_allow_passed_pct": _percent(dcg_allow, _passed),
            "p50_ms": statistics.median(times) * 1e3,
            "p99_ms": percentile(times, 99) * 1e3,
            "policies_1000_p50_ms": statistics.median(thousand) * 1e3,
            "rows": len(gtfobins) + len(dcg) + len(tldr),
        },
        {},
    )


def _rows(name: str) -> list[dict[str, Any]]:
    try:
        return corpora.rows(name)
    except FileNotFoundError as error:
        sys.exit(str(error))


def _judged(evaluator: Evaluator, rows: Iterable[dict[str, Any]]) -> tuple[Judged, list[float]]:
    judged: Judged = []
    times = []
    for row in rows:
        began = time.perf_counter()
        evaluation = evaluator.evaluate(row)
        times.append(time.perf_counter() - began)
        judged.append((row, evaluation))
    return judged, times


def _labelled(judged: Judged, label: str) -> Judged:
    return [(row, e) for row, e in judged if row["label"] == label]


def _allowed(row: Mapping[str, Any], evaluation: Evaluation) -> bool:
    return evaluation.decision is Outcome.ALLOW


def _passed(row: Mapping[str, Any], evaluation: Evaluation) -> bool:
    """Allowed, or asked for reasons for which we dispute the label."""
    asked = evaluation.decision is Outcome.ASK
    return _allowed(row, evaluation) or (asked and set(evaluation.policies) <= set(DISPUTED))


def _percent(judged: Judged, holds: Callable[[Mapping[str, Any], Evaluation], bool]) -> float:
    return 100 * sum(holds(*pair) for pair in judged) / len(judged) if judged else 0.0


def _list(group: str, gtfobins: Judged, dcg: Judged, tldr: Judged) -> None:
    groups: Mapping[str, Judged] = {
        "": [],
        "gtfobins": [pair for pair in gtfobins if _allowed(*pair)],
        "tldr-uninspectable": [(row, e) for row, e in tldr if not e.inspectable],
        "tldr-unknown": [(row, e) for row, e in tldr if not e.known],
        "tldr-asked": [(row, e) for row, e in tldr if e.known and not _allowed(row, e)],
        "dcg": [
            (row, e) for row, e in dcg
            if row["label"] and (row["label"] == "allow") is not _allowed(row, e)
        ],
    }  # fmt: skip
    if group not in groups:
        sys.exit(f"There is no group {group!r}: {', '.join(filter(None, groups))}.")
    for row, evaluation in groups[group]:
        print(f"{row['id']}: {row['command']!r}")
        print(f"    {evaluation.decision.value}: {'; '.join(evaluation.reasons)}")
        print(f"    {', '.join(evaluation.effects)}")


def _with_many_policies(workspace: str) -> list[float]:
    """Seconds for decisions that the memory cannot answer, with many policies of a person's."""
    own = "\n".join(
        f'@id("own-{n}") forbid (principal, action == Action::"run", resource == '
        f'Program::"program-{n}") when {{ context.arguments like "*--option-{n}*" }};'
        for n in range(_POLICIES)
    )
    sources = [*preset_sources("standard"), PolicySource("own.cedar", own, Layer.USER)]
    evaluator = Evaluator(CedarEngine(sources), True, workspace, _HOME)
    times = []
    for n in range(201):
        told = {"known": True, "uninspectable": False, "arguments": f"--fresh {n}"}
        effect = Effect(Verb.RUN, f"program-{n}", told)
        began = time.perf_counter()
        decision = evaluator.engine.decide([effect], evaluator.situation)
        times.append(time.perf_counter() - began)
        if decision.outcome is not Outcome.ALLOW:
            sys.exit(f"a decision was wrong: {decision.reason}")
    return times[1:]  # the first one builds what all others use


if __name__ == "__main__":
    if not Path(corpora.directory()).is_dir():
        sys.exit(f"There is no {corpora.directory()}: set TASKPASS_CORPORA.")
    main()
