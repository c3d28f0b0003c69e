"""Connections out of a contained task that no proxy carries: refused, recorded, asked about.

A refused attempt belongs to a call only where there is no doubt: exactly one is open. What is
asked then is asked once for a task and target, and holds nobody: the attempt has failed already,
and the answer is for the next one.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supervisor.calls.announced import announced
from supervisor.errors import Denied, TaskpassError
from supervisor.model import Outcome, Verb, new_id
from supervisor.ports import Attempt, Release
from supervisor.ports import Egress as EgressPort

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from supervisor.calls.judging import Judge
    from supervisor.calls.questions import Questions
    from supervisor.calls.recorder import Recorder
    from supervisor.desk import Desk
    from supervisor.grants.book import Book, CallEntry, TaskEntry
    from supervisor.model import Call, Effect, Process

_MOST_NOTES = 5  # of one call
_MOST_CALLS = 16  # with notes that nobody has asked for
_MOST_ASKED = 12  # targets a task may have people asked about, whatever it tries


@dataclass(slots=True)
class Egress(EgressPort):
    """See `ports.Egress`."""

    book: Book
    records: Recorder
    desk: Desk
    questions: Questions
    judge: Judge
    agent_handle: Callable[[str], str]

    def handle_of(self, task: str, ancestry: Sequence[Process]) -> str:
        entry = self.book.task(task)
        if not ancestry or ancestry[-1] != entry.root:
            return ""
        chain = set(ancestry)
        for call in self.book.tree_calls(task):
            if call.tree in chain:
                return call.handle
        return self.agent_handle(task) if len(ancestry) == 1 else ""

    async def refused(self, task: str, attempt: Attempt, times: int = 1) -> None:
        with contextlib.suppress(TaskpassError):
            call = self._only_call(task)
            entry = self._whose(task, call)
            entry.denied += times
            if call is not None:
                _note(entry, call, _refused_in_words(attempt))
            await self.records.refused_egress(entry, attempt, times, call)
            self.desk.changed(entry)

    def refused_use(self, task: str, handle: str, effect: Effect, error: TaskpassError) -> None:
        """Many programs show of a refusal no more than its number: its words go to the agent too.

        Raises:
            NotFound, NotAttested: no call it belongs to.
        """
        call = self.book.call_by_handle(task, handle)
        _note(self.book.task(task), call, f"taskpass refused {effect.label}: {error}")

    async def own_connection(
        self, task: str, ancestry: Sequence[Process], effect: Effect
    ) -> Release | None:
        own = self.agent_handle(task)
        if self.handle_of(task, ancestry) != own:
            return None
        entry = self.book.task(task)
        use = new_id("u")
        try:
            self.book.require_live(task)
            runtime = self.desk.runtimes[task]
            decision = runtime.policy.decide([effect], self.judge.situation(entry, runtime))
            if decision.outcome is not Outcome.ALLOW:
                raise Denied(decision.reason, hint=decision.hint)
            await self.records.own_use(entry, use, effect, decision)
            self.book.require_live(task)
        except TaskpassError as error:
            with contextlib.suppress(TaskpassError):
                await self.records.refused_use(entry, own, (effect,), error)
            raise
        return Release(lease="", use=use, secret=None)

    async def opens(
        self, task: str, effect: Effect, asking: Callable[[], object] = lambda: None
    ) -> bool:
        call = self._only_call(task)
        entry, asked = self._whose(task, call), self.book.task(task).asked_targets
        if call is None or effect.resource in asked or len(asked) >= _MOST_ASKED:
            return False
        asked.add(effect.resource)
        try:
            self.book.require_live(entry.task.id)
            decision = self.judge.use(entry, self.desk.runtimes[task], call, [effect])
            if decision.outcome is Outcome.DENY:
                raise Denied(decision.reason, hint=decision.hint)
            if decision.outcome is Outcome.ASK:
                asking()
                _note(
                    entry,
                    call,
                    f"The person is asked about {effect.label} now: try again once they "
                    "have answered.",
                )
                await self.questions.about_next(entry, call, effect, decision)
            self.book.require_live(entry.task.id, call.call.epoch)
        except TaskpassError as error:
            if entry.ended:
                return False  # its questions ended with it
            with contextlib.suppress(TaskpassError):
                await self.records.refused_use(entry, call.handle, (effect,), error)
            return False
        return True

    def _whose(self, task: str, call: CallEntry | None) -> TaskEntry:
        return self.book.task(call.call.task if call else task)

    def _only_call(self, task: str) -> CallEntry | None:
        calls = self.book.tree_calls(task)
        return calls[0] if len(calls) == 1 else None


def approved_with(call: Call, effect: Effect) -> bool:
    """Whether the call that does this now was decided with this very effect in sight.

    A connection: a person was asked, and the question showed its host, and its port where the
    command said one. A push: the call announced it. An MCP call: it is this call itself, on its
    way to the server, and a person said yes to it.
    """
    if effect.verb is Verb.MCP:
        return call.decision.outcome is Outcome.ASK and effect in call.effects
    if effect.verb is Verb.PUSH:
        return announced(call, effect) is not None
    if effect.verb is not Verb.CONNECT or effect.attributes.get("unlisted"):
        return False
    host = effect.resource.rpartition(":")[0]
    return call.decision.outcome is Outcome.ASK and any(
        asked.verb is Verb.CONNECT and asked.resource.lower() in (effect.resource, host)
        for asked in call.decision.about or call.effects
    )


def _note(entry: TaskEntry, call: CallEntry, text: str) -> None:
    """For the agent at the call's end, which it reports after the call's processes have gone."""
    asides = entry.top.asides  # the agent's own process asks for them
    notes = asides.setdefault(call.call.tool_call.agent_call_id, [])
    if text not in notes and len(notes) < _MOST_NOTES:
        notes.append(text)
    while len(asides) > _MOST_CALLS:
        del asides[next(iter(asides))]


def _refused_in_words(attempt: Attempt) -> str:
    target = attempt.target
    if attempt.name == "localhost":
        return (
            f"taskpass refused {target}: it is a service of the person's machine, outside this "
            "task. They can list it (taskpass run --loopback PORT)."
        )
    way = (
        "Web requests go through the proxy in HTTPS_PROXY."
        if attempt.protocol == "tcp"
        else "Only TCP can be let out of a task."
    )
    return f"taskpass refused {attempt.protocol} to {target}: nothing left this task. {way}"
