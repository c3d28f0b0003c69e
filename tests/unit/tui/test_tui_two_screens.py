"""Several screens over one supervisor: one answer counts, and the others say whose it was."""

from __future__ import annotations

from supervisor.errors import NotFound
from supervisor.protocol import wire
from tests.support.fake_client import approval
from tests.support.tui_driver import Driver, asking, running

BEN = "not on this screen: make deploy"


def elsewhere(answer: str = "approved") -> wire.ApprovalAnswered:
    return wire.ApprovalAnswered(id="a-1", answer=answer, by="ben@laptop")


def said(d: Driver, words: str) -> list[str]:
    return [toast for toast in d.toasts if words in toast]


async def test_who_answered_elsewhere_is_said() -> None:
    async with running(asking(approval(1, title="make deploy"))) as d:
        d.client.send(elsewhere("denied"))
        await d.until(lambda: said(d, BEN))
        assert said(d, BEN) == ["denied by ben@laptop, not on this screen: make deploy"]


async def test_ones_own_answer_is_not_told_as_somebody_elses() -> None:
    async with running(asking(approval(1, title="make deploy"))) as d:
        await d.lead("d")
        await d.until(lambda: said(d, "denied: make deploy"))
        d.client.send(wire.ApprovalAsked(approval=approval(2, title="make more")))
        await d.until(lambda: "make more" in d.said("attention"))  # all before it was taken in
        assert not said(d, "not on this screen")


async def test_an_answer_that_came_second_says_whose_was_first() -> None:
    async with running(asking(approval(1, title="make deploy"))) as d:
        answering = d.client.answer

        async def too_late(approval: str, answer: wire.AnswerApproval) -> None:
            d.client.send(elsewhere())
            await d.until(lambda: "a-1" not in d.app.world.approvals)
            raise NotFound("This question is not open any more.")

        d.client.answer = too_late  # type: ignore[method-assign]
        await d.lead("d")
        await d.until(lambda: said(d, BEN))
        assert not said(d, "denied: make deploy")
        d.client.answer = answering  # type: ignore[method-assign]


async def test_a_screen_of_one_task_tells_of_its_own_alone() -> None:
    other = approval(1, task="t-2", title="make deploy")
    async with running(asking(other, approval(2)), shape="run") as d:
        d.client.send(elsewhere())
        d.client.send(wire.ApprovalAsked(approval=approval(3)))
        await d.until(lambda: "a-3" in d.app.world.approvals)
        assert not said(d, "not on this screen")
