"""The grant book under arbitrary orders of events: what must hold after every one of them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
)

from supervisor.errors import Denied, NotAttested, NotFound, Revoked
from supervisor.grants.book import Book, CallEntry
from supervisor.model import Grant, KillMode, Lease, LeaseState, Limits, Process, new_id
from tests.support.core_fakes import a_call, a_task

MAX_CALLS = 5
PIDS = st.integers(min_value=2, max_value=6)


class Orders(RuleBasedStateMachine):
    """Two tasks, few pids, a clock that a test moves."""

    tasks = Bundle("tasks")
    calls = Bundle("calls")
    grants = Bundle("grants")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.now = 1000.0
        self.settled: list[tuple[str, str]] = []  # (task, handle) of calls that are over
        self.over: set[str] = set()  # leases that were closed
        self.dead: set[str] = set()  # tasks whose epoch was raised
        self.reserved: dict[str, int] = {}
        self.taken: dict[tuple[str, Process], str] = {}

    @precondition(lambda self: len(list(self.book.tasks())) < 2)
    @rule(target=tasks)
    def start(self) -> str:
        task = replace(a_task(), limits=Limits(max_calls=MAX_CALLS))
        self.book.add_task(task)
        return task.id

    @rule(target=calls, task=tasks)
    def open(self, task: str) -> object:
        count = self.reserved.get(task, 0)
        try:
            self.book.reserve_call(task)
        except Revoked:
            assert task in self.dead
            return multiple()
        except Denied:
            assert count == MAX_CALLS
            return multiple()
        assert count < MAX_CALLS
        assert task not in self.dead
        self.reserved[task] = count + 1
        call = a_call(task, epoch=self.book.task(task).epoch, opened=self.now)
        return self.book.open_call(call, max_age=100.0)

    @rule(call=calls, pid=PIDS)
    def bind(self, call: CallEntry, pid: int) -> None:
        tree = Process(pid, 1)
        key = (call.call.task, tree)
        bound = call.call.root
        if self.book.bind(call, tree):
            assert bound is None
            assert key not in self.taken
            self.taken[key] = call.call.id
        assert self.book.bound(*key) == self.taken.get(key, "")

    @rule(target=grants, task=tasks, resource=st.sampled_from(["a", "b"]))
    def grant(self, task: str, resource: str) -> object:
        try:
            found = self.book.find_grant(task, "api", resource, self.now)
        except Revoked:
            assert (("api", resource)) in self.book.task(task).revoked_grants
            return multiple()
        if found is not None:
            assert found.expires > self.now
            return multiple()
        made = Grant(
            id=new_id("g"), task=task, credential="api", resource=resource, issuer="stored",
            kill_mode=KillMode.WIRE, kill_bound=0.0, created=self.now, expires=self.now + 50,
        )  # fmt: skip
        self.book.add_grant(made)
        return made

    @rule(target=leases, call=calls, grant=grants)
    def lease(self, call: CallEntry, grant: Grant) -> object:
        if self.book.call(call.call.id) is None or grant.task != call.call.task:
            return multiple()
        held = self.book.lease_for(call, grant)
        if held is not None:
            assert held.state is LeaseState.OPEN
            return multiple()
        lease = Lease(
            id=new_id("l"), grant=grant.id, task=grant.task, call=call.call.id,
            epoch=call.call.epoch, opened=self.now, expires=self.now + 20,
        )  # fmt: skip
        self.book.open_lease(call, lease)
        return lease

    @rule(call=consumes(calls))
    def settle(self, call: CallEntry) -> None:
        closed = self.book.settle(call.call.id, state=LeaseState.CLOSED, now=self.now)
        assert all(lease.call == call.call.id for lease in closed)
        assert all(lease.state is LeaseState.CLOSED for lease in closed)
        self.over.update(call.leases.values())
        self.settled.append((call.call.task, call.handle))

    @rule(grant=consumes(grants))
    def revoke_grant(self, grant: Grant) -> None:
        try:
            self.book.drop_grant(grant.id, revoked=True)
        except NotFound:
            return
        for lease in self.book.leases_of(grant=grant.id):
            self.book.close_lease(lease.id, LeaseState.REVOKED, self.now)
            self.over.add(lease.id)
        with pytest.raises(Revoked):
            self.book.find_grant(grant.task, grant.credential, grant.resource, self.now)

    @rule(task=tasks)
    def revoke(self, task: str) -> None:
        before = self.book.task(task).epoch
        assert self.book.raise_epoch(task) > before
        self.dead.add(task)

    @rule(seconds=st.floats(min_value=0.1, max_value=30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(call=calls, task=tasks)
    def show(self, call: CallEntry, task: str) -> None:
        """A handle is good for its own task while its call is open, and altered never."""
        known = self.book.call(call.call.id) is not None and call.call.task == task
        if known:
            assert self.book.call_by_handle(task, call.handle) is call
        for handle in ([] if known else [call.handle]) + [
            f"{call.call.id}:",
            call.call.id,
            f"{call.handle}x",
            f"{call.call.id}:{call.capability[:-1]}",
            f"{call.call.id}:{call.capability.swapcase()}é",
            f"{new_id('c')}:{call.capability}",
            "",
            ":",
        ]:
            with pytest.raises(NotAttested):
                self.book.call_by_handle(task, handle)

    @invariant()
    def nothing_lives_below_a_raised_epoch(self) -> None:
        for task in self.dead:
            with pytest.raises(Revoked):
                self.book.require_live(task)
        for lease in self.book.leases():
            live = self.book.lease_live(lease.task, lease.id, self.now)
            assert not (live and lease.task in self.dead)
            assert not (live and lease.expires <= self.now)
            for other in self.book.tasks():
                if other.task.id != lease.task:
                    assert not self.book.lease_live(other.task.id, lease.id, self.now)

    @invariant()
    def what_is_over_stays_over(self) -> None:
        for task, handle in self.settled:
            with pytest.raises(NotAttested):
                self.book.call_by_handle(task, handle)
        for lease in self.over:
            assert all(
                not self.book.lease_live(e.task.id, lease, self.now) for e in self.book.tasks()
            )
        for (task, tree), call in self.taken.items():
            assert self.book.bound(task, tree) == call


Orders.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestOrders = Orders.TestCase


def test_a_frozen_task_may_nothing_until_it_is_thawed() -> None:
    book = Book()
    entry = book.add_task(a_task())
    entry.frozen = True
    with pytest.raises(Revoked, match="frozen"):
        book.require_live(entry.task.id)
    entry.frozen = False
    assert book.require_live(entry.task.id) is entry


def test_an_earlier_epoch_is_refused_by_name() -> None:
    book = Book()
    entry = book.add_task(a_task(), epoch=3)
    assert book.require_live(entry.task.id, 3) is entry
    with pytest.raises(Revoked):
        book.require_live(entry.task.id, 2)


def test_a_possibly_live_lease_releases_nothing() -> None:
    book = Book()
    entry = book.add_task(a_task())
    call = book.open_call(a_call(entry.task.id), max_age=100.0)
    lease = Lease(
        id="l-1", grant="g-1", task=entry.task.id, call=call.call.id, epoch=1, opened=0.0,
        expires=9e9, state=LeaseState.POSSIBLY_LIVE,
    )  # fmt: skip
    book.open_lease(call, lease)
    assert not book.lease_live(entry.task.id, lease.id, 1.0)
