"""The grant book: tasks with their epochs, open calls, grants, leases and budgets. In memory.

Pure state: no I/O, no clock of its own, no awaiting. `core` writes what must last to the ledger
and rebuilds the book's tombstones from it at start. Every lookup that leads to a credential
goes through `require_live`, so raising an epoch is seen by all of them at once.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, replace

from supervisor.errors import Denied, NotAttested, NotFound, Revoked
from supervisor.grants.turns import Turns
from supervisor.model import (
    Call,
    CallState,
    Grant,
    Lease,
    LeaseState,
    Process,
    Task,
    TaskState,
    Usage,
    new_id,
)

_CAPABILITY_BYTES = 16


@dataclass(slots=True)
class TaskEntry:
    """What changes about a task."""

    task: Task
    number: int
    epoch: int = 1
    frozen: bool = False
    revoked: bool = False
    ended: float = 0.0
    exit_code: int | None = None
    lost: bool = False  # its holder is gone, without the agent's exit code
    failure: str = ""  # why it never ran
    turns: Turns = field(default_factory=Turns)  # as its hooks tell them
    tree_left: int | None = None  # revoked: processes that could not be ended
    activity: TaskState = TaskState.STARTING
    root: Process | None = None
    allowed: int = 0
    asked: int = 0
    denied: int = 0
    calls: int = 0
    misplaced_surrogates: int = 0
    changes: int = 0  # effects of opened calls and uses that change something
    pane: bool = True  # has a terminal
    policy: str = ""  # digest of the policies it is under
    to_review: int = 0  # changes in its overlay that nobody has decided about
    usage: Usage = field(default_factory=Usage)  # as last looked at, for who watches
    asked_targets: set[str] = field(default_factory=set)  # of refused connections asked about
    asides: dict[str, list[str]] = field(default_factory=dict)  # agent's call id → what it hears
    revoked_grants: set[tuple[str, str]] = field(default_factory=set)  # (credential, resource)

    @property
    def state(self) -> TaskState:
        if self.revoked:
            return TaskState.REVOKED
        if self.ended:
            return TaskState.LOST if self.lost else TaskState.ENDED
        if self.frozen:
            return TaskState.FROZEN
        return self.activity


@dataclass(slots=True)
class CallEntry:
    """A call and the capability that its uses must show."""

    call: Call
    capability: str
    deadline: float  # POSIX seconds: maximum age
    since: int = 0  # as `Process.start_time`: no process of this call is older
    leases: dict[str, str] = field(default_factory=dict)  # grant id → lease id
    recorded: set[Hashable] = field(default_factory=set)  # kinds of use that are on the disk
    answered: bool = False  # a person answered this very call, for once
    spent: set[int] = field(default_factory=set)  # effects whose one request was made
    server: Process | None = None  # the gateway whose MCP server carries it out just now

    @property
    def handle(self) -> str:
        return f"{self.call.id}:{self.capability}"

    @property
    def tree(self) -> Process | None:
        """Whose requests are this call's: this process's, and those of all below it."""
        return self.call.root or self.server


def fresh_handle() -> str:
    """The handle of a call that is not opened yet: its id and its capability."""
    return f"{new_id('c')}:{secrets.token_urlsafe(_CAPABILITY_BYTES)}"


class Book:
    """All authority there is. One per supervisor."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskEntry] = {}
        self._calls: dict[str, CallEntry] = {}
        self._by_agent_id: dict[tuple[str, str], str] = {}
        self._roots: dict[tuple[str, Process], str] = {}  # a process tree belongs to one call
        self._grants: dict[str, Grant] = {}
        self._leases: dict[str, Lease] = {}
        self._uses: dict[str, tuple[int, float]] = {}  # by lease, not in it yet: how many, the last

    # Tasks

    def add_task(self, task: Task, *, epoch: int = 1, number: int = 0) -> TaskEntry:
        """`number` is what a task taken over was called before: people go on calling it so."""
        number = number or 1 + max((entry.number for entry in self.tasks()), default=0)
        entry = TaskEntry(task, number=number, epoch=epoch)
        self._tasks[task.id] = entry
        return entry

    def task(self, task: str) -> TaskEntry:
        """Raises NotFound."""
        try:
            return self._tasks[task]
        except KeyError:
            raise NotFound(f"There is no task {task}.", hint="See `taskpass ps`.") from None

    def tasks(self) -> Iterator[TaskEntry]:
        return iter(self._tasks.values())

    def require_live(self, task: str, epoch: int | None = None) -> TaskEntry:
        """The entry of a task that may act now.

        Raises:
            Revoked: revoked, ended, frozen, or `epoch` is not the current one.
        """
        entry = self.task(task)
        if entry.revoked or (epoch is not None and epoch != entry.epoch):
            raise Revoked(
                "This task's access was revoked.", hint="The person can start a new task."
            )
        if entry.ended:
            raise Revoked("This task has ended.", hint="The person can start a new task.")
        if entry.frozen:
            raise Revoked("This task is frozen.", hint="The person can thaw it.")
        return entry

    def raise_epoch(self, task: str) -> int:
        """Revoke everything below a task, now and for good."""
        entry = self.task(task)
        entry.epoch += 1
        entry.revoked = True
        return entry.epoch

    # Calls

    def reserve_call(self, task: str) -> None:
        """Count a call against the task's budget before it is judged; calls in flight count.

        Raises:
            Denied: the budget is used up.
        """
        entry = self.require_live(task)
        if entry.calls >= entry.task.limits.max_calls:
            raise Denied(
                f"This task has used its {entry.task.limits.max_calls} calls.",
                hint="The person can start a new task.",
            )
        entry.calls += 1

    def reserve_changes(self, task: str, count: int) -> None:
        """Count changes against the task's budget before they can happen.

        Raises:
            Denied: the budget does not reach; nothing was counted.
        """
        entry = self.task(task)
        limit = entry.task.limits.max_changes
        if count and 0 <= limit < entry.changes + count:
            raise Denied(
                f"This would be more than the {limit} changes that this task may make.",
                hint="The person can start a new task.",
            )
        entry.changes += count

    def open_call(
        self, call: Call, *, max_age: float, capability: str = "", since: int = 0
    ) -> CallEntry:
        """`capability`: "" for a fresh one. `since`: of `CallEntry`."""
        fresh = capability or secrets.token_urlsafe(_CAPABILITY_BYTES)
        entry = CallEntry(call, fresh, call.opened + max_age, since)
        self._calls[call.id] = entry
        if call.tool_call.agent_call_id:
            self._by_agent_id[call.task, call.tool_call.agent_call_id] = call.id
        if call.root is not None:
            self._roots[call.task, call.root] = call.id
        return entry

    def call(self, call: str) -> CallEntry | None:
        return self._calls.get(call)

    def call_by_agent_id(self, task: str, agent_call_id: str) -> CallEntry | None:
        return self._calls.get(self._by_agent_id.get((task, agent_call_id), ""))

    def open_calls(self, task: str) -> list[CallEntry]:
        return [c for c in self._calls.values() if c.call.task == task]

    def call_by_handle(self, task: str, handle: str) -> CallEntry:
        """The open call that `handle` ("call id:capability") names.

        Raises:
            NotAttested: no such call of this task is open, or the capability is wrong.
        """
        call_id, _, capability = handle.partition(":")
        entry = self._calls.get(call_id)
        # One comparison on every path, so that timing does not tell which part was wrong.
        expected = entry.capability if entry else ""
        known = hmac.compare_digest(expected.encode(), capability.encode())
        if entry is None or not known or not capability or entry.call.task != task:
            raise NotAttested(
                "This request does not belong to an open tool call.",
                hint="Credentials are given only while the call that asked for them runs.",
            )
        return entry

    def bind(self, entry: CallEntry, root: Process) -> bool:
        """Tie a process tree to a call; False when either is taken already."""
        if entry.call.root is not None or (entry.call.task, root) in self._roots:
            return False
        entry.call = replace(entry.call, root=root)
        self._roots[entry.call.task, root] = entry.call.id
        return True

    def bar(self, task: str, root: Process) -> None:
        """A process tree of an earlier supervisor's time: it can never become a call's."""
        self._roots.setdefault((task, root), "an earlier call")

    def bound(self, task: str, root: Process) -> str:
        """Id of the call that `root` belongs or belonged to, "" for none."""
        return self._roots.get((task, root), "")

    def settle(self, call: str, *, state: LeaseState, now: float) -> list[Lease]:
        """Close a call; the leases that were open, in their final state.

        Its process tree stays known as used, so that what it left behind can never pass as
        another call's.
        """
        entry = self._calls.pop(call, None)
        if entry is None:
            return []
        self._by_agent_id.pop((entry.call.task, entry.call.tool_call.agent_call_id), None)
        entry.call = replace(entry.call, state=CallState.SETTLED)
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
            Revoked: a person took it away in this task.
        """
        if (credential, resource) in self.task(task).revoked_grants:
            raise Revoked(
                f"Access to {credential} at {resource} was revoked in this task.",
                hint="The person can start a new task.",
            )
        for grant in self._grants.values():
            if (grant.task, grant.credential, grant.resource) == (task, credential, resource):
                if grant.expires > now:
                    return grant
                del self._grants[grant.id]
                break
        return None

    def add_grant(self, grant: Grant) -> None:
        self._grants[grant.id] = grant

    def drop_grant(self, grant: str, *, revoked: bool) -> Grant:
        """Raises NotFound."""
        gone = self.grant(grant)
        del self._grants[grant]
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
        """Whether bytes may be written under this lease at this moment."""
        held = self._leases.get(lease)
        if held is None or held.task != task or held.state is not LeaseState.OPEN:
            return False
        entry = self._tasks[task]
        return not entry.revoked and held.epoch == entry.epoch and held.expires > now

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

    def leases_of(self, *, task: str = "", grant: str = "") -> list[Lease]:
        self._add_uses()
        return [
            lease
            for lease in self._leases.values()
            if (not task or lease.task == task) and (not grant or lease.grant == grant)
        ]
