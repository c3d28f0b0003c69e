"""The queue of questions: the rules, with futures for those who wait and timers that deny."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from supervisor.approvals.rules import MAX_WRONG_CODES, Rules, absent, key_of, not_open
from supervisor.errors import Denied
from supervisor.model import Answer, Approval, ApprovalRequest, Effect, Risk, Scope

OnAnswer = Callable[[ApprovalRequest, Approval], Awaitable[None]]

_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ"
_DIGITS = "23456789"


def new_code() -> str:
    """A letter and a digit that cannot be taken for each other, such as `K7`."""
    return secrets.choice(_LETTERS) + secrets.choice(_DIGITS)


@dataclass(frozen=True, slots=True)
class Pending:
    """A question that was put."""

    request: ApprovalRequest  # as shown; with its code when the risk is high
    answer: asyncio.Future[Approval]  # shared by all who wait: shield it
    fresh: bool  # False: it was open already, or needs no person


async def _unrecorded(request: ApprovalRequest, approval: Approval) -> None:
    """Nobody asked to be told."""


class ApprovalQueue:
    """All questions of one supervisor. Used from one event loop.

    Attributes:
        on_answer: awaited with every answer (a person's, or none in time) before anybody who
            waits gets it; if it fails, nothing is approved. Not called for `cancel_task`,
            which returns the answers instead.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        new_code: Callable[[], str] = new_code,
        on_answer: OnAnswer = _unrecorded,
    ) -> None:
        self.on_answer = on_answer
        self._clock = clock
        self._new_code = new_code
        self._rules = Rules()
        self._futures: dict[str, asyncio.Future[Approval]] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._deciding: set[str] = set()  # answered, being recorded
        self._expiring: set[asyncio.Task[None]] = set()

    # ── asking ──────────────────────────────────────────────────────────────────────────

    def ask(
        self,
        request: ApprovalRequest,
        effects: Sequence[Effect] = (),
        above: Sequence[tuple[str, int]] = (),
    ) -> Pending:
        """Put a question. An identical open one is joined; a standing approval answers at once.

        Args:
            request: with `id`, `created` and `expires` set; the code is made here.
            effects: what an approval for the task would cover; `request.effects` if empty.
            above: of a subagent's task, those above it with their epochs, the nearest first.
                What stands there covers it too; an answer to it covers none of them.
        """
        now = self._clock()
        self._rules.prune(now)
        covering = tuple(effects or request.effects)
        joined = self._rules.find(key_of(request))
        if joined is not None:
            joined.ticket = False
            joined.waiting += 1
            return Pending(joined.request, self._futures[joined.request.id], fresh=False)
        ready = self._rules.refused(request, now, above) or self._rules.covered(
            request, covering, now, above
        )
        answer: asyncio.Future[Approval] = asyncio.get_running_loop().create_future()
        if ready is not None:
            answer.set_result(ready)
            return Pending(request, answer, fresh=False)
        if request.risk is Risk.HIGH:
            request = replace(request, code=self._new_code())
        self._rules.put(request, covering, above)
        self._futures[request.id] = answer
        self._timers[request.id] = asyncio.get_running_loop().call_later(
            max(0.0, request.expires - now), self._expire, request.id
        )
        return Pending(request, answer, fresh=True)

    def ticket(self, id: str) -> None:
        """One who waited was sent away: an approval is kept for one identical retry."""
        question = self._rules.open.get(id)
        if question is not None:
            question.waiting -= 1
            question.ticket = True

    def leave(self, id: str) -> tuple[ApprovalRequest, Approval] | None:
        """One who waited has gone. The question, closed as a no, when nobody is left.

        A question with a ticket stays: its asker was told to come back.
        """
        question = self._rules.open.get(id)
        if question is None or id in self._deciding:
            return None
        question.waiting -= 1
        if question.waiting > 0 or question.ticket:
            return None
        approval = replace(
            absent(question.request, Answer.EXPIRED, self._clock()), note="the agent left"
        )
        self._rules.close(id, approval)
        self._hand_over(id, approval)
        return question.request, approval

    def redeem(self, task: str, epoch: int, call_hash: str) -> Approval | None:
        """The approval of a ticket, exactly once and for exactly this call."""
        return self._rules.redeem((task, epoch, call_hash), self._clock())

    def pending(self, id: str) -> ApprovalRequest | None:
        question = self._rules.open.get(id)
        return question.request if question and id not in self._deciding else None

    def about(self, id: str) -> tuple[Effect, ...]:
        """The effects that an open question asks about, () when it is not open."""
        question = self._rules.open.get(id)
        return question.effects if question and id not in self._deciding else ()

    def all_pending(self) -> list[ApprovalRequest]:
        """Open questions, oldest first."""
        return [q.request for id, q in self._rules.open.items() if id not in self._deciding]

    # ── answering ───────────────────────────────────────────────────────────────────────

    async def answer(
        self,
        id: str,
        *,
        answer: Answer,
        by: str,
        scope: Scope = Scope.ONCE,
        minutes: float = 15,
        code: str = "",
        note: str = "",
    ) -> Approval:
        """A person's answer. Returns after it is recorded and handed over.

        Raises:
            NotFound: not open, expired, or just being answered.
            Denied: a wrong code.
            UsageError: minutes out of bounds.
            Whatever `on_answer` raises: then the answer is no.
        """
        now = self._clock()
        if id in self._deciding:
            raise not_open()
        try:
            question = self._rules.check(id, answer, scope, minutes, code, now)
        except Denied:
            question_open = self._rules.open[id]
            if question_open.wrong_codes >= MAX_WRONG_CODES:
                no = Approval(id, Answer.DENIED, Scope.ONCE, by, now, "wrong code three times")
                await self._decide(question_open.request, no)
            raise
        reach = scope if answer is Answer.APPROVED else Scope.ONCE
        expires = now + minutes * 60 if reach is Scope.TASK else 0.0
        given = Approval(id, answer, reach, by, now, note, expires)
        return await self._decide(question.request, given)

    async def _decide(self, request: ApprovalRequest, approval: Approval) -> Approval:
        """Record the answer, then hand it over, unless the task was revoked meanwhile."""
        self._deciding.add(request.id)
        recorded = False
        try:
            await self.on_answer(request, approval)
            recorded = True
        finally:
            self._deciding.discard(request.id)
            if not recorded:
                approval = replace(approval, answer=Answer.DENIED, scope=Scope.ONCE)
            if request.id in self._rules.open:
                self._rules.close(request.id, approval)
                self._hand_over(request.id, approval)
            else:
                approval = absent(request, Answer.REVOKED, self._clock())
        return approval

    def _hand_over(self, id: str, approval: Approval) -> None:
        timer = self._timers.pop(id, None)
        if timer is not None:
            timer.cancel()
        future = self._futures.pop(id)
        if not future.done():
            future.set_result(approval)

    def _expire(self, id: str) -> None:
        question = self._rules.open.get(id)
        if question is None or id in self._deciding:
            return
        self._timers.pop(id, None)
        approval = absent(question.request, Answer.EXPIRED, self._clock())
        job = asyncio.ensure_future(self._expired(question.request, approval))
        self._expiring.add(job)
        job.add_done_callback(self._expiring.discard)

    async def _expired(self, request: ApprovalRequest, approval: Approval) -> None:
        await self._decide(request, approval)

    def cancel_task(
        self, task: str, answer: Answer = Answer.REVOKED, *, epoch: int | None = None
    ) -> list[tuple[ApprovalRequest, Approval]]:
        """End every question, ticket and standing approval of a task, at once.

        Args:
            task: its id.
            answer: what those who wait get; never APPROVED.
            epoch: the last epoch that is over; None for the highest one asked in so far.

        Returns:
            The questions that were open, with the answer each got.
        """
        if answer is Answer.APPROVED:
            raise ValueError("cancelling does not approve")
        now = self._clock()
        over = self._rules.latest_epoch(task) if epoch is None else epoch
        ended: list[tuple[ApprovalRequest, Approval]] = []
        for question in self._rules.end(task, over):
            approval = absent(question.request, answer, now)
            self._hand_over(question.request.id, approval)
            ended.append((question.request, approval))
        return ended
