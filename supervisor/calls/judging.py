"""What policy decides, and what it is told besides the effects."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from supervisor.desk import TaskRuntime
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import Decision, Effect, Outcome, Risk, ToolCall
from supervisor.ports import Budget, Situation


@dataclass(frozen=True, slots=True)
class Judge:
    """Puts calls and uses before the policy of their task."""

    book: Book
    clock: Callable[[], float] = time.time

    def call(
        self, entry: TaskEntry, runtime: TaskRuntime, call: ToolCall, effects: Sequence[Effect]
    ) -> Decision:
        """About a call that is announced."""
        return self.decide(entry, runtime, effects, tool=call.name)

    def use(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime,
        under: CallEntry,
        effects: Sequence[Effect],
        credential: str = "",
    ) -> Decision:
        """About a request or connection under its open call: all that it would do."""
        return self.decide(
            entry,
            runtime,
            effects,
            tool=under.call.tool_call.name,
            credential=credential,
            unread=not under.call.decision.lease,
        )

    def decide(
        self, entry: TaskEntry, runtime: TaskRuntime, effects: Sequence[Effect], **about: Any
    ) -> Decision:
        """By the strictest of what holds for the task and for each one above it.

        A policy may say more of a subagent than of who started it, by a name that the agent gave;
        what that could add is not the agent's to take.
        """
        return strictest(
            [
                runtime.policy.decide(effects, self.situation(one, runtime, **about))
                for one in entry.chain
            ]
        )

    def situation(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime,
        *,
        tool: str = "",
        credential: str = "",
        unread: bool = False,
    ) -> Situation:
        """What is told of the task as it is now."""
        return Situation(
            task=entry.task,
            call_identity=runtime.profile.call_identity,
            workspace=entry.task.workspace,
            subagent=entry.task.subagent,
            credential=credential,
            open_calls=len(self.book.open_calls(entry.task.id)),
            total_calls=entry.calls,
            budget=self.budget(entry),
            unread=unread,
            tool=tool,
        )

    def budget(self, entry: TaskEntry) -> Budget:
        """What it may still use up, and all above it."""
        left = [
            one.task.limits.max_changes - one.changes
            for one in entry.chain
            if one.task.limits.max_changes >= 0
        ]
        return Budget(
            calls=min(one.task.limits.max_calls - one.calls for one in entry.chain),
            changes=max(0, min(left)) if left else -1,
            seconds=int(min(one.task.ends for one in entry.chain) - self.clock()),
        )


_STRICT = (Outcome.DENY, Outcome.ASK, Outcome.ALLOW)
_RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


def strictest(decisions: Sequence[Decision]) -> Decision:
    """Of several about the same: the first of the strictest, and what all of those ask about."""
    if len(decisions) == 1:
        return decisions[0]
    first = min(decisions, key=lambda one: _STRICT.index(one.outcome))
    same = [one for one in decisions if one.outcome is first.outcome]
    lease = all(one.lease for one in decisions)
    if first.outcome is not Outcome.ASK or len(same) == 1:
        return replace(first, lease=lease) if lease != first.lease else first
    return replace(
        first,
        policies=tuple(dict.fromkeys(name for one in same for name in one.policies)),
        about=tuple({effect.label: effect for one in same for effect in one.about}.values()),
        risk=max((one.risk for one in same), key=_RISKS.index),
        lease=lease,
    )
