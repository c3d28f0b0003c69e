"""What each stage of the way of a call puts on record, and in which words.

Every record carries the identity of four parts. Commands and reasons are kept as previews with
known secrets masked; what exactly was asked is bound by the call hash.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.calls.reach import OutOfReach
from supervisor.errors import LedgerFailed, Revoked, TaskpassError
from supervisor.grants.book import CallEntry, TaskEntry
from supervisor.model import (
    Approval,
    ApprovalRequest,
    Call,
    CredentialSpec,
    Decision,
    Effect,
    Evidence,
    Lease,
    Outcome,
    ToolCall,
    User,
    job_of,
)
from supervisor.policy.needs import words
from supervisor.ports import Attempt, LedgerStore

_PREVIEW = 2000  # characters of a command that are kept


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes records. All but `incident` raise LedgerFailed, having acknowledged nothing then."""

    ledger: LedgerStore
    redact: Callable[[str], str]

    def who(self, entry: TaskEntry) -> dict[str, Any]:
        """User, agent, runtime and task, as every record carries them."""
        task = entry.task
        return {
            "user": task.user.label,
            **_person(task.user),
            "agent": task.agent.label,
            "agent_digest": task.agent.digest,
            "runtime": task.runtime.kind,
            "tier": task.runtime.tier,
            **({"job": job_of(task.runtime.job)} if task.runtime.job else {}),
            "task": task.id,
            **_below(entry),
            "purpose": self._preview(task.purpose),
            "epoch": entry.epoch,
        }

    async def write(self, kind: str, entry: TaskEntry, **body: Any) -> None:
        """One record of a task; `body` holds no text that may carry a secret."""
        await self.ledger.append(kind, self.who(entry) | body)

    async def incident(self, kind: str, entry: TaskEntry, detail: Mapping[str, Any]) -> None:
        """What must not happen. Alone in never failing: whoever meets it refuses anyway."""
        with contextlib.suppress(TaskpassError):
            await self.write(f"incident.{kind}", entry, detail=dict(detail))

    def behind(
        self,
        kind: str,
        entry: TaskEntry,
        body: Mapping[str, Any],
        failed: Callable[[LedgerFailed], object] = lambda error: None,
    ) -> Callable[[Mapping[str, Any]], bool]:
        """As `write`, for what nobody has to wait for (`LedgerStore.append_behind`)."""
        return self.ledger.append_behind(kind, {**self.who(entry), **body}, failed)

    async def started(self, entry: TaskEntry) -> None:
        task = entry.task
        await self.write(
            "task.started",
            entry,
            argv=[self._preview(word) for word in task.argv],
            cwd=task.cwd,
            repository=task.repository,
            branch=task.branch,
            parent=task.parent,
            executable=task.agent.executable,
            tier_detail=task.runtime.detail,
            runtime_evidence=task.runtime.evidence,
            containment=task.runtime.containment,
            sandbox_profile=task.runtime.sandbox_profile,
            holes=list(task.runtime.holes),
            agent_sandbox=task.runtime.agent_sandbox,
            memory=task.limits.memory,
            cpus=task.limits.cpus,
            processes=task.limits.processes,
            call_identity=task.agent.call_identity,
            preset=task.preset,
            overlay=task.overlay,
            recorded=task.record,
            policy=entry.policy,
            **({"needs": [words(need) for need in task.needs]} if task.needs else {}),
        )

    async def failed(self, entry: TaskEntry, reason: str) -> None:
        await self.write("task.failed", entry, reason=self._preview(reason))

    async def call(
        self, kind: str, entry: TaskEntry, call: Call, approval: Approval | None = None
    ) -> None:
        await self.write(kind, entry, **self._call(entry, call, approval))

    def _call(self, entry: TaskEntry, call: Call, approval: Approval | None) -> dict[str, Any]:
        tool = call.tool_call
        return {
            "epoch": call.epoch,  # a shell command's opening is written after it was answered
            "call": call.id,
            "agent_call_id": tool.agent_call_id,
            "subagent": tool.subagent,
            "identity": call.identity,
            "tool": tool.tool,
            "cwd": tool.cwd,
            "call_hash": call.call_hash,
            "preview": self._preview(title_of(tool, call.effects)),
            "effects": [self._preview(effect.label) for effect in call.effects],
            "outcome": call.decision.outcome,
            "reason": self._preview(call.decision.reason),
            "policies": list(call.decision.policies),
            "policy": entry.policy,
            "approval": approval.id if approval else "",
        }

    async def evaluation(
        self,
        entry: TaskEntry,
        evaluation: str,
        effects: Sequence[Effect],
        decision: Decision,
        allowed: bool,
    ) -> None:
        """A decision that another program asked for. `allowed`: also by a person's answer."""
        await self.write(
            "evaluation",
            entry,
            evaluation=evaluation,
            preview=self._preview(", ".join(effect.label for effect in effects)),
            effects=[self._preview(effect.label) for effect in effects],
            outcome=Outcome.ALLOW if allowed else decision.outcome,
            reason=self._preview(decision.reason),
            policies=list(decision.policies),
            policy=entry.policy,
        )

    async def refused_call(self, entry: TaskEntry, call: ToolCall, error: TaskpassError) -> None:
        judged = self._judged(error.call) if isinstance(error, OutOfReach) else {}
        await self.write(
            "call.denied",
            entry,
            agent_call_id=call.agent_call_id,
            tool=call.tool,
            preview=self._preview(call.command),
            outcome=Outcome.DENY,
            code=error.code,
            reason=self._preview(error.message),
            **judged,
        )

    def _judged(self, call: Call) -> dict[str, Any]:
        """What policy would have had, of a call that is refused for another reason."""
        return {
            "call": call.id,
            "effects": [self._preview(effect.label) for effect in call.effects],
            "decided": call.decision.outcome,
            "policies": list(call.decision.policies),
        }

    def use(
        self,
        entry: TaskEntry,
        call: CallEntry,
        use: str,
        effects: Sequence[Effect],
        decision: Decision,
        approval: Approval | None,
        *,
        lease: Lease | None = None,
        spec: CredentialSpec | None = None,
    ) -> dict[str, Any]:
        """What is put on record about a use that is allowed: see `userecords`."""
        return {
            "call": call.call.id,
            "use": use,
            **self._what(effects),
            "outcome": decision.outcome,
            "policies": list(decision.policies),
            "policy": entry.policy,
            "approval": approval.id if approval else "",
            "lease": lease.id if lease else "",
            "until": lease.expires if lease else 0.0,
            "credential": spec.name if spec else "",
            "issuer": spec.issuer if spec else "",
        }

    async def own_use(self, entry: TaskEntry, use: str, effect: Effect, decision: Decision) -> None:
        """A connection of the agent's own process, to what the person listed for it."""
        await self.write(
            "use.allowed",
            entry,
            call="agent",
            use=use,
            effect=self._preview(effect.label),
            outcome=decision.outcome,
            policies=list(decision.policies),
            policy=entry.policy,
        )

    async def refused_use(
        self, entry: TaskEntry, handle: str, effects: Sequence[Effect], error: TaskpassError
    ) -> None:
        body = {
            "call": handle.partition(":")[0],
            **self._what(effects),
            "outcome": Outcome.DENY,
            "code": error.code,
            "reason": self._preview(error.message),
        }
        if isinstance(error, Revoked):  # every connection is told at once, and none has to wait
            self.behind("use.denied", entry, body)
        else:
            await self.write("use.denied", entry, **body)

    async def refused_egress(
        self, entry: TaskEntry, attempt: Attempt, times: int, call: CallEntry | None
    ) -> None:
        """Attempts of one kind at one target; `call`: the one they can only belong to."""
        await self.write(
            "egress.refused",
            entry,
            call=call.call.id if call else "",
            protocol=attempt.protocol,
            address=attempt.address,
            port=attempt.port,
            name=self._preview(attempt.name),
            times=times,
            preview=self._preview(f"{attempt.protocol} {attempt.target}"),
            outcome=Outcome.DENY,
        )

    async def asked(self, entry: TaskEntry, request: ApprovalRequest) -> None:
        await self.write(
            "approval.asked",
            entry,
            approval=request.id,
            call=request.call,
            call_hash=request.call_hash,
            title=self._preview(request.title),
            effects=[self._preview(effect.label) for effect in request.effects],
            policies=list(request.asking),
            risk=request.risk,
            credential=request.credential,
            expires=request.expires,
        )

    async def answered(
        self, entry: TaskEntry, request: ApprovalRequest, approval: Approval
    ) -> None:
        await self.write(
            "approval.answered",
            entry,
            approval=request.id,
            call=request.call,
            call_hash=request.call_hash,
            answer=approval.answer,
            scope=approval.scope,
            by=approval.by,
            seconds=round(approval.at - request.created, 3),
            note=self._preview(approval.note),
        )

    def _what(self, effects: Sequence[Effect]) -> dict[str, Any]:
        """The request, and what else its body says that it does."""
        first, *further = (self._preview(effect.label) for effect in effects)
        return {"effect": first, "further": further} if further else {"effect": first}

    def _preview(self, text: str) -> str:
        return self.redact(text)[:_PREVIEW]


def _below(entry: TaskEntry) -> dict[str, str]:
    """Whose task it is part of, and at last whose; a subagent by its agent's name for it."""
    if entry.above is None:
        return {}
    below = {"parent": entry.task.parent, "top": entry.chain[-1].task.id}
    return below | ({"subagent": entry.task.subagent} if entry.task.subagent else {})


def title_of(call: ToolCall, effects: Sequence[Effect]) -> str:
    """The call in one text: its command, or its tool and what that would do."""
    return call.command or f"{call.tool} " + ", ".join(effect.label for effect in effects)


def _person(user: User) -> dict[str, str]:
    """What backs the user, and who that is where an OpenID provider says so."""
    evidence = user.evidence(time.time())
    if user.verified is None or evidence is not Evidence.OIDC:
        return {"user_evidence": evidence}
    return {
        "user_evidence": evidence,
        "user_issuer": user.verified.issuer,
        "user_subject": user.verified.subject,
    }
