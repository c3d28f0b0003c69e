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

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from supervisor import procfs
from supervisor.approvals.call_hash import call_hash
from supervisor.approvals.queue import ApprovalQueue
from supervisor.effects import effects_of
from supervisor.errors import (
    Denied,
    LaunchFailed,
    LedgerFailed,
    NotAttested,
    Revoked,
    TaskpassError,
    TimedOut,
)
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import (
    Answer,
    Approval,
    ApprovalRequest,
    Call,
    CallIdentity,
    CallState,
    CredentialSpec,
    Decision,
    Effect,
    Grant,
    Lease,
    LeaseState,
    Outcome,
    Process,
    Task,
    TaskState,
    ToolCall,
    ToolKind,
    Verb,
    new_id,
)
from supervisor.ports import (
    Authorize,
    Channel,
    ConnectionOwner,
    HookAnswer,
    Issuer,
    LedgerStore,
    MintContext,
    PolicyEngine,
    Profile,
    Release,
    Situation,
    TaskControl,
    Vault,
)
from supervisor.recorder import Recorder, title_of
from supervisor.wire import (
    ApprovalAnswered,
    ApprovalAsked,
    Event,
    GrantChanged,
    LeaseChanged,
    TaskChanged,
)

log = logging.getLogger("supervisor")

_NOT_STARTED = frozenset({"failed", "undelivered"})  # ends of a shell call that will not bind
_GRANT_LIFETIME = 30 * 60.0  # seconds; a grant in use is made anew by the next decision


@dataclass(slots=True)
class TaskRuntime:
    """The live parts of one task, handed to `core` by the daemon."""

    profile: Profile
    control: TaskControl
    owner: ConnectionOwner
    channels: list[Channel]
    shell_prefix: Callable[[str], str]  # handle → text put before a shell command
    model_hosts: frozenset[str]  # "host:port"
    watch: Callable[[Process, Callable[[], None]], None]  # tell when a process has exited


@dataclass(slots=True)
class _Minted:
    """What must be revoked upstream when a call settles."""

    spec: CredentialSpec
    issuer: Issuer
    revocation: str


@dataclass(slots=True)
class Engine(Authorize):
    """Implements `Authorize` for channels and intake, and what the API offers to people."""

    book: Book
    ledger: LedgerStore
    policy: PolicyEngine
    approvals: ApprovalQueue
    vault: Vault
    issuers: Mapping[str, Issuer]
    publish: Callable[[Event], None]
    view: Callable[[TaskEntry], Any]  # TaskEntry → wire.TaskView
    records: Recorder
    approval_timeout: float = 300.0
    bind_grace: float = 10.0  # seconds a background command's shell has to bind
    clock: Callable[[], float] = time.time
    step: Callable[[str], None] = lambda name: None
    runtimes: dict[str, TaskRuntime] = field(default_factory=dict)
    minted: dict[str, list[_Minted]] = field(default_factory=dict)  # lease id → what to end
    _background: set[asyncio.Future[None]] = field(default_factory=set)
    _timers: dict[str, asyncio.TimerHandle] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.approvals.on_answer = self.answered

    # ── open_call ───────────────────────────────────────────────────────────────────────

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        """Judge one announced tool call. Whatever goes wrong is a denial with its reason."""
        try:
            return await self._open_call(task, call, sender, deadline)
        except TaskpassError as error:
            with contextlib.suppress(TaskpassError):
                entry = self.book.task(task)
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
        entry = self.book.require_live(task)
        runtime = self.runtimes[task]
        await self._attest_sender(entry, runtime, sender, tool_call)
        self.book.reserve_call(task)
        self.set_activity(entry, TaskState.WORKING)

        digest = call_hash(tool_call, profile=entry.task.agent.profile)
        effects = effects_of(tool_call, entry.task.workspace)
        situation = self._situation(entry, runtime, subagent=tool_call.subagent)
        decision = self.policy.decide(effects, situation)
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
            state=CallState.PENDING,
            identity=runtime.profile.call_identity,
        )
        if decision.outcome is Outcome.DENY:
            await self.records.call("call.denied", entry, call)
            self._count_denial(entry)
            return HookAnswer(allow=False, reason=_explain(decision))
        approval = None
        if decision.outcome is Outcome.ASK:
            approval, ticket = await self._ask_for_call(entry, call, deadline)
            if approval is None:
                return HookAnswer(
                    allow=False,
                    reason=(
                        f"This needs a person's approval: ticket {ticket}. End your turn now; once "
                        "it is approved, the identical call passes once."
                    ),
                )
            if approval.answer is not Answer.APPROVED:
                self._count_denial(entry)
                return HookAnswer(allow=False, reason=_refusal(approval, decision))
            self.book.require_live(task, call.epoch)
            if call_hash(tool_call, profile=entry.task.agent.profile) != digest:
                raise Denied(
                    "What was approved has changed meanwhile.", hint="Ask again with the new call."
                )
        self.step("open.answered")
        call = replace(call, state=CallState.OPEN)
        await self.records.call("call.opened", entry, call, approval)
        self.step("open.recorded")
        # The record took time: what was revoked meanwhile must not open now.
        self.book.require_live(task, call.epoch)
        entry.allowed += 1
        opened = self.book.open_call(
            call, max_age=entry.task.limits.max_call_age, since=procfs.ticks()
        )
        self.arm(opened)
        self.changed(entry)
        rewritten = None
        if tool_call.kind is ToolKind.SHELL:
            rewritten = runtime.profile.with_prefix(tool_call, runtime.shell_prefix(opened.handle))
        return HookAnswer(allow=True, rewritten=rewritten)

    async def _attest_sender(
        self, entry: TaskEntry, runtime: TaskRuntime, sender: Process | None, call: ToolCall
    ) -> None:
        """The sender is the agent's root process, or a hook command that it started itself."""
        ancestry = runtime.owner.ancestry(sender) if sender is not None else []
        genuine = (
            bool(ancestry)
            and len(ancestry) <= 3  # agent; sh ← agent; curl ← sh ← agent
            and ancestry[-1] == entry.root
            and not any(self.book.bound(entry.task.id, process) for process in ancestry[:-1])
        )
        if not genuine:
            await self.incident(
                entry.task.id, "forged_hook", {"tool": call.tool, "sender": _pid(sender)}
            )
            raise NotAttested(
                "This call was not announced by the agent itself.",
                hint="A tool cannot announce calls; the attempt was recorded.",
            )

    async def _ask_for_call(
        self, entry: TaskEntry, call: Call, deadline: float
    ) -> tuple[Approval | None, str]:
        """The answer, or None with a ticket when the hook cannot be held any longer."""
        about = call.decision.about or call.effects
        title = title_of(call.tool_call, call.effects)
        request = self._request(entry, call, call.call_hash, title, call.effects, call.decision)
        return await self._ask(entry, request, about, deadline)

    async def _ask(
        self,
        entry: TaskEntry,
        request: ApprovalRequest,
        effects: Sequence[Effect],
        deadline: float,
    ) -> tuple[Approval | None, str]:
        task = entry.task.id
        redeemed = self.approvals.redeem(task, entry.epoch, request.call_hash)
        if redeemed is not None:
            return redeemed, redeemed.id
        pending = self.approvals.ask(request, effects)
        if pending.fresh:
            entry.asked += 1
            # The question itself is on record before anybody sees it.
            await self.records.asked(entry, pending.request)
            self.publish(ApprovalAsked(approval=pending.request))
        if not pending.answer.done():
            self.set_activity(entry, TaskState.WAITING_APPROVAL)
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
                self.spawn(self.answered(*withdrawn))
            raise
        finally:
            self.set_activity(entry, TaskState.WORKING)
        return approval, approval.id

    async def answered(self, request: ApprovalRequest, approval: Approval) -> None:
        """Record a person's answer (or its absence) and tell the screens.

        The queue calls this before it hands the answer to whoever waits for it.
        """
        entry = self.book.task(request.task)
        await self.records.answered(entry, request, approval)
        self.publish(ApprovalAnswered(id=request.id, answer=approval.answer, by=approval.by))

    # ── bind_call ───────────────────────────────────────────────────────────────────────

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        """Tie the handle to the agent's child that runs the call.

        Rewritten commands do this before anything of the agent's runs in them, so that a
        process tree belongs to a call before it could have read another call's handle.
        """
        try:
            entry = self.book.require_live(task)
            call = self.book.call_by_handle(task, handle)
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
        self.runtimes[task].watch(
            child, lambda: self.spawn(self.settle(task, call_id, "exited", LeaseState.CLOSED))
        )
        self.step("bind.bound")
        return True

    # ── authorize_use ───────────────────────────────────────────────────────────────────

    async def authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
    ) -> Release:
        """Judge one request under its open call; a credential leaves only at the very end."""
        try:
            return await self._authorize_use(task, handle, ancestry, effect, surrogates)
        except TaskpassError as error:
            with contextlib.suppress(TaskpassError):
                await self.records.refused_use(self.book.task(task), handle, effect, error)
            raise
        except Exception as error:
            log.exception("authorize_use failed")
            raise Denied("taskpass could not judge this request, so it is refused.") from error

    async def _authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
    ) -> Release:
        entry = self.book.require_live(task)
        runtime = self.runtimes[task]
        call = self._attested_call(entry, handle, ancestry, effect)
        spec, surrogate = await self._credential_for(entry, effect, surrogates)
        self.step("use.attested")

        situation = self._situation(
            entry,
            runtime,
            subagent=call.call.tool_call.subagent,
            credential=spec.name if spec else "",
        )
        decision = self.policy.decide([effect], situation)
        if decision.outcome is Outcome.DENY:
            raise Denied(decision.reason, hint=decision.hint)
        approval = None
        if decision.outcome is Outcome.ASK:
            approval = await self._ask_for_use(entry, runtime, call, effect, spec, decision)
            call = self._attested_call(entry, handle, ancestry, effect)
        self.step("use.decided")
        use = new_id("u")
        if spec is None:
            await self.records.use("use.allowed", entry, call, use, effect, decision, approval)
            self.book.require_live(task, call.call.epoch)
            return Release(lease="", use=use, secret=None)

        grant = self._grant_for(entry, spec, effect)
        lease = self._lease_for(entry, call, grant)
        # Intent first: after a crash this lease is shown as possibly live until it expires.
        await self.records.use(
            "use.intent", entry, call, use, effect, decision, approval, lease=lease, spec=spec
        )
        self.step("use.intent")
        issuer = self.issuers[spec.issuer]
        minted = await issuer.mint(
            spec,
            MintContext(
                task=entry.task,
                epoch=entry.epoch,
                call=call.call.id,
                call_hash=call.call.call_hash,
                lease=lease.id,
                effect=effect,
                approval=approval.id if approval else "",
                policy_digest=self.policy.digest,
            ),
        )
        if minted.revocation:
            self.minted.setdefault(lease.id, []).append(_Minted(spec, issuer, minted.revocation))
            await self.records.write("use.minted", entry, use=use, lease=lease.id, spec=spec.name)
        self.step("use.minted")
        try:
            # The last look: nothing that awaits stands between this and the answer.
            self.book.require_live(task, call.call.epoch)
            self._attested_call(entry, handle, runtime.owner.ancestry(ancestry[0]), effect)
            if not self.book.lease_live(task, lease.id, self.clock()):
                raise Revoked("The call ended while its credential was made.")
        except TaskpassError:
            if not self.book.lease_live(task, lease.id, self.clock()):
                # Its end came before there was anything to end upstream.
                await self.end_upstream([lease])
            raise
        held, used_grant = self.book.count_use(lease.id, self.clock())
        self.publish(LeaseChanged(lease=held))
        if used_grant is not None:
            self.publish(GrantChanged(grant=used_grant))
        self.step("use.delivered")
        return Release(
            lease=lease.id,
            use=use,
            secret=minted.secret,
            surrogate=surrogate,
            header=spec.header,
            scheme=spec.scheme,
        )

    def _attested_call(
        self, entry: TaskEntry, handle: str, ancestry: Sequence[Process], effect: Effect
    ) -> CallEntry:
        """The open call whose process tree made this connection.

        Raises:
            NotAttested: the handle is not of an open call, or comes from another tree.
            Revoked: the call is of an earlier epoch.
        """
        if handle == agent_handle(entry.task.id) and list(ancestry) == [entry.root]:
            return self._own_fetch(entry, effect)
        call = self.book.call_by_handle(entry.task.id, handle)
        self.book.require_live(entry.task.id, call.call.epoch)
        root = call.call.root
        if root is None or not ancestry or ancestry[-1] != entry.root or root not in ancestry:
            raise NotAttested(
                "This request comes from a process outside the tool call it names.",
                hint="Run it inside one tool call.",
            )
        return call

    def _own_fetch(self, entry: TaskEntry, effect: Effect) -> CallEntry:
        """The open call that announced this request of the agent's own process.

        Some tools run inside the agent (a web fetch): the call names the host it fetches from.

        Raises:
            NotAttested: no open call announced a fetch from this host.
        """
        for call in self.book.open_calls(entry.task.id):
            announced = {e.resource for e in call.call.effects if e.verb is Verb.HTTP}
            if call.call.tool_call.kind is ToolKind.FETCH and effect.resource in announced:
                return call
        raise NotAttested(
            f"The agent contacts {effect.resource} outside any tool call.",
            hint="Only its model and what its tool calls name may be reached.",
        )

    async def _credential_for(
        self, entry: TaskEntry, effect: Effect, surrogates: Sequence[str]
    ) -> tuple[CredentialSpec | None, str]:
        """Which credential the request asks for, by the surrogate it carries.

        Raises:
            Denied: a surrogate at a host it is not bound to: a canary has sung.
        """
        for candidate in surrogates:
            name = self.vault.resolve(entry.task.id, candidate)
            if not name:
                continue
            spec = next(s for s in self.vault.specs() if s.name == name)
            if effect.resource in spec.hosts:
                return spec, candidate
            entry.misplaced_surrogates += 1
            await self.incident(
                entry.task.id,
                "misplaced_surrogate",
                {"credential": name, "resource": effect.resource},
            )
            raise Denied(
                f"The stand-in for {name} was sent to {effect.resource}, where it is not bound; "
                "nothing real left.",
                hint=f"It is good at: {', '.join(spec.hosts)}.",
            )
        return None, ""

    async def _ask_for_use(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime,
        call: CallEntry,
        effect: Effect,
        spec: CredentialSpec | None,
        decision: Decision,
    ) -> Approval:
        """Hold one request while a person is asked; its call's processes stand still meanwhile.

        Raises:
            Denied, TimedOut, Revoked: by the answer.
        """
        credential = spec.name if spec else ""
        digest = hashlib.sha256(
            f"{call.call.call_hash}\0{effect.label}\0{credential}".encode()
        ).hexdigest()
        request = self._request(
            entry, call.call, f"sha256:{digest}", f"{effect.label}\n{call.call.tool_call.command}",
            (effect,), decision, credential,
        )  # fmt: skip
        frozen = call.call.root if call.call.identity is CallIdentity.CALL else None
        if frozen is not None:
            with contextlib.suppress(LaunchFailed):
                await runtime.control.freeze(frozen)
        try:
            approval, _ = await self._ask(entry, request, (effect,), deadline=0.0)
        finally:
            if frozen is not None and not entry.frozen:
                with contextlib.suppress(LaunchFailed):
                    await runtime.control.thaw(frozen)
        assert approval is not None  # without a deadline there is no ticket
        if approval.answer is Answer.EXPIRED:
            raise TimedOut(_refusal(approval, decision))
        if approval.answer is not Answer.APPROVED:
            raise Denied(_refusal(approval, decision))
        return approval

    def _grant_for(self, entry: TaskEntry, spec: CredentialSpec, effect: Effect) -> Grant:
        now = self.clock()
        grant = self.book.find_grant(entry.task.id, spec.name, effect.resource, now)
        if grant is None:
            issuer = self.issuers[spec.issuer]
            grant = Grant(
                id=new_id("g"),
                task=entry.task.id,
                credential=spec.name,
                resource=effect.resource,
                issuer=spec.issuer,
                kill_mode=issuer.kill_mode,
                kill_bound=issuer.kill_bound(spec),
                created=now,
                expires=min(now + _GRANT_LIFETIME, _end(entry.task)),
            )
            self.book.add_grant(grant)
            self.publish(GrantChanged(grant=grant))
        return grant

    def _lease_for(self, entry: TaskEntry, call: CallEntry, grant: Grant) -> Lease:
        lease = self.book.lease_for(call, grant)
        if lease is None:
            lease = Lease(
                id=new_id("l"),
                grant=grant.id,
                task=entry.task.id,
                call=call.call.id,
                epoch=call.call.epoch,
                opened=self.clock(),
                expires=min(call.deadline, grant.expires),
            )
            self.book.open_lease(call, lease)
            self.publish(LeaseChanged(lease=lease))
        return lease

    def live(self, task: str, lease: str) -> bool:
        return self.book.lease_live(task, lease, self.clock())

    async def used(self, task: str, release: Release, status: int) -> None:
        entry = self.book.task(task)
        await self.records.write(
            "use.delivered", entry, use=release.use, lease=release.lease, status=status
        )

    def model_access(self, task: str, ancestry: Sequence[Process], host: str, port: int) -> bool:
        try:
            entry = self.book.require_live(task)
        except TaskpassError:
            return False
        return (
            list(ancestry) == [entry.root] and f"{host}:{port}" in self.runtimes[task].model_hosts
        )

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
                for call in self.book.open_calls(task)
                if subagent is None or call.call.tool_call.subagent == subagent
            ]
            if not subagent:
                self.set_activity(entry, TaskState.WAITING_YOU)
        for call in ending:
            if call.call.root is not None:
                continue
            if call.call.tool_call.kind is ToolKind.SHELL and outcome not in _NOT_STARTED:
                self._expect_bind(call, outcome)
            else:
                await self.settle(task, call.call.id, outcome, LeaseState.CLOSED)

    def _expect_bind(self, reported: CallEntry, outcome: str) -> None:
        """Settle a call that its agent reported as done, unless a shell binds it very soon."""
        call = reported.call

        async def look() -> None:
            opened = self.book.call(call.id)
            if opened is not None and opened.call.root is None:
                await self.settle(call.task, call.id, outcome, LeaseState.CLOSED)

        asyncio.get_running_loop().call_later(self.bind_grace, lambda: self.spawn(look()))

    async def settle(self, task: str, call: str, outcome: str, state: LeaseState) -> None:
        opened = self.book.call(call)
        if opened is None:
            return
        closed = self.book.settle(call, state=state, now=self.clock())
        if timer := self._timers.pop(call, None):
            timer.cancel()
        self.cut(task, closed)
        self.step("settle.cut")
        await self.end_upstream(closed)
        with contextlib.suppress(LedgerFailed):
            await self.records.write(
                "call.settled",
                self.book.task(task),
                call=call,
                outcome=outcome,
                leases=[lease.id for lease in closed],
                seconds=round(self.clock() - opened.call.opened, 3),
            )
        self.step("settle.recorded")

    def cut(self, task: str, leases: Sequence[Lease]) -> int:
        runtime = self.runtimes.get(task)
        cut = 0
        for lease in leases:
            if runtime is not None:
                cut += sum(channel.cut(lease.id) for channel in runtime.channels)
            self.publish(LeaseChanged(lease=lease))
        return cut

    async def end_upstream(self, leases: Sequence[Lease]) -> int:
        """Revoke what was minted for `leases`; how many could not be confirmed."""
        unconfirmed = 0
        for lease in leases:
            for minted in self.minted.pop(lease.id, []):
                try:
                    await minted.issuer.revoke(minted.spec, minted.revocation)
                except Exception:
                    log.exception("upstream revocation of %s failed", minted.spec.name)
                    unconfirmed += 1
        return unconfirmed

    def arm(self, opened: CallEntry) -> None:
        """End a call at its maximum age, whatever its processes do."""
        call = opened.call
        self._timers[call.id] = asyncio.get_running_loop().call_later(
            max(0.0, opened.deadline - self.clock()),
            lambda: self.spawn(self.settle(call.task, call.id, "maximum age", LeaseState.EXPIRED)),
        )

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        """Record what must not happen; never fails the caller, who refuses anyway."""
        with contextlib.suppress(TaskpassError):
            await self.records.write(f"incident.{kind}", self.book.task(task), detail=dict(detail))

    def _situation(
        self, entry: TaskEntry, runtime: TaskRuntime, *, subagent: str = "", credential: str = ""
    ) -> Situation:
        return Situation(
            task=entry.task,
            call_identity=runtime.profile.call_identity,
            workspace=entry.task.workspace,
            subagent=subagent,
            credential=credential,
            open_calls=len(self.book.open_calls(entry.task.id)),
            total_calls=entry.calls,
        )

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
        change = tuple(f"+ {credential} at {e.resource}" for e in effects if credential)
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
            expires=now + self.approval_timeout,
            agent_note=call.tool_call.note,
            change=change,
            credential=credential,
        )

    def _count_denial(self, entry: TaskEntry) -> None:
        entry.denied += 1
        self.changed(entry)

    def set_activity(self, entry: TaskEntry, state: TaskState) -> None:
        if entry.activity is not state:
            entry.activity = state
            self.changed(entry)

    def changed(self, entry: TaskEntry) -> None:
        self.publish(TaskChanged(task=self.view(entry)))

    def spawn(self, work: Awaitable[None]) -> None:
        job = asyncio.ensure_future(work)
        self._background.add(job)
        job.add_done_callback(self._reap)

    def _reap(self, job: asyncio.Future[None]) -> None:
        self._background.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            log.error("background work failed", exc_info=error)


def agent_handle(task: str) -> str:
    """What the agent's own process shows on the proxy; it opens nothing by itself."""
    return f"agent:{task}"


def _explain(decision: Decision) -> str:
    rules = f" [{', '.join(decision.policies)}]" if decision.policies else ""
    return f"{decision.reason}{rules} {decision.hint}".strip()


def _refusal(approval: Approval, decision: Decision) -> str:
    words = {
        Answer.DENIED: f"{approval.by or 'The person'} denied this.",
        Answer.EXPIRED: "Nobody answered the approval in time, so this is denied.",
        Answer.REVOKED: "This task's access was revoked.",
    }.get(approval.answer, "This is denied.")
    note = f" They say: {approval.note}" if approval.note else ""
    return f"{words}{note} {decision.hint}".strip()


def _pid(process: Process | None) -> int:
    return process.pid if process else 0


def _end(task: Task) -> float:
    return task.created + task.limits.max_age
