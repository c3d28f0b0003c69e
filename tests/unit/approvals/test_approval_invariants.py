"""Whatever happens in whatever order: nothing is approved twice, late, or changed."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from supervisor.approvals.rules import TICKET_SECONDS, Rules, key_of
from supervisor.errors import TaskpassError
from supervisor.model import Answer, Approval, Risk, Scope
from tests.support.judging import question

TASKS = st.sampled_from(["t-1", "t-2"])
HASHES = st.sampled_from(["sha256:1", "sha256:2"])


class Approvals(RuleBasedStateMachine):
    """The rules beside a model that only counts what a person said."""

    def __init__(self) -> None:
        super().__init__()
        self.rules = Rules()
        self.now = 0.0
        self.count = 0
        self.epochs = {"t-1": 1, "t-2": 1}
        self.answered: set[str] = set()
        self.earned: dict[tuple[str, int, str], list[float]] = {}  # approvals not yet redeemed

    @rule(task=TASKS, call_hash=HASHES, high=st.booleans(), stale=st.booleans())
    def ask(self, task: str, call_hash: str, high: bool, stale: bool) -> None:
        self.count += 1
        epoch = self.epochs[task] - (1 if stale else 0)
        request = question(
            f"a-{self.count}",
            task=task,
            epoch=epoch,
            call_hash=call_hash,
            risk=Risk.HIGH if high else Risk.MEDIUM,
            created=self.now,
            expires=self.now + 300,
        )
        if self.rules.find(key_of(request)) is not None:
            return
        refusal = self.rules.refused(request, self.now)
        if refusal is None:
            assert not stale or epoch == 0  # epoch 0 was never ended
            self.rules.put(request, ())
            self.rules.open[request.id].ticket = True
        else:
            assert refusal.answer is not Answer.APPROVED

    @rule(data=st.data(), yes=st.booleans(), code=st.sampled_from(["", "K7"]))
    def answer(self, data: st.DataObject, yes: bool, code: str) -> None:
        if not self.count:
            return
        id = f"a-{data.draw(st.integers(1, self.count))}"
        answer = Answer.APPROVED if yes else Answer.DENIED
        try:
            asked = self.rules.check(id, answer, Scope.ONCE, 0, code, self.now)
        except TaskpassError:
            return
        assert id not in self.answered
        assert self.now < asked.request.expires
        assert asked.request.epoch == self.epochs[asked.request.task] or asked.request.epoch == 0
        self.answered.add(id)
        self.rules.close(id, Approval(id, answer, Scope.ONCE, "ana", self.now))
        if yes:
            self.earned.setdefault(key_of(asked.request), []).append(self.now)

    @rule(task=TASKS, call_hash=HASHES, back=st.integers(0, 1))
    def redeem(self, task: str, call_hash: str, back: int) -> None:
        key = (task, self.epochs[task] - back, call_hash)
        approval = self.rules.redeem(key, self.now)
        if approval is not None:
            earned = self.earned.pop(key, [])
            assert earned, "passed without an approval of its own"
            assert self.now < earned[-1] + TICKET_SECONDS
            assert approval.answer is Answer.APPROVED

    @rule(task=TASKS)
    def revoke(self, task: str) -> None:
        self.rules.end(task, self.epochs[task])
        self.epochs[task] += 1
        self.earned = {key: value for key, value in self.earned.items() if key[0] != task}

    @precondition(lambda self: self.count)
    @rule(seconds=st.sampled_from([1.0, 299.0, 301.0, 700.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.rules.prune(self.now)


TestApprovals = Approvals.TestCase
TestApprovals.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
