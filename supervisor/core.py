"""The way of a call. Read this file from top to bottom and you know the system.

    open_call      attest the sender → effects → budget → decide → ask → record → open
    bind_call      tie the call's handle to the process tree that runs it
    authorize_use  attest the connection → effect → decide → ask → record intent → mint → deliver
    settle_call    close leases → cut → revoke upstream → record
    revoke         raise the epoch, refuse, cut → tombstone → kill → revoke upstream

Everything fails closed: an error anywhere on the way is a denial, and no credential leaves
before its record is durable. Authority lives in memory only (`grants.book`): a daemon that
died gives nothing until the agent announces a new call.

`step(name)` is called after each stage; tests kill the daemon there.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from supervisor import procfs
from supervisor.approvals.call_hash import call_hash
from supervisor.approvals.queue import ApprovalQueue
from supervisor.calls.announced import as_announced, by_https
from supervisor.calls.attestation import Attestation, agent_handle
from supervisor.calls.canaries import Canaries
from supervisor.calls.children import Children, activity
from supervisor.calls.egress import Egress
from supervisor.calls.filedoors import FileDoors
from supervisor.calls.forge import asked_already
from supervisor.calls.judging import Judge
from supervisor.calls.lending import Lending
from supervisor.calls.minting import Minting
from supervisor.calls.openings import Openings
from supervisor.calls.owed import OwedStore
from supervisor.calls.questions import Questions, refusal
from supervisor.calls.recorder import Recorder
from supervisor.calls.revoking import Revoking
from supervisor.calls.settlement import Settlement
from supervisor.calls.started import Started
from supervisor.calls.userecords import UseRecords
from supervisor.desk import Desk
from supervisor.effects import effects_of
from supervisor.errors import (
    Denied,
    NotFound,
    Revoked,
    TaskpassError,
)
from supervisor.grants.book import Book, TaskEntry
from supervisor.grants.budget import announced_changes, sent_changes
from supervisor.model import (
    Answer,
    Call,
    Decision,
    Effect,
    FileDoor,
    LeaseState,
    Outcome,
    Process,
    Scope,
    ToolCall,
    ToolKind,
    Verb,
    new_id,
)
from supervisor.ports import (
    Authorize,
    HookAnswer,
    Issuer,
    LedgerStore,
    MintContext,
    Release,
    Vault,
)

log = logging.getLogger("supervisor")

_NOT_STARTED = frozenset({"failed", "undelivered"})  # ends of a shell call that will not bind


@dataclass(slots=True)
class Engine(Authorize):
    """Implements `Authorize` for channels and intake, and what the API offers to people."""

    book: Book
    ledger: LedgerStore
    approvals: ApprovalQueue
    vault: Vault
    issuers: Mapping[str, Issuer]
    desk: Desk
    records: Recorder
    owed: OwedStore
    approval_timeout: float = 300.0  # seconds a question stays open
    bind_grace: float = 10.0  # seconds a background command's shell has to bind
    clock: Callable[[], float] = time.time
    step: Callable[[str], None] = lambda name: None
    admit: Callable[[ToolCall], None] = lambda call: None  # raises Denied: its tool has changed
    attestation: Attestation = field(init=False)
    judge: Judge = field(init=False)
    questions: Questions = field(init=False)
    children: Children = field(init=False)
    doors: FileDoors = field(init=False)
    revoking: Revoking = field(init=False)
    settlement: Settlement = field(init=False)
    openings: Openings = field(init=False)
    lending: Lending = field(init=False)
    minting: Minting = field(init=False)
    uses: UseRecords = field(init=False)
    egress: Egress = field(init=False)
    started: Started = field(init=False)

    def __post_init__(self) -> None:
        self.attestation = Attestation(self.book, self.records)
        self.judge = Judge(self.book, self.clock)
        self.started = Started(self.book, self.desk)
        self.questions = Questions(
            self.book, self.approvals, self.records, self.desk,
            self.approval_timeout, self.clock, self.step, self.vault.specs,
        )  # fmt: skip
        self.children = Children(self.book, self.records, self.desk, self.questions, self.clock)
        self.doors = FileDoors(self.book, self.records, self.desk)
        self.revoking = Revoking(
            self.issuers, self.owed, self.ledger, self.desk.publish, self.clock
        )
        self.settlement = Settlement(
            self.book, self.records, self.desk, self.doors, self.revoking,
            self.bind_grace, self.clock, self.step, self.children.look,
        )  # fmt: skip
        self.openings = Openings(self.records, self.settlement, self._count_denial, self.step)
        canaries = Canaries(self.records, self.desk, self.questions)
        self.lending = Lending(
            self.book, self.vault, self.issuers, self.records, self.desk, canaries, self.clock
        )
        self.minting = Minting(
            self.book, self.issuers, self.records, self.revoking, self.desk, self.clock
        )
        self.uses = UseRecords(self.book, self.records, self.desk, self.settlement, self.clock)
        self.egress = Egress(
            self.book, self.records, self.desk, self.questions, self.judge, agent_handle
        )

    # ── open_call ───────────────────────────────────────────────────────────────────────

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        """Judge one announced tool call. Whatever goes wrong is a denial with its reason."""
        try:
            return await self._open_call(task, call, sender, deadline)
        except TaskpassError as error:
            with contextlib.suppress(TaskpassError):
                entry = self.children.whose(self.book.task(task), call)
                self._count_denial(entry)
                await self.records.refused_call(entry, call, error)
            return HookAnswer(allow=False, reason=str(error))
        except Exception:
            log.exception("open_call failed")
            return HookAnswer(
                allow=False, reason="taskpass could not judge this call, so it is refused."
            )

    async def _open_call(
        self, task: str, tool_call: ToolCall, sender: Process | None, deadline: float
    ) -> HookAnswer:
        top = self.book.require_live(task)
        await self.attestation.sender(top, self.desk.runtimes[task].owner, sender, tool_call)
        self.admit(tool_call)
        entry = await self.children.announcing(top, tool_call)
        task, runtime = entry.task.id, self.desk.runtimes[entry.task.id]
        self.book.reserve_call(task)
        if tool_call.alone or not tool_call.method:  # its servers' start is not an agent's work
            self.desk.set_activity(top, activity(top, entry))

        digest = call_hash(tool_call, profile=entry.task.agent.profile)
        effects = by_https(effects_of(tool_call, runtime.place), self.vault.specs())
        decision = self.judge.call(entry, runtime, tool_call, effects)
        self.step("open.decided")
        call = Call(
            id=new_id("c"),
            task=task,
            epoch=entry.epoch,
            tool_call=tool_call,
            call_hash=digest,
            effects=tuple(effects),
            decision=decision,
            opened=self.clock(),
            identity=runtime.profile.call_identity,
        )
        if decision.outcome is Outcome.DENY:
            await self.records.call("call.denied", entry, call)
            self._count_denial(entry)
            return HookAnswer(allow=False, reason=_explain(decision))
        doors = await self.doors.needed(entry, call)
        approval = None
        if decision.outcome is Outcome.ASK:
            approval, ticket = await self.questions.about_call(entry, call, deadline)
            if approval is None:
                return HookAnswer(
                    allow=False,
                    reason=(
                        f"This needs a person's approval: ticket {ticket}. End your turn now; once "
                        "it is approved, the identical call passes once."
                    ),
                    ticket=ticket,
                )
            if approval.answer is not Answer.APPROVED:
                self._count_denial(entry)
                return HookAnswer(allow=False, reason=refusal(approval, decision))
            self.book.require_live(task, call.epoch)
            if call_hash(tool_call, profile=entry.task.agent.profile) != digest:
                raise Denied(
                    "What was approved has changed meanwhile.", hint="Ask again with the new call."
                )
        self.step("open.answered")
        self.book.reserve_changes(task, announced_changes(effects))
        if await self.openings.record(entry, call, approval):
            # The record took time: what was revoked meanwhile must not open now.
            self.book.require_live(task, call.epoch)
        entry.allowed += 1
        opened = self.book.open_call(
            call, max_age=entry.task.limits.max_call_age, since=procfs.ticks()
        )
        opened.answered = approval is not None and approval.scope is Scope.ONCE
        self.settlement.arm(opened)
        self.desk.changed(entry)
        if doors:
            await self._open_doors(entry, call, doors)
        if any(effect.verb is Verb.CONNECT for effect in effects):
            for channel in runtime.channels:
                await channel.expect(effects)
        rewritten = None
        if tool_call.kind is ToolKind.SHELL:
            rewritten = runtime.profile.with_prefix(tool_call, runtime.shell_prefix(opened.handle))
        return HookAnswer(allow=True, rewritten=rewritten)

    async def _open_doors(self, entry: TaskEntry, call: Call, doors: Sequence[FileDoor]) -> None:
        """Show the call what it was allowed outside; without it the call ends. Raises Denied."""
        try:
            await self.openings.recorded(call.id)
            if self.book.call(call.id) is None:
                raise Denied("This call could not be recorded, so it is refused.")
            await self.doors.open(entry, call.id, doors)
            self.book.require_live(entry.task.id, call.epoch)
        except TaskpassError:
            await self.settlement.settle(entry.task.id, call.id, "no way out", LeaseState.CLOSED)
            raise

    # ── bind_call ───────────────────────────────────────────────────────────────────────

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        """Tie the handle to the agent's child that runs the call.

        Rewritten commands do this before anything of the agent's runs in them, so that a
        process tree belongs to a call before it could have read another call's handle.
        """
        try:
            entry = self.book.require_live(task)
            call = self.book.call_by_handle(task, handle)
            self.book.require_live(call.call.task, call.call.epoch)
            if await self.openings.recorded(call.call.id):
                call = self.book.call_by_handle(task, handle)
                self.book.require_live(call.call.task, call.call.epoch)
        except TaskpassError as error:
            await self.incident(task, "bind_refused", {"reason": error.message})
            return False
        # ancestry: [the process that bound, …, the agent's child, the agent's root]
        child = ancestry[-2] if len(ancestry) >= 2 and ancestry[-1] == entry.root else None
        # A call's shell is started for it; what the agent had running before (an MCP server, say)
        # is another process, whoever told it the handle.
        if child is None or child.start_time < call.since or not self.book.bind(call, child):
            await self.incident(
                task, "bind_refused", {"call": call.call.id, "reason": "another process tree"}
            )
            return False
        call_id = call.call.id
        self.desk.runtimes[task].watch(
            child,
            lambda: self.desk.spawn(
                self.settlement.settle(task, call_id, "exited", LeaseState.CLOSED)
            ),
        )
        self.step("bind.bound")
        return True

    def prefix(self, task: str, ancestry: Sequence[Process]) -> str:
        return self.started.prefix(task, ancestry)

    # ── authorize_use ───────────────────────────────────────────────────────────────────

    async def authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
        further: Sequence[Effect] = (),
    ) -> Release:
        """Judge one request under its open call; a credential leaves only at the very end."""
        effects = (effect, *further)
        try:
            return await self._authorize_use(task, handle, ancestry, effects, surrogates)
        except TaskpassError as error:
            await self.refused_use(task, handle, effects, error)
            raise
        except Exception as error:
            log.exception("authorize_use failed")
            raise Denied("taskpass could not judge this request, so it is refused.") from error

    async def refused_use(
        self, task: str, handle: str, effects: Sequence[Effect], error: TaskpassError
    ) -> None:
        with contextlib.suppress(TaskpassError):
            entry = self.book.owner(task, handle)
            self._count_denial(entry)
            await self.records.refused_use(entry, handle, effects, error)
        with contextlib.suppress(TaskpassError):  # a handle of no open call has none to tell
            self.egress.refused_use(task, handle, effects[0], error)

    async def _authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effects: Sequence[Effect],
        surrogates: Sequence[str],
    ) -> Release:
        effect = effects[0]  # the request itself; the others are what its body says
        runtime = self.desk.runtimes[task]
        call = self.attestation.call(self.book.require_live(task), handle, ancestry, effect)
        entry = self.book.task(call.call.task)
        task = entry.task.id
        effects = as_announced(call.call, effects)
        spec, surrogate = await self.lending.asked_for(entry, call, effect, surrogates)
        self.step("use.attested")

        decision = self.judge.use(entry, runtime, call, effects, spec.name if spec else "")
        if decision.outcome is Outcome.DENY:
            raise Denied(decision.reason, hint=decision.hint)
        approval = None
        asking = decision.about or effects
        if decision.outcome is Outcome.ASK and not asked_already(call, asking):
            approval = await self.questions.about_use(entry, runtime, call, effects, spec, decision)
            call = self.attestation.call(entry, handle, ancestry, effect)
        self.step("use.decided")
        self.book.reserve_changes(task, sent_changes(effect))
        use = new_id("u")
        if spec is None:
            await self.uses.opened("use.allowed", entry, call, use, effects, decision, approval)
            self.book.require_live(task, call.call.epoch)
            bound = self.lending.bound_at(effect.resource)
            return Release(lease="", use=use, secret=None, bound=bound)

        lease = self.lending.lease(entry, call, spec, effect)
        # Intent first: after a crash this lease is shown as possibly live until it expires.
        issuer = self.issuers[spec.issuer]
        await self.uses.opened(
            "use.intent", entry, call, use, effects, decision, approval,
            lease=lease, spec=spec, kill_mode=issuer.kill_mode, lifetime=issuer.lifetime(spec),
        )  # fmt: skip
        self.step("use.intent")
        context = MintContext(
            task=entry.task,
            epoch=entry.epoch,
            call=call.call.id,
            call_hash=call.call.call_hash,
            lease=lease.id,
            effect=effect,
            approval=approval.id if approval else "",
            policy_digest=runtime.policy.digest,
        )
        minted = await self.minting.mint(entry, lease, use, spec, context)
        self.step("use.minted")
        try:
            # The last look: nothing that awaits stands between this and the answer.
            self.book.require_live(task, call.call.epoch)
            still = ancestry if runtime.owner.stands(ancestry) else ()
            self.attestation.call(entry, handle, still, effect)
            if not self.book.lease_live(task, lease.id, self.clock()):
                raise Revoked("The call ended while its credential was made.")
        except TaskpassError:
            if not self.book.lease_live(task, lease.id, self.clock()):
                # Its end came before there was anything to end upstream.
                await self.revoking.end([lease])
            raise
        self.lending.count_use(lease.id)
        self.step("use.delivered")
        return Release(
            lease=lease.id,
            use=use,
            secret=minted.secret,
            surrogate=surrogate,
            header=spec.header,
            scheme=spec.scheme,
            bound=True,
        )

    def live(self, task: str, lease: str) -> bool:
        return self.book.lease_live(task, lease, self.clock())

    async def used(self, task: str, release: Release, status: int) -> None:
        entry = self.book.borrower(release.lease, task)
        self.uses.ended(entry, release.use, release.lease, status)

    def model_access(self, task: str, ancestry: Sequence[Process], host: str, port: int) -> bool:
        try:
            entry = self.book.require_live(task)
        except TaskpassError:
            return False
        return (
            list(ancestry) == [entry.root]
            and f"{host}:{port}" in self.desk.runtimes[task].model_hosts
        )

    def aside(self, task: str, agent_call_id: str) -> str:
        return "\n".join(self.book.task(task).asides.pop(agent_call_id, ()))

    # ── settle_call ─────────────────────────────────────────────────────────────────────

    async def settle_call(
        self, task: str, agent_call_id: str, outcome: str, *, subagent: str | None = None
    ) -> None:
        """The agent says that a call, or with "" a turn, has ended.

        Subagents work on in the background when the agent's own turn ends, and it when theirs
        does: a turn takes only its own calls with it.

        A call whose process tree still lives stays open until that has exited or the call's
        maximum age is reached: only the agent's word has come, not the end. A command sent to
        the background is reported before its shell has had time to bind: it may still do so.
        """
        entry = self.book.task(task)
        if agent_call_id:
            found = self.book.call_by_agent_id(task, agent_call_id)
            ending = [found] if found else []
        else:
            ending = [
                call
                for call in self.book.tree_calls(task)
                if subagent is None or call.call.tool_call.subagent == subagent
            ]
            if not subagent:
                self.desk.set_activity(entry, entry.turns.ended())
                await self.doors.end_turn(task)
        for call in ending:
            if call.call.root is not None:
                continue
            if call.call.tool_call.kind is ToolKind.SHELL and outcome not in _NOT_STARTED:
                self.settlement.expect_bind(call, outcome)
            else:
                await self.openings.recorded(call.call.id)
                await self.settlement.settle(task, call.call.id, outcome, LeaseState.CLOSED)
        if subagent:
            self.children.turn_ended(entry, subagent)

    def spawned(self, task: str, subagent: str, by: str) -> None:
        self.children.spawned(self.book.task(task), subagent, by)

    def activity(self, task: str, notice: str) -> None:
        with contextlib.suppress(NotFound):
            entry = self.book.task(task)
            turns = entry.turns
            state = turns.noticed(notice, entry.activity) if notice else turns.prompted()
            self.desk.set_activity(entry, state)

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        """Record what must not happen; never fails the caller, who refuses anyway."""
        with contextlib.suppress(NotFound):
            await self.records.incident(kind, self.book.task(task), detail)

    def _count_denial(self, entry: TaskEntry) -> None:
        entry.denied += 1
        self.desk.changed(entry)


def _explain(decision: Decision) -> str:
    rules = f" [{', '.join(decision.policies)}]" if decision.policies else ""
    return f"{decision.reason}{rules} {decision.hint}".strip()
