"""Asking and answering, with futures and timers."""

from __future__ import annotations

import asyncio
import time

import pytest

from supervisor.approvals.queue import ApprovalQueue, new_code
from supervisor.errors import Denied, LedgerFailed, NotFound, UsageError
from supervisor.model import Answer, Approval, ApprovalRequest, Effect, Risk, Scope, Verb
from tests.support.clock import Clock
from tests.support.judging import question

POST = Effect(Verb.HTTP, "h.test", {"method": "POST", "path": "/a"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def queue(clock: Clock) -> ApprovalQueue:
    return ApprovalQueue(clock=clock, new_code=lambda: "K7")


async def approve(queue: ApprovalQueue, id: str = "a-1", **more: object) -> Approval:
    return await queue.answer(id, answer=Answer.APPROVED, by="ana", **more)  # type: ignore[arg-type]


async def test_the_answer_reaches_who_waits_and_only_once(queue: ApprovalQueue) -> None:
    pending = queue.ask(question())
    assert pending.fresh
    assert [r.id for r in queue.all_pending()] == ["a-1"]
    given = await approve(queue, note="go")
    assert await pending.answer == given
    assert (given.answer, given.by, given.scope) == (Answer.APPROVED, "ana", Scope.ONCE)
    assert queue.pending("a-1") is None
    with pytest.raises(NotFound):
        await approve(queue)
    assert queue.redeem("t-1", 1, "sha256:1") is None
    assert queue.ask(question("a-2")).fresh


async def test_identical_questions_are_one(queue: ApprovalQueue) -> None:
    first, second = queue.ask(question("a-1")), queue.ask(question("a-2"))
    assert second.request.id == "a-1"
    assert not second.fresh
    assert queue.ask(question("a-3", call_hash="sha256:2")).fresh
    await approve(queue)
    assert await second.answer == await first.answer


async def test_a_ticket_passes_the_identical_retry_exactly_once(queue: ApprovalQueue) -> None:
    queue.ask(question())
    queue.ticket("a-1")
    assert queue.redeem("t-1", 1, "sha256:1") is None
    await approve(queue)
    assert queue.redeem("t-1", 1, "sha256:2") is None
    assert queue.redeem("t-1", 2, "sha256:1") is None
    assert queue.redeem("t-2", 1, "sha256:1") is None
    redeemed = queue.redeem("t-1", 1, "sha256:1")
    assert redeemed is not None
    assert redeemed.answer is Answer.APPROVED
    assert queue.redeem("t-1", 1, "sha256:1") is None


async def test_a_ticket_runs_out(queue: ApprovalQueue, clock: Clock) -> None:
    queue.ask(question())
    queue.ticket("a-1")
    await approve(queue)
    clock.now = 601
    assert queue.redeem("t-1", 1, "sha256:1") is None


async def test_a_retry_while_it_is_open_joins_and_leaves_no_ticket(queue: ApprovalQueue) -> None:
    queue.ask(question())
    queue.ticket("a-1")
    joined = queue.ask(question("a-2"))
    await approve(queue)
    assert (await joined.answer).answer is Answer.APPROVED
    assert queue.redeem("t-1", 1, "sha256:1") is None


async def test_high_risk_needs_its_code(queue: ApprovalQueue) -> None:
    pending = queue.ask(question(risk=Risk.HIGH))
    assert pending.request.code == "K7"
    with pytest.raises(Denied, match="not the one shown"):
        await approve(queue)
    with pytest.raises(Denied):
        await approve(queue, code="K8")
    assert not pending.answer.done()
    await approve(queue, code=" k7 ")
    assert (await pending.answer).answer is Answer.APPROVED


async def test_the_third_wrong_code_denies(queue: ApprovalQueue) -> None:
    pending = queue.ask(question(risk=Risk.HIGH))
    for _ in range(3):
        with pytest.raises(Denied):
            await approve(queue, code="A2")
    assert (await pending.answer).answer is Answer.DENIED
    with pytest.raises(NotFound):
        await approve(queue, code="K7")


async def test_denying_needs_no_code(queue: ApprovalQueue) -> None:
    pending = queue.ask(question(risk=Risk.HIGH))
    await queue.answer("a-1", answer=Answer.DENIED, by="ana", scope=Scope.TASK, note="not now")
    answer = await pending.answer
    assert (answer.answer, answer.note, answer.scope) == (Answer.DENIED, "not now", Scope.ONCE)


async def test_no_answer_in_time_means_no() -> None:
    seen: list[Answer] = []

    async def record(request: ApprovalRequest, approval: Approval) -> None:
        seen.append(approval.answer)

    queue = ApprovalQueue(on_answer=record)
    now = time.time()
    pending = queue.ask(question(created=now, expires=now + 0.05))
    answer = await asyncio.wait_for(pending.answer, 5)
    assert (answer.answer, answer.by) == (Answer.EXPIRED, "")
    assert seen == [Answer.EXPIRED]
    with pytest.raises(NotFound):
        await approve(queue)


async def test_a_late_answer_does_not_count_even_before_the_timer(
    queue: ApprovalQueue, clock: Clock
) -> None:
    queue.ask(question())
    clock.now = 300.0
    with pytest.raises(NotFound):
        await approve(queue)


async def test_an_approval_for_the_task_covers_its_class_and_no_more(
    queue: ApprovalQueue, clock: Clock
) -> None:
    def ask(number: int, **more: object) -> bool:
        fields = {"call_hash": f"sha256:{number}", "effects": (POST,), "credential": "gh"} | more
        return queue.ask(question(f"a-{number}", **fields)).fresh  # type: ignore[arg-type]

    assert ask(1)
    await approve(queue, scope=Scope.TASK, minutes=1)
    other_path = Effect(Verb.HTTP, "h.test", {"method": "POST", "path": "/b"})
    put = Effect(Verb.HTTP, "h.test", {"method": "PUT", "path": "/a"})
    elsewhere = Effect(Verb.HTTP, "i.test", {"method": "POST", "path": "/a"})
    assert not ask(2, effects=(other_path,))
    assert ask(3, effects=(put,))
    assert ask(4, effects=(elsewhere,))
    assert ask(5, effects=(POST, elsewhere))
    assert ask(6, credential="")
    assert ask(7, credential="other")
    assert ask(8, task="t-2")
    assert ask(9, epoch=2)
    assert ask(10, asking=("standard/other",))
    clock.now = 60.0
    assert ask(11)


async def test_several_approvals_for_the_task_cover_together_what_each_covers_of_it(
    queue: ApprovalQueue,
) -> None:
    def ask(number: int, *effects: Effect) -> bool:
        asked = question(f"a-{number}", call_hash=f"sha256:{number}", effects=effects)
        return queue.ask(asked).fresh

    other, third = (
        Effect(Verb.HTTP, f"{name}.test", {"method": "POST", "path": "/"}) for name in "ij"
    )
    for number, effect in enumerate((POST, other), 1):
        assert ask(number, effect)
        await approve(queue, id=f"a-{number}", scope=Scope.TASK, minutes=1)
    assert not ask(3, POST, other)
    assert ask(4, POST, other, third)


async def test_an_approval_for_the_task_of_high_risk_is_for_exactly_this(
    queue: ApprovalQueue,
) -> None:
    deploy = Effect(Verb.RUN, "gh", {"act": "outward", "subcommand": "workflow run", "text": "a"})
    other = Effect(Verb.RUN, "gh", {"act": "outward", "subcommand": "workflow run", "text": "b"})
    queue.ask(question(risk=Risk.HIGH, effects=(deploy,)))
    await approve(queue, scope=Scope.TASK, code="K7")
    same = question("a-2", risk=Risk.HIGH, call_hash="sha256:2", effects=(deploy,))
    changed = question("a-3", risk=Risk.HIGH, call_hash="sha256:3", effects=(other,))
    assert not queue.ask(same).fresh
    assert queue.ask(changed).fresh


async def test_minutes_have_bounds(queue: ApprovalQueue) -> None:
    queue.ask(question())
    for minutes in (0, -1, 481, float("nan"), float("inf")):
        with pytest.raises(UsageError):
            await approve(queue, scope=Scope.TASK, minutes=minutes)
    assert queue.pending("a-1") is not None


async def test_revoking_ends_questions_tickets_and_standing_approvals(
    queue: ApprovalQueue,
) -> None:
    queue.ask(question("a-1", effects=(POST,)))
    await approve(queue, scope=Scope.TASK)
    queue.ask(question("a-2", call_hash="sha256:2"))
    queue.ticket("a-2")
    await approve(queue, "a-2")
    waiting = queue.ask(question("a-3", call_hash="sha256:3"))
    other = queue.ask(question("a-4", task="t-2"))
    ended = queue.cancel_task("t-1")
    assert [(r.id, a.answer) for r, a in ended] == [("a-3", Answer.REVOKED)]
    assert (await waiting.answer).answer is Answer.REVOKED
    assert queue.redeem("t-1", 1, "sha256:2") is None
    late = queue.ask(question("a-5", effects=(POST,)))
    assert not late.fresh
    assert (await late.answer).answer is Answer.REVOKED
    assert not other.answer.done()


async def test_revoked_while_the_answer_is_recorded(queue: ApprovalQueue) -> None:
    recording, go = asyncio.Event(), asyncio.Event()

    async def record(request: ApprovalRequest, approval: Approval) -> None:
        recording.set()
        await go.wait()

    queue.on_answer = record
    pending = queue.ask(question())
    answering = asyncio.create_task(approve(queue))
    await recording.wait()
    with pytest.raises(NotFound):
        await approve(queue)
    assert not pending.answer.done()
    queue.cancel_task("t-1")
    go.set()
    assert (await answering).answer is Answer.REVOKED
    assert (await pending.answer).answer is Answer.REVOKED


async def test_an_answer_that_cannot_be_recorded_is_no(queue: ApprovalQueue) -> None:
    async def record(request: ApprovalRequest, approval: Approval) -> None:
        raise LedgerFailed("The disk is full.")

    queue.on_answer = record
    pending = queue.ask(question(effects=(POST,)))
    with pytest.raises(LedgerFailed):
        await approve(queue, scope=Scope.TASK)
    assert (await pending.answer).answer is Answer.DENIED
    assert queue.ask(question("a-2", call_hash="sha256:2", effects=(POST,))).fresh


async def test_a_flood_of_questions_is_refused(queue: ApprovalQueue) -> None:
    fresh = [queue.ask(question(f"a-{n}", call_hash=f"sha256:{n}")).fresh for n in range(40)]
    assert sum(fresh) == 32
    assert queue.ask(question("b", task="t-2")).fresh


def test_codes_cannot_be_taken_for_each_other() -> None:
    codes = {new_code() for _ in range(500)}
    assert all(len(code) == 2 and not set(code) & set("IO01") for code in codes)
    assert len(codes) > 50
