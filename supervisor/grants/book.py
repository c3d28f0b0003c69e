"""The grant book: tasks with their epochs, open calls, grants, leases and budgets. In memory.

Pure state: no I/O, no clock of its own, no awaiting. `core` writes what must last to the ledger
and rebuilds the book's tombstones from it at start. Every lookup that leads to a credential
goes through `require_live`, so raising an epoch is seen by all of them at once.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterator
from dataclasses import replace

from supervisor.errors import Denied, NotAttested, NotFound, Revoked
from supervisor.grants.entries import CAPABILITY_BYTES, CallEntry, TaskEntry, fresh_handle
from supervisor.model import Call, Grant, Lease, LeaseState, Process, Task

__all__ = ["Book", "CallEntry", "TaskEntry", "fresh_handle"]


class Book:
    """All authority there is. One per supervisor."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskEntry] = {}
        self._calls: dict[str, CallEntry] = {}
        self._by_agent_id: dict[tuple[str, str], str] = {}
        self._roots: dict[tuple[str, Process], str] = {}  # a process tree belongs to one call
        self._grants: dict[str, Grant] = {}
        self._granted: dict[tuple[str, str, str], str] = {}  # task, credential, resource → grant
        self._leases: dict[str, Lease] = {}
        self._uses: dict[str, tuple[int, float]] = {}  # by lease, not in it yet: how many, the last

    # Tasks

    def add_task(self, task: Task, *, epoch: int = 1, number: int = 0) -> TaskEntry:
        """`number` is what a task taken over was called before: people go on calling it so."""
        number = number or 1 + max((entry.number for entry in self.tops()), default=0)
        entry = TaskEntry(task, number=number, epoch=epoch)
        self._tasks[task.id] = entry
        return entry

    def add_child(self, task: Task, above: TaskEntry, *, epoch: int = 1) -> TaskEntry:
        """A task that is bounded by `above` and all that bounds it: a subagent's, or one with
        processes of its own."""
        above.had += 1
        root = above.root if task.subagent else None
        entry = TaskEntry(task, above.had, epoch, root=root, policy=above.policy, above=above)
        entry.pane = False
        above.below.append(entry)
        self._tasks[task.id] = entry
        return entry

    def forget_child(self, entry: TaskEntry) -> None:
        """One that is over, with all below it, needs no place any more."""
        if entry.above is not None:
            entry.above.below.remove(entry)
        for gone in entry.family:
            del self._tasks[gone.task.id]

    def task(self, task: str) -> TaskEntry:
        """Raises NotFound."""
        try:
            return self._tasks[task]
        except KeyError:
            raise NotFound(f"There is no task {task}.", hint="See `taskpass ps`.") from None

    def tasks(self) -> Iterator[TaskEntry]:
        """All of them, subagents' too."""
        return iter(self._tasks.values())

    def tops(self) -> Iterator[TaskEntry]:
        """Those that nothing bounds but the person."""
        return (entry for entry in self._tasks.values() if entry.above is None)

    def require_live(self, task: str, epoch: int | None = None) -> TaskEntry:
        """The entry of a task that may act now.

        Raises:
            Revoked: revoked, ended, frozen, or `epoch` is not the current one.
        """
        entry = self.task(task)
        for one in entry.chain:
            which = "subagent" if one.above else "task"
            hint = "The person can start a new task."
            if one.above:
                hint = "Its part of the work is over; what started it goes on without it."
            if one.revoked or (one is entry and epoch is not None and epoch != entry.epoch):
                raise Revoked(f"This {which}'s access was revoked.", hint=hint)
            if one.ended:
                raise Revoked(f"This {which} has ended.", hint=hint)
            if one.frozen:
                raise Revoked(f"This {which} is frozen.", hint="The person can thaw it.")
        return entry

    def raise_epoch(self, task: str) -> int:
        """Revoke a task and everything below it, now and for good."""
        entry = self.task(task)
        entry.epoch += 1
        entry.revoked = True
        return entry.epoch

    # Calls

    def reserve_call(self, task: str) -> None:
        """Count a call against the budget of the task, and of all above it, before it is judged.

        Calls in flight count.

        Raises:
            Denied: the budget is used up.
        """
        chain = self.require_live(task).chain
        for entry in chain:
            if entry.calls >= entry.task.limits.max_calls:
                raise Denied(
                    f"This task has used its {entry.task.limits.max_calls} calls.",
                    hint="The person can start a new task.",
                )
        for entry in chain:
            entry.calls += 1

    def reserve_changes(self, task: str, count: int) -> None:
        """Count changes against the same budgets before they can happen.

        Raises:
            Denied: the budget does not reach; nothing was counted.
        """
        chain = self.task(task).chain
        for entry in chain:
            limit = entry.task.limits.max_changes
            if count and 0 <= limit < entry.changes + count:
                raise Denied(
                    f"This would be more than the {limit} changes that this task may make.",
                    hint="The person can start a new task.",
                )
        for entry in chain:
            entry.changes += count

    def open_call(
        self, call: Call, *, max_age: float, capability: str = "", since: int = 0
    ) -> CallEntry:
        """`capability`: "" for a fresh one. `since`: of `CallEntry`."""
        fresh = capability or secrets.token_urlsafe(CAPABILITY_BYTES)
        entry = CallEntry(call, fresh, call.opened + max_age, since)
        self._calls[call.id] = entry
        if call.tool_call.agent_call_id:
            self._by_agent_id[self._top(call.task), call.tool_call.agent_call_id] = call.id
        if call.root is not None:
            self._roots[self._top(call.task), call.root] = call.id
        return entry

    def _top(self, task: str) -> str:
        """Id of the task that owns the process tree: handles and processes are its agent's."""
        entry = self._tasks.get(task)
        return entry.top.task.id if entry else task

    def call(self, call: str) -> CallEntry | None:
        return self._calls.get(call)

    def call_by_agent_id(self, task: str, agent_call_id: str) -> CallEntry | None:
        return self._calls.get(self._by_agent_id.get((self._top(task), agent_call_id), ""))

    def open_calls(self, task: str) -> list[CallEntry]:
        """Those of a task and of all below it, the oldest first."""
        entry = self._tasks.get(task)
        whose = {one.task.id for one in entry.family} if entry else {task}
        return [c for c in self._calls.values() if c.call.task in whose]

    def tree_calls(self, task: str) -> list[CallEntry]:
        """As `open_calls`, of those whose processes are that task's agent's."""
        return [call for call in self.open_calls(task) if self._top(call.call.task) == task]

    def call_by_handle(self, task: str, handle: str) -> CallEntry:
        """The open call that `handle` ("call id:capability") names.

        Raises:
            NotAttested: no such call of this task, or of a subagent of its agent, is open, or the
                capability is wrong.
        """
        call_id, _, capability = handle.partition(":")
        entry = self._calls.get(call_id)
        # One comparison on every path, so that timing does not tell which part was wrong.
        expected = entry.capability if entry else ""
        known = hmac.compare_digest(expected.encode(), capability.encode())
        ours = entry is not None and self._top(entry.call.task) == self._top(task)
        if entry is None or not known or not capability or not ours:
            raise NotAttested(
                "This request does not belong to an open tool call.",
                hint="Credentials are given only while the call that asked for them runs.",
            )
        return entry

    def owner(self, task: str, handle: str) -> TaskEntry:
        """The task whose open call `handle` names; `task` itself where it names none."""
        try:
            return self.task(self.call_by_handle(task, handle).call.task)
        except NotAttested:
            return self.task(task)

    def bind(self, entry: CallEntry, root: Process) -> bool:
        """Tie a process tree to a call; False when either is taken already."""
        top = self._top(entry.call.task)
        if entry.call.root is not None or (top, root) in self._roots:
            return False
        entry.call = replace(entry.call, root=root)
        self._roots[top, root] = entry.call.id
        if (task := self._tasks.get(entry.call.task)) is not None and task.above is not None:
            task.trees.add(root)
        return True

    def bar(self, task: str, root: Process) -> None:
        """A process tree of an earlier supervisor's time: it can never become a call's."""
        self._roots.setdefault((task, root), "an earlier call")

    def bound(self, task: str, root: Process) -> str:
        """Id of the call that `root` belongs or belonged to, "" for none."""
        return self._roots.get((self._top(task), root), "")

    def settle(self, call: str, *, state: LeaseState, now: float) -> list[Lease]:
        """Close a call; the leases that were open, in their final state.

        Its process tree stays known as used, so that what it left behind can never pass as
        another call's.
        """
        entry = self._calls.pop(call, None)
        if entry is None:
            return []
        agent_id = (self._top(entry.call.task), entry.call.tool_call.agent_call_id)
        self._by_agent_id.pop(agent_id, None)
        return [
            closed
            for lease in entry.leases.values()
            if (closed := self.close_lease(lease, state, now)) is not None
        ]

    # Grants and leases

    def grant(self, grant: str) -> Grant:
        """Raises NotFound."""
        self._add_uses()
        try:
            return self._grants[grant]
        except KeyError:
            raise NotFound(f"There is no live grant {grant}.") from None

    def grants(self) -> Iterator[Grant]:
        self._add_uses()
        return iter(self._grants.values())

    def find_grant(self, task: str, credential: str, resource: str, now: float) -> Grant | None:
        """The task's live grant over `credential` at `resource`.

        Raises:
            Revoked: a person took it away in this task, or in one above it.
        """
        for entry in self.task(task).chain:
            if entry.revoked_grants and (credential, resource) in entry.revoked_grants:
                raise Revoked(
                    f"Access to {credential} at {resource} was revoked in this task.",
                    hint="The person can start a new task.",
                )
        grant = self._grants.get(self._granted.get((task, credential, resource), ""))
        if grant is not None and grant.expires <= now:
            self._forget_grant(grant)
            return None
        return grant

    def add_grant(self, grant: Grant) -> None:
        self._grants[grant.id] = grant
        self._granted[grant.task, grant.credential, grant.resource] = grant.id

    def _forget_grant(self, grant: Grant) -> None:
        del self._grants[grant.id]
        del self._granted[grant.task, grant.credential, grant.resource]

    def drop_grant(self, grant: str, *, revoked: bool) -> Grant:
        """Raises NotFound."""
        gone = self.grant(grant)
        self._forget_grant(gone)
        if revoked:
            self.task(gone.task).revoked_grants.add((gone.credential, gone.resource))
        return gone

    def lease_for(self, entry: CallEntry, grant: Grant) -> Lease | None:
        lease = self._leases.get(entry.leases.get(grant.id, ""))
        return lease if lease and lease.state is LeaseState.OPEN else None

    def open_lease(self, entry: CallEntry, lease: Lease) -> None:
        self._leases[lease.id] = lease
        entry.leases[lease.grant] = lease.id

    def leases(self) -> Iterator[Lease]:
        self._add_uses()
        return iter(self._leases.values())

    def lease_live(self, task: str, lease: str, now: float) -> bool:
        """Whether bytes may be written under this lease, of the task or one below it, now."""
        held = self._leases.get(lease)
        if held is None or held.state is not LeaseState.OPEN:
            return False
        entry = self._tasks[held.task]
        if held.epoch != entry.epoch or held.expires <= now:
            return False
        if entry.above is None:  # asked before each write: no more is done than must be
            return held.task == task and not entry.revoked
        chain = entry.chain
        return any(one.task.id == task for one in chain) and not any(one.revoked for one in chain)

    def count_use(self, lease: str, now: float) -> None:
        """Once more. Each request does this: leases and grants are changed when they are read."""
        self._uses[lease] = self._uses.get(lease, (0, now))[0] + 1, now

    def _add_uses(self) -> None:
        if not self._uses:
            return
        counted, self._uses = self._uses, {}
        for lease, (more, last) in counted.items():
            if (held := self._leases.get(lease)) is None:
                continue
            self._leases[lease] = replace(held, uses=held.uses + more)
            if (grant := self._grants.get(held.grant)) is not None:
                self._grants[grant.id] = replace(grant, uses=grant.uses + more, last_used=last)

    def close_lease(self, lease: str, state: LeaseState, now: float) -> Lease | None:
        """End one lease; None when it was not open. Closed leases are forgotten."""
        self._add_uses()
        held = self._leases.pop(lease, None)
        if held is None or held.state is not LeaseState.OPEN:
            return None
        return replace(held, state=state, expires=min(held.expires, now))

    def lease(self, lease: str) -> Lease | None:
        """None: it is closed."""
        self._add_uses()
        return self._leases.get(lease)

    def borrower(self, lease: str, task: str) -> TaskEntry:
        """Whose lease it is, `task` where it is closed. Raises NotFound."""
        held = self._leases.get(lease)
        return self.task(held.task if held else task)

    def leases_of(self, *, task: str = "", grant: str = "") -> list[Lease]:
        self._add_uses()
        return [
            lease
            for lease in self._leases.values()
            if (not task or lease.task == task) and (not grant or lease.grant == grant)
        ]
