"""A decision of the past, made again today: the same call or use, under the policy of now."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from supervisor.errors import PolicyError, UsageError
from supervisor.ledger.reading import Reading
from supervisor.model import Limits
from supervisor.needs import Needs
from supervisor.policy.backtest import decide, read_again, situation_of
from supervisor.policy.engine import CedarEngine
from supervisor.policy.explain import explain
from supervisor.policy.in_force import Policies
from supervisor.policy.needs import sources as need_sources
from supervisor.policy.project import read_project
from supervisor.protocol.review import ReplayView
from supervisor.review import words


@dataclass(frozen=True, slots=True)
class Today:
    """The policy that a task of a preset in a workspace would start under now."""

    policies: Policies
    needs: Needs

    def engine(self, preset: str, workspace: str) -> CedarEngine:
        """Raises PolicyError, UsageError: what is there cannot be used, so no task would start."""
        project = read_project(workspace) if os.path.isdir(workspace) else None
        if project is None:
            return self.policies.for_task(preset)
        accepted = self.needs.accepted(workspace, project.needs)
        needed = need_sources(accepted, project.tightened(Limits()).max_age)
        return self.policies.for_task(
            preset, (*project.sources_for(preset or self.policies.preset), *needed)
        )


def replay(source: Reading, record: Mapping[str, Any], today: Today) -> ReplayView:
    """Judge again what a record tells of. Blocking."""
    then = ReplayView(
        seq=int(record["seq"]),
        title=words.sentence(record),
        then="ask" if record["kind"] == "approval.asked" else str(record.get("outcome") or ""),
        then_rules=tuple(str(each) for each in record.get("policies") or ()),
        then_reason=str(record.get("reason") or ""),
    )
    task = str(record.get("task") or "")
    started = next(source.rows(tasks=(task,), kinds=("task.started",)), None) if task else None
    if started is None:
        return replace(then, problem="Its task's start is not on record.")
    began = started.record()
    workspace = str(began.get("repository") or began.get("cwd") or "")
    past = read_again(record, workspace) if then.then in ("allow", "ask", "deny") else None
    if past is None:
        why = "It was refused before policy was asked." if record.get("code") else (
            "What was decided cannot be read again: it is no call or use, or its text was "
            "shortened or masked."
        )  # fmt: skip
        return replace(then, problem=why)
    try:
        engine = today.engine(str(began.get("preset") or ""), workspace)
    except (PolicyError, UsageError) as error:
        return replace(then, problem=f"No task would start there today: {error.message}")
    decision = decide(engine, past)
    return replace(
        then,
        now=decision.outcome,
        now_rules=decision.policies,
        now_reason=decision.reason,
        now_hint=decision.hint,
        explained=tuple(explain(engine.judge(past.effects, situation_of(engine, past)))),
        policy_changed=bool(record.get("policy")) and record["policy"] != engine.digest,
    )
