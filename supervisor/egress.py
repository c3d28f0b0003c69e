"""Connections out of a contained task that no proxy carries: refused, recorded, asked about.

A refused attempt belongs to a call only where there is no doubt: exactly one is open. What is
asked then is asked once for a task and target, and holds nobody: the attempt has failed already,
and the answer is for the next one.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supervisor.errors import Denied, TaskpassError
from supervisor.model import Outcome
from supervisor.ports import Attempt
from supervisor.ports import Egress as EgressPort

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supervisor.desk import Desk
    from supervisor.grants.book import Book, CallEntry
    from supervisor.model import Effect, Process
    from supervisor.ports import Situation
    from supervisor.questions import Questions
    from supervisor.recorder import Recorder

_MOST_ASKED = 12  # targets a task may have people asked about, whatever it tries


@dataclass(slots=True)
class Egress(EgressPort):
    """See `ports.Egress`. `situation` is the engine's."""

    book: Book
    records: Recorder
    desk: Desk
    questions: Questions
    situation: Callable[..., Situation]
    agent_handle: Callable[[str], str]

    def handle_of(self, task: str, ancestry: Sequence[Process]) -> str:
        entry = self.book.task(task)
        if not ancestry or ancestry[-1] != entry.root:
            return ""
        chain = set(ancestry)
        for call in self.book.open_calls(task):
            if call.call.root in chain:
                return call.handle
        return self.agent_handle(task) if len(ancestry) == 1 else ""

    async def refused(self, task: str, attempt: Attempt, times: int = 1) -> None:
        with contextlib.suppress(TaskpassError):
            entry = self.book.task(task)
            call = self._only_call(task)
            entry.denied += times
            await self.records.refused_egress(entry, attempt, times, call)
            self.desk.changed(entry)

    async def opens(
        self, task: str, effect: Effect, asking: Callable[[], object] = lambda: None
    ) -> bool:
        entry, call = self.book.task(task), self._only_call(task)
        asked = entry.asked_targets
        if call is None or effect.resource in asked or len(asked) >= _MOST_ASKED:
            return False
        asked.add(effect.resource)
        try:
            self.book.require_live(task)
            runtime = self.desk.runtimes[task]
            situation = self.situation(
                entry,
                runtime,
                tool=call.call.tool_call.name,
                subagent=call.call.tool_call.subagent,
                unread=not call.call.decision.lease,
            )
            decision = runtime.policy.decide([effect], situation)
            if decision.outcome is Outcome.DENY:
                raise Denied(decision.reason, hint=decision.hint)
            if decision.outcome is Outcome.ASK:
                asking()
                await self.questions.about_next(entry, call, effect, decision)
            self.book.require_live(task, call.call.epoch)
        except TaskpassError as error:
            if entry.ended:
                return False  # its questions ended with it
            with contextlib.suppress(TaskpassError):
                await self.records.refused_use(entry, call.handle, effect, error)
            return False
        return True

    def _only_call(self, task: str) -> CallEntry | None:
        calls = self.book.open_calls(task)
        return calls[0] if len(calls) == 1 else None
