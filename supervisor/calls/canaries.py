"""Stand-ins as canaries: who sends one where it is not bound did not read its own environment.

A stand-in in a credential position at another host is refused; nothing real has left. The first
time a person is asked whether the task may go on, which it does meanwhile: a wrong address is an
honest mistake. Unless they say yes, the next one freezes the task; their no does so at once.

Models are not listened to: an agent sends its transcript there, and what it has seen with it.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass

from supervisor.calls.questions import Questions
from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.errors import LaunchFailed, TaskpassError
from supervisor.grants.book import CallEntry, TaskEntry
from supervisor.model import Answer, Decision, Effect, Outcome, Risk
from supervisor.tasks.freezing import freeze

POLICY = "taskpass/stand-in"
FREEZES = 2  # hits, without a yes between them


@dataclass(frozen=True, slots=True)
class Canaries:
    """Counts the hits of each task, and does what follows."""

    records: Recorder
    desk: Desk
    questions: Questions

    def listens(self, entry: TaskEntry, effect: Effect) -> bool:
        """Whether a stand-in that goes there tells anything."""
        runtime = self.desk.runtimes[entry.task.id]
        host, port = effect.resource, effect.attributes.get("port", 443)
        return not {host, f"{host}:{port}"} & runtime.model_hosts

    async def hit(self, entry: TaskEntry, call: CallEntry, effect: Effect, credential: str) -> None:
        """A stand-in of `credential` was sent with `effect`. The caller refuses the request."""
        # Names of subagents cost an agent nothing: what they do counts together.
        entry.top.misplaced_surrogates += 1
        hits = entry.top.misplaced_surrogates
        detail = {"credential": credential, "resource": effect.resource, "hit": hits}
        await self.records.incident("misplaced_surrogate", entry, detail)
        if hits >= FREEZES:
            why = f"the stand-in for {credential} sent to {effect.resource}"
            await self._freeze(entry.top, why)
        else:
            self.desk.spawn(self._ask(entry, call, effect, credential))

    async def _ask(
        self, entry: TaskEntry, call: CallEntry, effect: Effect, credential: str
    ) -> None:
        title = f"Stand-in for {credential} sent to {effect.resource}\n{effect.label}"
        decision = Decision(
            Outcome.ASK,
            f"The task sent the stand-in for {credential} to {effect.resource}, where it is not "
            "bound. It was refused, and nothing real left. Yes: the task goes on. No: it is "
            "frozen, as it is by the next one.",
            (POLICY,),
            risk=Risk.HIGH,
            about=(effect,),
        )
        digest = hashlib.sha256(f"stand-in\0{credential}\0{effect.resource}".encode()).hexdigest()
        with contextlib.suppress(TaskpassError):  # it is over, or no question can be recorded
            approval = await self.questions.about_incident(
                entry, call.call, f"sha256:{digest}", title, decision
            )
            if approval.answer is Answer.APPROVED:
                entry.top.misplaced_surrogates = 0
            elif approval.answer is Answer.DENIED and not (entry.stands or entry.over):
                await self._freeze(entry.top, approval.by)

    async def _freeze(self, entry: TaskEntry, by: str) -> None:
        with contextlib.suppress(LaunchFailed):  # then there is nothing left to stop
            await freeze(entry, self.desk, self.records, by)
