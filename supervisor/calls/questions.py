"""Asking a person, and holding whoever wants to know until there is an answer."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from supervisor.approvals.differences import differences
from supervisor.approvals.edits import arguments_of, diff_of
from supervisor.approvals.queue import ApprovalQueue
from supervisor.calls.recorder import Recorder, title_of
from supervisor.desk import Desk, TaskRuntime
from supervisor.errors import Denied, LaunchFailed, TimedOut
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import (
    Answer,
    Approval,
    ApprovalRequest,
    Call,
    CredentialSpec,
    Decision,
    Effect,
    Scope,
    TaskState,
    Verb,
    new_id,
)
from supervisor.protocol.wire import ApprovalAnswered, ApprovalAsked

_ALONE = "this runs unattended, and no screen is there to be asked"


@dataclass(slots=True)
class Questions:
    """Puts questions on record, before people, and their answers on record again."""

    book: Book
    approvals: ApprovalQueue
    records: Recorder
    desk: Desk
    timeout: float  # seconds a question stays open
    clock: Callable[[], float] = time.time
    step: Callable[[str], None] = lambda name: None
    specs: Callable[[], Sequence[CredentialSpec]] = tuple  # what could be lent
    reachable: Callable[[], bool] = lambda: False  # whether a screen that may answer is there
    asked: Callable[[], None] = lambda: None  # called with each new question

    def __post_init__(self) -> None:
        self.approvals.on_answer = self.answered

    async def about_call(
        self, entry: TaskEntry, call: Call, deadline: float
    ) -> tuple[Approval | None, str]:
        """The answer, or None with a ticket when the hook cannot be held any longer."""
        title = title_of(call.tool_call, call.effects)
        request = self._request(entry, call, call.call_hash, title, call.effects, call.decision)
        request = replace(
            request,
            diff=self.records.redact(await asyncio.to_thread(diff_of, call.tool_call)),
            arguments=self.records.redact(arguments_of(call.tool_call)),
        )
        return await self._ask(entry, request, call.decision.about or call.effects, deadline)

    async def about_use(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime,
        call: CallEntry,
        effects: Sequence[Effect],
        spec: CredentialSpec | None,
        decision: Decision,
    ) -> Approval:
        """Hold one request while a person is asked; its call's processes stand still meanwhile.

        Raises:
            Denied, TimedOut, Revoked: by the answer.
        """
        credential = spec.name if spec else ""
        request = self._about_effects(entry, call, effects, credential, decision)
        # Not the whole agent: where that is the call, it would not even draw.
        frozen = call.call.root if call.call.root != entry.root else None
        if frozen is not None:
            with contextlib.suppress(LaunchFailed):
                await runtime.control.freeze(frozen)
        try:
            asking = decision.about or effects
            approval, _ = await self._ask(entry, request, asking, deadline=0.0)
        finally:
            if frozen is not None and not entry.stands:
                with contextlib.suppress(LaunchFailed):
                    await runtime.control.thaw(frozen)
        assert approval is not None  # without a deadline there is no ticket
        if approval.answer is Answer.EXPIRED:
            raise TimedOut(refusal(approval, decision))
        if approval.answer is not Answer.APPROVED:
            raise Denied(refusal(approval, decision))
        return approval

    async def about_next(
        self, entry: TaskEntry, call: CallEntry, effect: Effect, decision: Decision
    ) -> None:
        """Ask about a connection that was refused. A yes for once is kept for the next attempt.

        Raises:
            Denied, TimedOut: by the answer.
        """
        request = self._about_effects(entry, call, (effect,), "", decision)
        approval, _ = await self._ask(entry, request, (effect,), deadline=0.0, ahead=True)
        assert approval is not None
        if approval.answer is Answer.EXPIRED:
            raise TimedOut(refusal(approval, decision))
        if approval.answer is not Answer.APPROVED:
            raise Denied(refusal(approval, decision))

    async def about_incident(
        self, entry: TaskEntry, call: Call, digest: str, title: str, decision: Decision
    ) -> Approval:
        """Ask what is to become of something that has happened; nothing is held meanwhile.

        Raises:
            Revoked: the task is over.
            LedgerFailed: nobody was asked.
        """
        self.book.require_live(entry.task.id, call.epoch)
        request = self._request(entry, call, digest, title, decision.about, decision)
        request = replace(request, change=())  # a yes lets it stand, and adds nothing
        approval, _ = await self._ask(entry, request, decision.about, deadline=0.0)
        assert approval is not None
        return approval

    def _about_effects(
        self,
        entry: TaskEntry,
        call: CallEntry,
        effects: Sequence[Effect],
        credential: str,
        decision: Decision,
    ) -> ApprovalRequest:
        # A connection that was refused is tried again by a later call: the same question.
        bound_to = "" if effects[0].verb is Verb.CONNECT else call.call.call_hash
        labels = "\n".join(effect.label for effect in effects)
        digest = hashlib.sha256(f"{bound_to}\0{labels}\0{credential}".encode()).hexdigest()
        title = f"{labels}\n{call.call.tool_call.command}"
        return self._request(
            entry, call.call, f"sha256:{digest}", title, effects, decision, credential
        )

    async def _ask(
        self,
        entry: TaskEntry,
        request: ApprovalRequest,
        effects: Sequence[Effect],
        deadline: float,
        *,
        ahead: bool = False,  # nobody waits: what it is about comes later
    ) -> tuple[Approval | None, str]:
        task = entry.task.id
        redeemed = self.approvals.redeem(task, entry.epoch, request.call_hash)
        if redeemed is not None:
            return redeemed, redeemed.id
        if entry.task.unattended and not self.reachable():
            return await self._alone(entry, request), request.id
        above = tuple((one.task.id, one.epoch) for one in entry.chain[1:])
        pending = self.approvals.ask(request, effects, above)
        if pending.fresh:
            entry.asked += 1
            # The question itself is on record before anybody sees it.
            await self.records.asked(entry, pending.request)
            self.desk.publish(ApprovalAsked(approval=pending.request))
            self.asked()
        if ahead:
            self.approvals.ticket(pending.request.id)
        elif not pending.answer.done():
            self.desk.set_activity(entry, TaskState.WAITING_APPROVAL)
        self.step("ask.waiting")
        timeout = deadline - self.clock() if deadline else None
        try:
            approval = await asyncio.wait_for(asyncio.shield(pending.answer), timeout)
        except TimeoutError:
            self.approvals.ticket(pending.request.id)
            await self.records.write("approval.ticket", entry, approval=pending.request.id)
            return None, pending.request.id
        except asyncio.CancelledError:
            # Whoever asked has gone away: a question without an asker is not left to a person.
            withdrawn = self.approvals.leave(pending.request.id)
            if withdrawn is not None:
                self.desk.spawn(self.answered(*withdrawn))
            raise
        finally:
            if not ahead:
                self.desk.set_activity(entry, TaskState.WORKING)
        return approval, approval.id

    async def _alone(self, entry: TaskEntry, request: ApprovalRequest) -> Approval:
        """Where nobody can be asked, no is the answer at once: a job does not wait for one."""
        entry.asked += 1
        await self.records.asked(entry, request)
        approval = Approval(
            request.id, Answer.DENIED, Scope.ONCE, "taskpass", self.clock(), note=_ALONE
        )
        await self.records.answered(entry, request, approval)
        return approval

    async def answered(self, request: ApprovalRequest, approval: Approval) -> None:
        """Record a person's answer (or its absence) and tell the screens.

        The queue calls this before it hands the answer to whoever waits for it.
        """
        entry = self.book.task(request.task)
        await self.records.answered(entry, request, approval)
        self.desk.publish(ApprovalAnswered(id=request.id, answer=approval.answer, by=approval.by))

    def cancel(self, task: str, epoch: int) -> None:
        """Nobody waits for the task's questions any more: its access is over."""
        for withdrawn in self.approvals.cancel_task(task, Answer.REVOKED, epoch=epoch):
            self.desk.spawn(self.answered(*withdrawn))

    def _request(
        self,
        entry: TaskEntry,
        call: Call,
        digest: str,
        title: str,
        effects: Sequence[Effect],
        decision: Decision,
        credential: str = "",
    ) -> ApprovalRequest:
        now = self.clock()
        held = [grant for grant in self.book.grants() if grant.task == entry.task.id]
        change = differences(decision.about or effects, credential, held, self.specs(), now)
        return ApprovalRequest(
            id=new_id("a"),
            task=entry.task.id,
            epoch=entry.epoch,
            call=call.id,
            call_hash=digest,
            title=title,
            effects=tuple(effects),
            asking=decision.policies,
            reason=decision.reason,
            risk=decision.risk,
            created=now,
            expires=now + self.timeout,
            agent_note=call.tool_call.note,
            change=change,
            credential=credential,
            cwd=call.tool_call.cwd,
        )


def refusal(approval: Approval, decision: Decision) -> str:
    """What the agent is told when the answer is not yes."""
    words = {
        Answer.DENIED: f"{approval.by or 'The person'} denied this.",
        Answer.EXPIRED: "Nobody answered the approval in time, so this is denied.",
        Answer.REVOKED: "This task's access was revoked.",
    }.get(approval.answer, "This is denied.")
    note = f" They say: {approval.note}" if approval.note else ""
    return f"{words}{note} {decision.hint}".strip()
