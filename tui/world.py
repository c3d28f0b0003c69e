"""What the screen knows: the supervisor's snapshot, kept current by its events. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from supervisor.model import ApprovalRequest, Grant, Lease, LeaseState, TaskState
from supervisor.protocol import wire
from tui.text import task_state

_V = TypeVar("_V")
_KEPT_RECORDS = 500
_GONE = (TaskState.ENDED, TaskState.REVOKED, TaskState.LOST)


@dataclass(frozen=True, slots=True)
class Batch:
    """Requests that ask for exactly the same and get one answer together."""

    requests: tuple[ApprovalRequest, ...]

    @property
    def first(self) -> ApprovalRequest:
        return self.requests[0]

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(request.id for request in self.requests)

    @property
    def expires(self) -> float:
        return min(request.expires for request in self.requests)


@dataclass(slots=True)
class World:
    """Tasks, grants, leases, approvals and the latest records, by id."""

    session: str = ""
    tasks: dict[str, wire.TaskView] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    approvals: dict[str, ApprovalRequest] = field(default_factory=dict)
    locked: bool = False  # secrets wait for their passphrase
    owed: dict[str, wire.OwedView] = field(default_factory=dict)
    records: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_KEPT_RECORDS))

    def apply(self, event: wire.Event) -> None:
        """Take in one event of the supervisor's stream."""
        match event:
            case wire.Snapshot():
                self._restart(event)
            case wire.TaskChanged(task=task):
                self.tasks[task.id] = task
            case wire.GrantChanged(grant=grant, live=live):
                _keep(self.grants, grant.id, grant, live)
            case wire.LeaseChanged(lease=lease):
                live = lease.state in (LeaseState.OPEN, LeaseState.POSSIBLY_LIVE)
                _keep(self.leases, lease.id, lease, live)
            case wire.ApprovalAsked(approval=approval):
                self.approvals[approval.id] = approval
            case wire.ApprovalAnswered(id=answered):
                self.approvals.pop(answered, None)
            case wire.OwedChanged(owed=owed, live=live):
                _keep(self.owed, owed.id, owed, live)
            case wire.Recorded(record=record):
                self.records.append(record)
                self.locked = self.locked and record.get("kind") != "vault.unlocked"

    def _restart(self, snapshot: wire.Snapshot) -> None:
        self.session = snapshot.session
        self.locked = snapshot.locked
        self.tasks = {task.id: task for task in snapshot.tasks}
        self.grants = {grant.id: grant for grant in snapshot.grants}
        self.leases = {
            lease.id: lease
            for lease in snapshot.leases
            if lease.state in (LeaseState.OPEN, LeaseState.POSSIBLY_LIVE)
        }
        self.approvals = {approval.id: approval for approval in snapshot.approvals}
        self.owed = {owed.id: owed for owed in snapshot.owed}
        self.records = deque(snapshot.records, maxlen=_KEPT_RECORDS)

    # ── What is asked of it ─────────────────────────────────────────────────────────────

    def in_order(self) -> list[wire.TaskView]:
        """Tasks by number; a child directly below its parent."""
        children: dict[str, list[wire.TaskView]] = {}
        for known in sorted(self.tasks.values(), key=lambda one: (one.number, one.created)):
            task = self.shown(known)
            children.setdefault(task.parent if task.parent in self.tasks else "", []).append(task)
        ordered: list[wire.TaskView] = []

        def place(parent: str) -> None:
            for task in children.get(parent, ()):
                ordered.append(task)
                place(task.id)

        place("")
        return ordered

    def shown(self, task: wire.TaskView) -> wire.TaskView:
        """A task as it is drawn: what waits for an answer is what the person must know first."""
        waits = any(request.task == task.id for request in self.approvals.values())
        if not waits or task_state(task.state) in (TaskState.FROZEN, *_GONE):
            return task
        return msgspec.structs.replace(task, state=TaskState.WAITING_APPROVAL)

    def numbered(self, number: int) -> wire.TaskView | None:
        return next((task for task in self.agents() if str(number) == task.called), None)

    def agents(self) -> list[wire.TaskView]:
        """Tasks by number, without those of subagents: each with a process tree of its own."""
        return [task for task in self.in_order() if not task.subagent]

    def agent_of(self, task: wire.TaskView) -> wire.TaskView:
        """The task whose agent runs this one: itself, where it is no subagent's."""
        while task.subagent and task.parent in self.tasks:
            task = self.tasks[task.parent]
        return task

    def family(self, task: str) -> frozenset[str]:
        """A task and all below it."""
        found = {task}
        for one in self.in_order():
            if one.parent in found:
                found.add(one.id)
        return frozenset(found)

    def pending(self, now: float, tasks: frozenset[str] | None = None) -> list[Batch]:
        """The approval queue, oldest first, identical requests together; of `tasks`, if given.

        A request that carries a code is never batched: its code is for it alone.
        """
        batches: dict[object, list[ApprovalRequest]] = {}
        for request in sorted(self.approvals.values(), key=lambda one: (one.created, one.id)):
            if request.expires <= now or (tasks is not None and request.task not in tasks):
                continue
            key: object = request.id if request.code else _sameness(request)
            batches.setdefault(key, []).append(request)
        return [Batch(tuple(requests)) for requests in batches.values()]

    def grants_of(self, task: str, now: float) -> list[Grant]:
        """Live grants of a task ("" for all), the one that ends first in front."""
        return sorted(
            (
                grant
                for grant in self.grants.values()
                if (not task or grant.task == task) and grant.expires > now
            ),
            key=lambda grant: (grant.expires, grant.id),
        )

    def leases_of(self, grant: str) -> list[Lease]:
        return sorted(
            (lease for lease in self.leases.values() if lease.grant == grant),
            key=lambda lease: (lease.expires, lease.id),
        )

    def owed_of(self, task: str) -> list[wire.OwedView]:
        """What has ended here and is not known to be dead, of a task ("" for all).

        Of tokens that all just expire, the last of a credential stands for the others.
        """
        found: dict[object, wire.OwedView] = {}
        for owed in sorted(self.owed.values(), key=lambda owed: (owed.until, owed.id)):
            if not task or owed.task == task:
                expires = owed.state == LeaseState.EXPIRING
                found[(owed.task, owed.credential) if expires else owed.id] = owed
        return sorted(found.values(), key=lambda owed: (owed.until, owed.id))

    def next_expiry(self, task: str, now: float) -> float | None:
        """Seconds until the first grant or lease of a task ends; None without any."""
        ends = [grant.expires for grant in self.grants_of(task, now)]
        ends += [
            lease.expires
            for lease in self.leases.values()
            if (not task or lease.task == task) and lease.expires > now
        ]
        return min(ends) - now if ends else None


def is_gone(task: wire.TaskView) -> bool:
    """Whether nothing of the task runs any more."""
    return bool(task.ended) or task_state(task.state) in _GONE


def _sameness(request: ApprovalRequest) -> object:
    effects = tuple(
        (effect.verb, effect.resource, tuple(sorted(effect.attributes.items())))
        for effect in request.effects
    )
    # Whatever is shown of a call and may differ: what one person reads is what they all are.
    told = (request.title, request.cwd, request.arguments, request.diff)
    return (request.task, request.epoch, effects, request.credential, request.risk, told)


def _keep(table: dict[str, _V], key: str, value: _V, live: bool) -> None:
    if live:
        table[key] = value
    else:
        table.pop(key, None)
