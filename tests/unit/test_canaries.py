"""A stand-in at a host where it is not bound: refused and asked about, then the task is frozen."""

from __future__ import annotations

import pytest

from supervisor.calls.canaries import POLICY
from supervisor.errors import Denied, Revoked
from supervisor.model import Answer, ApprovalRequest, Effect, Risk, Scope, Verb
from tests.support.core_fakes import CHILD, ROOT, STAND_IN, World
from tests.support.live import until

ELSEWHERE = "evil.example"


@pytest.fixture
async def world() -> World:
    return World()


async def sent_to(world: World, host: str, *, port: int = 443) -> None:
    """The stand-in goes there."""
    handle = getattr(world, "known_handle", None) or await world.handle()
    world.known_handle = handle  # type: ignore[attr-defined]
    effect = Effect(Verb.HTTP, host, {"method": "GET", "path": "/", "port": port})
    await world.engine.authorize_use(world.task, handle, [CHILD, ROOT], effect, [STAND_IN])


async def hit(world: World, host: str = ELSEWHERE) -> None:
    with pytest.raises(Denied, match="nothing real left"):
        await sent_to(world, host)


async def question(world: World) -> ApprovalRequest:
    await until(world.engine.approvals.all_pending, "the question")
    (asked,) = world.engine.approvals.all_pending()
    return asked


async def answer(world: World, what: Answer) -> None:
    asked = await question(world)
    await world.engine.approvals.answer(
        asked.id, answer=what, scope=Scope.ONCE, by="ana", code=asked.code
    )
    await world.settle_background()


async def test_the_first_is_refused_and_asked_about(world: World) -> None:
    await hit(world)
    asked = await question(world)
    assert asked.title.startswith(f"Stand-in for api sent to {ELSEWHERE}\n")
    assert (asked.asking, asked.risk) == ((POLICY,), Risk.HIGH)
    assert asked.change == ()  # a yes adds nothing to what the task may use
    assert not world.entry.frozen
    (kept,) = [r for r in world.ledger.records if r["kind"] == "incident.misplaced_surrogate"]
    assert kept["detail"] == {"credential": "api", "resource": ELSEWHERE, "hit": 1}
    assert world.issuer.minted == []


async def test_the_second_freezes_the_task(world: World) -> None:
    await hit(world)
    await question(world)
    await hit(world, "other.example")
    assert world.entry.frozen
    assert "freeze 0" in world.control.said
    frozen = next(r for r in world.ledger.records if r["kind"] == "task.frozen")
    assert frozen["by"] == "the stand-in for api sent to other.example"
    with pytest.raises(Revoked, match="frozen"):
        await sent_to(world, "api.example")


async def test_a_no_freezes_it_at_once(world: World) -> None:
    await hit(world)
    await answer(world, Answer.DENIED)
    assert world.entry.frozen
    assert next(r for r in world.ledger.records if r["kind"] == "task.frozen")["by"] == "ana"


async def test_a_yes_lets_it_go_on_and_the_next_is_asked_about_again(world: World) -> None:
    await hit(world)
    await answer(world, Answer.APPROVED)
    await sent_to(world, "api.example")  # where it is bound
    await hit(world)
    assert not world.entry.frozen
    await question(world)
    await hit(world)
    assert world.entry.frozen


async def test_a_question_that_ends_with_its_task_freezes_nothing(world: World) -> None:
    await hit(world)
    await question(world)
    await world.lifecycle.ended(world.task, 0)
    await world.settle_background()
    assert not world.entry.frozen
    assert world.engine.approvals.all_pending() == []


@pytest.mark.parametrize(("host", "port"), [("model.example", 443), ("model.example:8443", 8443)])
async def test_a_model_may_be_told_what_the_agent_has_seen(
    world: World, host: str, port: int
) -> None:
    runtime = world.engine.desk.runtimes[world.task]
    runtime.model_hosts = frozenset({"model.example:443", "model.example:8443"})
    await sent_to(world, host, port=port)
    assert world.entry.misplaced_surrogates == 0
    assert world.issuer.minted == []
    assert "incident.misplaced_surrogate" not in world.ledger.kinds


async def test_without_a_record_of_the_question_it_is_refused_all_the_same(world: World) -> None:
    world.ledger.fails = {"approval.asked"}
    await hit(world)
    await world.settle_background()
    await hit(world)
    assert world.entry.frozen
