"""A question whose asker has gone is not left to a person."""

from __future__ import annotations

import time

from supervisor.approvals.queue import ApprovalQueue
from supervisor.model import Answer, ApprovalRequest, Effect, Risk, Verb


def request(id: str = "a-1") -> ApprovalRequest:
    now = time.time()
    return ApprovalRequest(
        id=id, task="t-1", epoch=1, call="c-1", call_hash="sha256:00", title="git push",
        effects=(Effect(Verb.RUN, "git"),), asking=("rule",), reason="outward", risk=Risk.MEDIUM,
        created=now, expires=now + 60,
    )  # fmt: skip


async def test_the_last_one_to_leave_closes_it() -> None:
    queue = ApprovalQueue()
    first, second = queue.ask(request()), queue.ask(request("a-2"))
    assert second.request.id == first.request.id
    assert queue.leave(first.request.id) is None
    assert [q.id for q in queue.all_pending()] == ["a-1"]
    withdrawn = queue.leave(first.request.id)
    assert withdrawn is not None
    assert withdrawn[1].answer is Answer.EXPIRED
    assert queue.all_pending() == []
    assert (await first.answer).answer is Answer.EXPIRED


async def test_a_ticket_stays_for_the_retry() -> None:
    queue = ApprovalQueue()
    first = queue.ask(request())
    queue.ticket(first.request.id)
    again = queue.ask(request("a-2"))
    assert again.request.id == "a-1"
    # The retry was interrupted: the question is gone with the last asker …
    assert queue.leave("a-1") is not None
    # … and nothing is kept for anybody.
    assert queue.redeem("t-1", 1, "sha256:00") is None
