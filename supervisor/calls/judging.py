"""What policy decides, and what it is told besides the effects."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from supervisor.desk import TaskRuntime
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import Decision, Effect, ToolCall
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
        situation = self.situation(entry, runtime, tool=call.name, subagent=call.subagent)
        return runtime.policy.decide(effects, situation)

    def use(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime,
        under: CallEntry,
        effects: Sequence[Effect],
        credential: str = "",
    ) -> Decision:
        """About a request or connection under its open call: all that it would do."""
        situation = self.situation(
            entry,
            runtime,
            tool=under.call.tool_call.name,
            subagent=under.call.tool_call.subagent,
            credential=credential,
            unread=not under.call.decision.lease,
        )
        return runtime.policy.decide(effects, situation)

    def situation(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime,
        *,
        tool: str = "",
        subagent: str = "",
        credential: str = "",
        unread: bool = False,
    ) -> Situation:
        """What is told of the task as it is now."""
        limits = entry.task.limits
        return Situation(
            task=entry.task,
            call_identity=runtime.profile.call_identity,
            workspace=entry.task.workspace,
            subagent=subagent,
            credential=credential,
            open_calls=len(self.book.open_calls(entry.task.id)),
            total_calls=entry.calls,
            budget=Budget(
                calls=limits.max_calls - entry.calls,
                changes=limits.max_changes
                if limits.max_changes < 0
                else max(0, limits.max_changes - entry.changes),
                seconds=int(entry.task.ends - self.clock()),
            ),
            unread=unread,
            tool=tool,
        )
