"""A subagent's authority is a subset of its parent's, at every depth, in any order of events.

What bounds it is asked of the book, of the judge and of the approval queue's rules, for each pair
of a subagent and what is above it, after every event.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from supervisor.approvals.rules import Rules
from supervisor.calls.judging import Judge
from supervisor.desk import TaskRuntime
from supervisor.errors import Denied, Revoked
from supervisor.grants.book import Book, TaskEntry
from supervisor.model import (
    Answer,
    Approval,
    ApprovalRequest,
    Decision,
    Effect,
    Grant,
    KillMode,
    Lease,
    Limits,
    Outcome,
    Risk,
    Scope,
    Verb,
    new_id,
)
from supervisor.policy.engine import CedarEngine
from supervisor.policy.source import Layer, PolicySource
from supervisor.ports import PolicyEngine, Situation
from tests.support.core_fakes import World, a_call, a_shell_call, a_task

CREDENTIALS = st.sampled_from(["api", "deploy"])
RESOURCE = "api.example"
FAR = 1e12
STRICT = [Outcome.DENY, Outcome.ASK, Outcome.ALLOW]


class Families(RuleBasedStateMachine):
    """One agent, subagents of any depth, and all that gives or takes authority."""

    tasks = Bundle("tasks")
    leases = Bundle("leases")

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.judge = Judge(self.book)

    @rule(target=tasks)
    def agent(self) -> str:
        limits = Limits(max_calls=6, max_changes=6, max_age=1000.0)
        task = replace(a_task(), limits=limits)
        return self.book.add_task(task).task.id

    @rule(target=tasks, above=tasks, own=st.booleans())
    def spawn(self, above: str, own: bool) -> str:
        """`own`: not a subagent, but a command that a person runs under it."""
        parent = self.book.task(above)
        name = "" if own else new_id("a")
        child = replace(parent.task, id=new_id("t"), parent=above, subagent=name)
        return self.book.add_child(child, parent).task.id

    @rule(task=tasks, count=st.integers(0, 3))
    def spend(self, task: str, count: int) -> None:
        with contextlib.suppress(Denied, Revoked):
            self.book.reserve_call(task)
            self.book.reserve_changes(task, count)

    @rule(target=leases, task=tasks, credential=CREDENTIALS)
    def lend(self, task: str, credential: str) -> str:
        try:
            entry = self.book.require_live(task)
            grant = self.book.find_grant(task, credential, RESOURCE, 0.0)
        except Revoked:
            return ""
        if grant is None:
            grant = Grant(
                new_id("g"), task, credential, RESOURCE, "stored", KillMode.WIRE, 0.0, 0.0, FAR
            )
            self.book.add_grant(grant)
        call = self.book.open_call(a_call(task, epoch=entry.epoch), max_age=60)
        lease = Lease(new_id("l"), grant.id, task, call.call.id, entry.epoch, 0.0, FAR)
        self.book.open_lease(call, lease)
        return lease.id

    @rule(task=tasks, credential=CREDENTIALS)
    def take_a_grant(self, task: str, credential: str) -> None:
        for grant in list(self.book.grants()):
            if (grant.task, grant.credential) == (task, credential):
                self.book.drop_grant(grant.id, revoked=True)

    @rule(task=tasks)
    def revoke(self, task: str) -> None:
        self.book.raise_epoch(task)

    @rule(task=tasks, frozen=st.booleans())
    def freeze(self, task: str, frozen: bool) -> None:
        self.book.task(task).frozen = frozen

    @rule(task=tasks)
    def end(self, task: str) -> None:
        self.book.task(task).ended = 1.0

    def _pairs(self) -> list[tuple[TaskEntry, TaskEntry]]:
        return [(one, above) for one in self.book.tasks() for above in one.chain[1:]]

    @invariant()
    def who_may_act_is_below_who_may_act(self) -> None:
        for child, above in self._pairs():
            assert not self._acts(child) or self._acts(above)

    @invariant()
    def nothing_taken_above_is_held_below(self) -> None:
        for child, above in self._pairs():
            assert self._reaches(child) <= self._reaches(above)

    @invariant()
    def no_lease_is_live_below_what_was_revoked(self) -> None:
        for lease in self.book.leases():
            chain = self.book.task(lease.task).chain
            live = self.book.lease_live(lease.task, lease.id, 0.0)
            assert not live or not any(entry.revoked for entry in chain)
            # Only its own task, and those above it, can use its name.
            for other in self.book.tasks():
                if other not in chain:
                    assert not self.book.lease_live(other.task.id, lease.id, 0.0)

    @invariant()
    def no_more_is_left_below_than_above(self) -> None:
        for child, above in self._pairs():
            less, more = (self.judge.budget(one) for one in (child, above))
            assert less.calls <= more.calls
            assert less.changes <= more.changes
            assert less.seconds <= more.seconds

    @invariant()
    def each_count_holds_those_below(self) -> None:
        for entry in self.book.tasks():
            assert entry.calls >= sum(child.calls for child in entry.below)
            assert entry.calls <= entry.task.limits.max_calls
            assert entry.changes <= entry.task.limits.max_changes

    def _acts(self, entry: TaskEntry) -> bool:
        with contextlib.suppress(Revoked):
            return self.book.require_live(entry.task.id) is entry
        return False

    def _reaches(self, entry: TaskEntry) -> set[str]:
        """Credentials that it could be lent, if everything else says yes."""
        found = set()
        for credential in ("api", "deploy") if self._acts(entry) else ():
            with contextlib.suppress(Revoked):
                self.book.find_grant(entry.task.id, credential, RESOURCE, 0.0)
                found.add(credential)
        return found


TestFamilies = Families.TestCase
TestFamilies.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


# ── what policy says ────────────────────────────────────────────────────────────────────


@dataclass
class ByName(PolicyEngine):
    """Any policy at all: what it says of a subagent hangs on the name that its agent gave it."""

    says: Sequence[Outcome]
    lends: Sequence[bool]
    names: dict[str, int] = field(default_factory=dict)

    def decide(self, effects: Sequence[Effect], situation: Situation) -> Decision:
        at = self.names.setdefault(situation.subagent, len(self.names))
        return Decision(
            self.says[at % len(self.says)],
            "by name",
            (f"rule-{at}",),
            about=tuple(effects),
            lease=self.lends[at % len(self.lends)],
        )

    @property
    def digest(self) -> str:
        return "sha256:by-name"


def runtime_under(world: World, policy: PolicyEngine) -> TaskRuntime:
    return replace(world.engine.desk.runtimes[world.task], policy=policy)


def below(world: World, names: Sequence[str]) -> list[TaskEntry]:
    """The agent's task, a subagent of it, one of that, and so on."""
    line = [world.entry]
    for name in names:
        task = replace(line[-1].task, id=new_id("t"), parent=line[-1].task.id, subagent=name)
        line.append(world.engine.book.add_child(task, line[-1]))
    return line


@given(
    says=st.lists(st.sampled_from(STRICT), min_size=1, max_size=5),
    lends=st.lists(st.booleans(), min_size=1, max_size=5),
    names=st.lists(st.text(min_size=1, max_size=3), max_size=5),
)
@settings(deadline=None)
def test_no_policy_says_more_to_a_subagent_than_to_what_is_above_it(
    says: list[Outcome], lends: list[bool], names: list[str]
) -> None:
    world = World()
    runtime = runtime_under(world, ByName(says, lends))
    effect = Effect(Verb.RUN, "make")
    decisions = [
        world.engine.judge.call(entry, runtime, a_shell_call(), [effect])
        for entry in below(world, names)
    ]
    for above, child in pairwise(decisions):
        assert STRICT.index(child.outcome) <= STRICT.index(above.outcome)
        assert above.lease or not child.lease
        if child.outcome is above.outcome is Outcome.ASK:
            # A yes has to be to all that is asked above it, too.
            assert set(above.policies) <= set(child.policies)


def test_a_rule_for_a_name_gives_a_made_up_subagent_nothing() -> None:
    rules = PolicySource(
        "rules",
        '@id("mine/rest")\npermit (principal, action == Action::"run", resource)\n'
        'when { context.program == "ls" };\n'
        '@id("mine/named")\npermit (principal, action == Action::"run", resource)\n'
        'when { context.call.subagent == "deployer" };\n',
        Layer.USER,
    )
    world = World()
    runtime = runtime_under(world, CedarEngine([rules]))
    judge = world.engine.judge
    agent, deployer = below(world, ["deployer"])
    alone = runtime.policy.decide(
        [Effect(Verb.RUN, "deploy", {"program": "deploy"})], judge.situation(deployer, runtime)
    )
    assert alone.outcome is Outcome.ALLOW  # which is what the rule says by itself
    for program, expected in (("ls", Outcome.ALLOW), ("deploy", Outcome.DENY)):
        effect = Effect(Verb.RUN, program, {"program": program})
        for entry in (agent, deployer):
            decision = judge.call(entry, runtime, a_shell_call(), [effect])
            assert decision.outcome is expected, (program, entry.task.subagent, decision)


# ── what a person said ──────────────────────────────────────────────────────────────────

DEPTH = 4


def _request(depth: int) -> ApprovalRequest:
    now = time.time()
    effect = Effect(Verb.RUN, "make")
    return ApprovalRequest(
        id=new_id("a"), task=f"t-{depth}", epoch=1, call="c-1", call_hash=new_id("h"),
        title="make", effects=(effect,), asking=("ask-it",), reason="", risk=Risk.MEDIUM,
        created=now, expires=now + 60,
    )  # fmt: skip


@given(answered=st.lists(st.integers(0, DEPTH), max_size=4), ended=st.sets(st.integers(0, DEPTH)))
def test_an_answer_holds_for_whom_it_was_given_and_all_below(
    answered: list[int], ended: set[int]
) -> None:
    rules = Rules()
    now = time.time()
    for depth in answered:
        request = _request(depth)
        rules.put(request, request.effects, _above(depth))
        yes = Approval(request.id, Answer.APPROVED, Scope.TASK, "ana", now, expires=now + 60)
        rules.close(request.id, yes)
    for depth in ended:
        rules.end(f"t-{depth}", 1)
    standing = {depth for depth in answered if depth not in ended}
    for depth in range(DEPTH + 1):
        request = _request(depth)
        covered = rules.covered(request, request.effects, now, _above(depth))
        assert (covered is not None) == any(given <= depth for given in standing)


def _above(depth: int) -> tuple[tuple[str, int], ...]:
    return tuple((f"t-{above}", 1) for above in reversed(range(depth)))
