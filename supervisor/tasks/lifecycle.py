"""A task's life: created, started, frozen and thawed, revoked, ended."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from supervisor.approvals.call_hash import call_hash
from supervisor.core import Engine
from supervisor.desk import TaskRuntime
from supervisor.errors import Denied, LaunchFailed, LedgerFailed
from supervisor.grants.book import TaskEntry
from supervisor.model import (
    Call,
    Decision,
    KillMode,
    Lease,
    LeaseState,
    Outcome,
    Process,
    TaskState,
    ToolCall,
    ToolKind,
)
from supervisor.ports import Channel, TaskControl
from supervisor.protocol.holder_wire import ClipboardAnswered
from supervisor.protocol.wire import GrantChanged, LeaseChanged, RevokedView
from supervisor.tasks.freezing import controls, freeze, freeze_all


@dataclass(slots=True)
class Lifecycle:
    """What happens to whole tasks. Revoking comes last, because everything leads to it."""

    engine: Engine
    _exits: dict[str, asyncio.Event] = field(default_factory=dict)

    async def create(self, entry: TaskEntry) -> None:
        """Put a task's identity on record; only then may anything of it exist."""
        await self.engine.records.started(entry)
        self.engine.desk.changed(entry)

    async def fail(self, entry: TaskEntry, reason: str) -> None:
        """The task never ran, or could not be supervised."""
        entry.ended = self.engine.clock()
        entry.exit_code = 125
        entry.failure = reason
        for call in self.engine.book.open_calls(entry.task.id):
            await self.engine.settlement.settle(
                entry.task.id, call.call.id, "launch failed", LeaseState.CLOSED
            )
        with contextlib.suppress(LedgerFailed):
            await self.engine.records.failed(entry, reason)
        self._over(entry)

    async def reopen_process_call(self, task: str, handle: str) -> None:
        """After a restart: the running agent's handle names a new, empty call."""
        entry = self.engine.book.task(task)  # frozen or not: its uses are judged one by one
        await self.open_process_call(entry, handle)
        if entry.root is not None:
            await self.started(task, entry.root)

    async def open_process_call(self, entry: TaskEntry, handle: str) -> None:
        """One call, named by `handle`, for the whole run of an agent that announces none.

        The call is bound to the agent's root process by `started`.
        """
        task = entry.task.id
        call_id, _, capability = handle.partition(":")
        tool_call = ToolCall(
            agent_call_id="process",
            tool="process",
            kind=ToolKind.SHELL,
            arguments={"argv": list(entry.task.argv)},
            cwd=entry.task.cwd,
            command=" ".join(entry.task.argv),
        )
        call = Call(
            id=call_id,
            task=task,
            epoch=entry.epoch,
            tool_call=tool_call,
            call_hash=call_hash(tool_call, profile=entry.task.agent.profile),
            effects=(),
            decision=Decision(Outcome.ALLOW, "started by the person"),
            opened=self.engine.clock(),
            identity=entry.task.agent.call_identity,
        )
        await self.engine.records.call("call.opened", entry, call)
        opened = self.engine.book.open_call(
            call, max_age=entry.task.limits.max_age, capability=capability
        )
        entry.allowed += 1
        self.engine.settlement.arm(opened)
        self.engine.desk.changed(entry)

    async def started(self, task: str, root: Process) -> None:
        """The agent's root process runs."""
        entry = self.engine.book.task(task)
        entry.root = root
        opened = self.engine.book.call_by_agent_id(task, "process")
        if opened is not None:
            self.engine.book.bind(opened, root)
        # One that tells of its turns has none yet: it shows its prompt, or a question of its own.
        tells = entry.pane and opened is None
        state = TaskState.WAITING_YOU if tells else TaskState.WORKING
        self.engine.desk.set_activity(entry, state)

    async def ended(self, task: str, exit_code: int, *, lost: bool = False) -> None:
        """The agent's root process has exited: settle everything, forget its surrogates.

        `lost`: nobody saw it exit, its holder has died with all its processes.
        """
        entry = self.engine.book.task(task)
        if entry.ended:
            return
        entry.ended = self.engine.clock()
        entry.exit_code, entry.lost = exit_code, lost
        how, state = "agent exited", LeaseState.CLOSED
        if lost:
            how, state = "holder lost", LeaseState.REVOKED
        for one in entry.family:
            self.engine.questions.cancel(one.task.id, one.epoch)
        settling = [
            asyncio.ensure_future(self.engine.settlement.settle(task, call.call.id, how, state))
            for call in self.engine.book.open_calls(task)
        ]
        await asyncio.sleep(0)  # their records, if nothing is to be revoked, are asked for first
        self._drop_grants(entry, revoked=lost)
        self.engine.children.end_all(entry, how)
        for control in controls(entry, self.engine.desk)[1:]:  # of commands under it
            self.engine.desk.spawn(_killed(control))
        self.engine.vault.forget(task)
        kind = "task.lost" if lost else "task.ended"
        with contextlib.suppress(LedgerFailed):
            await self.engine.records.write(kind, entry, exit_code=exit_code)
        await asyncio.gather(*settling)
        self._over(entry)

    def _over(self, entry: TaskEntry) -> None:
        self.engine.desk.changed(entry)
        if waiting := self._exits.pop(entry.task.id, None):
            waiting.set()

    async def outcome(self, task: str) -> tuple[int, str]:
        """Wait for a task's end; its exit code, and where it never ran 125 and why."""
        entry = self.engine.book.task(task)
        if not entry.ended:
            await self._exits.setdefault(task, asyncio.Event()).wait()
        return entry.exit_code if entry.exit_code is not None else 125, entry.failure

    async def end(self, task: str) -> None:
        """End a task's processes; what follows is told by its holder.

        Raises:
            Denied: it has none of its own.
        """
        entry = self.engine.book.require_live(task)
        if entry.task.subagent:
            raise Denied(
                "A subagent ends by itself, or with its task.",
                hint=f"Take its access away: taskpass revoke {entry.place}.",
            )
        await self.engine.desk.runtimes[task].control.kill()

    async def freeze(self, task: str, by: str) -> None:
        """Refuse everything and stop the task's processes until it is thawed."""
        await freeze(self.engine.book.require_live(task), self.engine.desk, self.engine.records, by)

    async def freeze_all(self, by: str) -> None:
        """As `freeze`, every task that runs, at once."""
        book, desk = self.engine.book, self.engine.desk
        running = [e for e in book.tops() if not (e.ended or e.revoked or e.frozen)]
        await freeze_all(running, desk, self.engine.records, by)

    async def thaw(self, task: str, by: str) -> None:
        entry = self.engine.book.task(task)
        if entry.revoked or not entry.frozen:
            raise Denied("This task is not frozen.")
        # On record before it moves again.
        await self.engine.records.write("task.thawed", entry, by=by)
        entry.frozen = False
        if not entry.stands:
            for control in controls(entry, self.engine.desk):
                await control.thaw()
        for one in entry.family:
            if one.frozen:  # it was stopped by itself
                for control in controls(one, self.engine.desk):
                    await control.freeze()
            self.engine.desk.changed(one)

    async def limit_met(self, task: str, limit: str, times: int) -> None:
        """The task's cgroup held it: a process was ended for its memory, or could not be made."""
        with contextlib.suppress(LedgerFailed):
            await self.engine.records.write(
                "task.limit_met", self.engine.book.task(task), limit=limit, times=times
            )

    async def clipboard_answered(self, task: str, answer: ClipboardAnswered) -> None:
        """A person has let the agent write to the clipboard, or has not."""
        with contextlib.suppress(LedgerFailed):
            await self.engine.records.write(
                "task.clipboard", self.engine.book.task(task),
                outcome="allow" if answer.allowed else "deny",
                size=answer.size, digest=answer.digest,
            )  # fmt: skip

    async def revoke(self, task: str, by: str) -> RevokedView:
        """Take everything away, and from all below: memory first, then disk, then processes
        and upstreams. Of a subagent's task only what is its own, and what is below it.

        Acknowledged after the epoch is raised, connections are cut and the tombstone is
        durable; killing and upstream revocation go on behind it and are recorded.

        Raises:
            LedgerFailed: the tombstone could not be written. The task stays refused and frozen.
        """
        began = time.perf_counter()
        entry = self.engine.book.task(task)
        self.engine.book.raise_epoch(task)
        runtime = self.engine.desk.runtimes.get(task)
        whole = not entry.task.subagent
        cut = sum(channel.cut() for channel in self._channels(entry)) if whole else 0
        for one in entry.family:
            self.engine.questions.cancel(one.task.id, one.epoch)
        self.engine.children.revoking(entry)
        now = self.engine.clock()
        calls = [call.call for call in self.engine.book.open_calls(task)]
        dead = [
            closed
            for call in calls
            for closed in self.engine.book.settle(call.id, state=LeaseState.REVOKED, now=now)
        ]
        if not whole:
            cut = self.engine.settlement.cut(task, dead)
        outliving = self._outliving(dead)
        self.engine.step("revoke.refused")
        try:
            await self.engine.ledger.append_reserved(
                "task.revoked",
                self.engine.records.who(entry)
                | {"by": by, "leases": [lease.id for lease in dead], "outliving": outliving}
                | {"below": _told(entry)},
            )
        except LedgerFailed:
            if runtime is not None:
                with contextlib.suppress(LaunchFailed):
                    await runtime.control.freeze()
            raise
        self.engine.step("revoke.tombstone")
        took = (time.perf_counter() - began) * 1000
        for lease in dead:
            self.engine.desk.publish(LeaseChanged(lease=lease))
        self._drop_grants(entry, revoked=True)
        for one in entry.family:
            self.engine.desk.changed(one)
        self.engine.desk.spawn(self._finish_revocation(entry, runtime, calls, dead))
        return RevokedView(
            tasks=(task,),
            leases_dead=len(dead) - len(outliving),
            leases_unconfirmed=len(outliving),
            connections_cut=cut,
            took_ms=took,
        )

    def _channels(self, entry: TaskEntry) -> list[Channel]:
        """All that carries what it is lent, and what commands under it are."""
        runtimes = self.engine.desk.runtimes
        trees = (one.task.id for one in (entry, *entry.trees_below))
        return [each for task in trees if task in runtimes for each in runtimes[task].channels]

    def _drop_grants(self, entry: TaskEntry, *, revoked: bool) -> None:
        family = {one.task.id for one in entry.family}
        for grant in [g for g in self.engine.book.grants() if g.task in family]:
            self.engine.book.drop_grant(grant.id, revoked=revoked)
            self.engine.desk.publish(GrantChanged(grant=grant, live=False))

    def _outliving(self, dead: Sequence[Lease]) -> list[str]:
        """Leases of which something may still be accepted elsewhere: what an upstream has not
        confirmed yet, and what is verified offline until it expires."""
        grants = {grant.id: grant for grant in self.engine.book.grants()}
        return [
            lease.id
            for lease in dead
            if self.engine.revoking.owes(lease.id)
            or (lease.uses and grants[lease.grant].kill_mode is KillMode.VERIFIER)
        ]

    async def _finish_revocation(
        self,
        entry: TaskEntry,
        runtime: TaskRuntime | None,
        calls: Sequence[Call],
        dead: Sequence[Lease],
    ) -> None:
        left = 0
        if runtime is not None:
            with contextlib.suppress(LaunchFailed):
                kills = [one.kill() for one in controls(entry, self.engine.desk)]
                left = entry.tree_left = sum(await asyncio.gather(*kills))
                self.engine.desk.changed(entry)
        if entry.task.subagent:  # else what was shown to it is gone with its container
            for call in calls:
                await self.engine.doors.drop(call)
        unconfirmed = await self.engine.revoking.end(dead)
        if not entry.task.subagent:
            self.engine.vault.forget(entry.task.id)
        with contextlib.suppress(LedgerFailed):
            await self.engine.records.write(
                "task.killed", entry, processes_left=left, leases_unconfirmed=unconfirmed
            )

    async def _end_upstream(self, dead: Sequence[Lease]) -> None:
        await self.engine.revoking.end(dead)

    async def revoke_grant(self, grant: str, by: str) -> RevokedView:
        """Take one grant away for the rest of its task.

        Acknowledged as `revoke` is; the other end is told behind it.
        """
        began = time.perf_counter()
        outliving = self._outliving(self.engine.book.leases_of(grant=grant))
        gone = self.engine.book.drop_grant(grant, revoked=True)
        now = self.engine.clock()
        dead = [
            closed
            for lease in self.engine.book.leases_of(grant=grant)
            if (closed := self.engine.book.close_lease(lease.id, LeaseState.REVOKED, now))
            is not None
        ]
        cut = self.engine.settlement.cut(gone.task, dead)
        entry = self.engine.book.task(gone.task)
        await self.engine.ledger.append_reserved(
            "grant.revoked",
            self.engine.records.who(entry)
            | {"by": by, "grant": grant, "credential": gone.credential, "resource": gone.resource},
        )
        took = (time.perf_counter() - began) * 1000
        self.engine.desk.publish(GrantChanged(grant=gone, live=False))
        self.engine.desk.spawn(self._end_upstream(dead))
        return RevokedView(
            tasks=(gone.task,),
            leases_dead=len(dead) - len(outliving),
            leases_unconfirmed=len(outliving),
            connections_cut=cut,
            took_ms=took,
        )


def _told(entry: TaskEntry) -> list[list[str]]:
    """Subagents that fall with a task: by their names they stay so under the next supervisor."""
    return [[one.task.id, one.task.parent, one.task.subagent] for one in entry.family[1:]]


async def _killed(control: TaskControl) -> None:
    with contextlib.suppress(LaunchFailed):
        await control.kill()
