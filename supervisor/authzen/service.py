"""Decides, remembers what may be requested, and takes requests to a person.

A person's answer is bound to exactly the question that was denied (subject, action, resource and
the relevant context) and to the task's epoch. One given once serves one evaluation.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from supervisor.approvals.rules import TICKET_SECONDS
from supervisor.authzen.evaluation import Question, effects
from supervisor.core import Engine
from supervisor.errors import TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.model import (
    Answer,
    Approval,
    Call,
    Decision,
    Effect,
    Outcome,
    Scope,
    ToolCall,
    ToolKind,
    new_id,
)

log = logging.getLogger("supervisor")

_REMEMBERED = 2048  # denials, and requests
_LONG = 26  # characters of an identifier that must not be guessed: 130 bits
_STATUS = {
    Answer.APPROVED: "approved",
    Answer.DENIED: "denied",
    Answer.EXPIRED: "expired",
    Answer.REVOKED: "cancelled",
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Denied:
    """A denied evaluation, as long as it is remembered."""

    question: Question
    effects: tuple[Effect, ...]
    decision: Decision
    expires: float  # POSIX seconds; 0 where nothing can be requested


@dataclass(slots=True)
class Access:
    """One access request on its way to an answer."""

    id: str
    denied: Denied
    task: str
    epoch: int
    expires: float
    status: str = "pending"
    approval: Approval | None = None
    reference: str = ""  # what the client shows at its next evaluation
    used: bool = False
    asking: asyncio.Task[None] | None = None

    @property
    def until(self) -> float:
        """When the answer is worth nothing any more."""
        if self.approval is None:
            return 0.0
        return self.approval.expires or self.approval.at + TICKET_SECONDS


class Problem(Exception):
    """An access request that is refused: one of the profile's problem types."""

    def __init__(self, kind: str, status: int, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.status = status
        self.detail = detail


@dataclass(slots=True)
class Service:
    """One supervisor's decision point and access request service."""

    engine: Engine
    _denials: OrderedDict[str, Denied] = field(default_factory=OrderedDict)
    _requests: OrderedDict[str, Access] = field(default_factory=OrderedDict)

    # ── evaluation ──────────────────────────────────────────────────────────────────────

    async def evaluate(self, asked: Question) -> dict[str, Any]:
        """The decision, as AuthZEN says it. It is on record before it is told.

        Raises:
            LedgerFailed: it cannot be recorded, so there is none.
        """
        try:
            entry = self._entry(asked)
            runtime = self.engine.desk.runtimes.get(entry.task.id)
            if runtime is None:
                return _no("unknown_subject", "The task is being started, or has ended.")
            about = effects(asked, entry.task.cwd, runtime.place)
        except TaskpassError as error:
            return _no("unknown_subject", str(error))
        except ValueError as error:
            return _no("unknown_action_or_resource", f"{error}")
        # As for a call of the task itself: its counts and budgets are the same ones.
        decision = self.engine.judge.decide(
            entry, runtime, about, tool=asked.text("tool"), credential=asked.text("credential")
        )
        shown = asked.context.get("approval")
        access, problem = self._approved(entry, asked, shown)
        allowed = decision.outcome is Outcome.ALLOW or (
            decision.outcome is Outcome.ASK and access is not None
        )
        evaluation = new_id("e", _LONG)
        await self.engine.records.evaluation(entry, evaluation, about, decision, allowed)
        context: dict[str, Any] = {"evaluation_id": evaluation, "evaluated_at": _time(self._now())}
        if allowed:
            if access is not None and decision.outcome is Outcome.ASK:
                access.used = _once(access)
                context["approval"] = {
                    "id": access.reference,
                    "approved_until": _time(access.until),
                }
            return {"decision": True, "context": context | {"policies": list(decision.policies)}}
        return {"decision": False, "context": context | self._refusal(
            evaluation, Denied(asked, about, decision, self._hint_expires(decision)), problem
        )}  # fmt: skip

    def _refusal(self, evaluation: str, denied: Denied, problem: str) -> dict[str, Any]:
        decision = denied.decision
        _remember(self._denials, evaluation, denied)
        told: dict[str, Any] = {
            "reason": problem or "policy_denied",
            "reason_user": f"{decision.reason} {decision.hint}".strip(),
            "policies": list(decision.policies),
        }
        if not denied.expires:
            return told | ({"next_action": "none"} if problem else {})
        told["reason"] = problem or "approval_required"
        if problem == "approval_unverifiable":
            return told | {"next_action": "none"}
        told |= {"next_action": "request"} if problem else {}
        display = {"title": "Ask the person", "description": decision.reason}
        return told | {"access_request": {"expires_at": _time(denied.expires), "display": display}}

    def _approved(self, entry: TaskEntry, asked: Question, shown: Any) -> tuple[Access | None, str]:
        """The request whose answer covers this, or what is wrong with the one that is shown."""
        if shown is None:
            return None, ""
        reference = shown.get("id") if isinstance(shown, Mapping) else None
        access = next(
            (a for a in self._requests.values() if a.reference and a.reference == reference), None
        )
        if access is None or access.task != entry.task.id:
            return None, "approval_unverifiable"
        if access.denied.question.digest != asked.digest:
            return None, "out_of_scope"
        if access.used or access.epoch != entry.epoch or self._now() >= access.until:
            return None, "approval_expired"
        return access, ""

    def _entry(self, asked: Question) -> TaskEntry:
        if asked.subject["type"] != "task":
            raise ValueError("the subject is a task")
        return self.engine.book.require_live(str(asked.subject["id"]))

    def _hint_expires(self, decision: Decision) -> float:
        asks = decision.outcome is Outcome.ASK
        return self._now() + self.engine.approval_timeout if asks else 0.0

    def _now(self) -> float:
        return self.engine.clock()

    # ── access requests ─────────────────────────────────────────────────────────────────

    def submit(self, asked: Question, denial: Mapping[str, Any]) -> Access:
        """Take a denied evaluation to the person.

        Raises:
            Problem: it is not bound to a denial that can be requested now.
        """
        denied = self._denials.get(str(denial.get("evaluation_id", "")))
        if denied is None:
            raise Problem("invalid_denial_binding", 400, "There is no such denied evaluation.")
        if not denied.expires:
            raise Problem("not_requestable", 400, "The denial is not one that a person can lift.")
        if self._now() >= denied.expires:
            raise Problem("expired_denial", 410, "The denial has expired; evaluate again.")
        if denial.get("expires_at") != _time(denied.expires):
            raise Problem("invalid_denial_binding", 400, "denial.expires_at is not the one given.")
        if denied.question.digest != asked.digest:
            raise Problem("invalid_denial_binding", 400, "The request is not the denied one.")
        entry = self._entry(denied.question)
        access = Access(
            id=new_id("arq", _LONG),
            denied=denied,
            task=entry.task.id,
            epoch=entry.epoch,
            expires=self._now() + self.engine.approval_timeout + TICKET_SECONDS,
        )
        _remember(self._requests, access.id, access)
        note = asked.text("business_justification")
        access.asking = asyncio.create_task(self._ask(entry, access, note))
        return access

    async def _ask(self, entry: TaskEntry, access: Access, note: str) -> None:
        denied = access.denied
        command = denied.question.title
        call = Call(
            id=new_id("c"),
            task=access.task,
            epoch=access.epoch,
            tool_call=ToolCall(
                "", "AuthZEN", ToolKind.OTHER, {}, entry.task.cwd, command=command, note=note
            ),
            call_hash=denied.question.digest,
            effects=denied.effects,
            decision=denied.decision,
            opened=self._now(),
            identity=entry.task.agent.call_identity,
        )
        try:
            approval, _ = await self.engine.questions.about_call(entry, call, 0.0)
        except asyncio.CancelledError:
            access.status = "cancelled"
            raise
        except Exception:
            log.exception("an access request failed")
            access.status = "failed"
            return
        assert approval is not None  # without a deadline there is no ticket
        access.status = _STATUS[approval.answer]
        if approval.answer is Answer.APPROVED:
            access.approval, access.reference = approval, new_id("apr", _LONG)

    def request(self, id: str) -> Access:
        """One request.

        Raises:
            Problem: there is none, or it is too old.
        """
        access = self._requests.get(id)
        if access is None:
            raise Problem("unknown_task", 404, "There is no such access request.")
        if self._now() >= access.expires:
            raise Problem("task_expired", 410, "The access request has expired.")
        return access

    async def cancel(self, id: str) -> Access:
        """Withdraw a question that has no answer yet. Raises Problem."""
        access = self.request(id)
        if access.status != "pending" or access.asking is None:
            raise Problem("invalid_task_state", 409, f"The access request is {access.status}.")
        access.asking.cancel()
        await asyncio.wait([access.asking])
        return access

    async def close(self) -> None:
        """Withdraw all that is open."""
        open_ones = [a.asking for a in self._requests.values() if a.asking and not a.asking.done()]
        for asking in open_ones:
            asking.cancel()
        if open_ones:
            await asyncio.wait(open_ones)


def view(access: Access, endpoint: str) -> dict[str, Any]:
    """The profile's task, and its result once it is approved. `endpoint`: of this request."""
    task: dict[str, Any] = {
        "id": access.id,
        "status": access.status,
        "status_endpoint": endpoint,
        "expires_at": _time(access.expires),
    }
    if access.status == "pending":
        task["links"] = {"cancel": f"{endpoint}/cancel"}
    if access.approval is None:
        return {"task": task}
    approval = {
        "id": access.reference,
        "approved_at": _time(access.approval.at),
        "approved_until": _time(access.until),
    }
    return {"task": task, "result": {"mode": "reevaluate", "approval": approval}}


def _once(access: Access) -> bool:
    return access.approval is not None and access.approval.scope is Scope.ONCE


def _no(reason: str, words: str) -> dict[str, Any]:
    return {"decision": False, "context": {"reason": reason, "reason_user": words}}


def _time(at: float) -> str:
    """RFC 3339, to the second."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _remember(kept: OrderedDict[str, _T], name: str, value: _T) -> None:
    kept[name] = value
    if len(kept) > _REMEMBERED:
        kept.popitem(last=False)
