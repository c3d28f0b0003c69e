"""The way of a call that a person is asked about."""

from __future__ import annotations

import asyncio
import time

import pytest

from supervisor.errors import (
    LedgerFailed,
    NotAttested,
    TimedOut,
)
from supervisor.model import (
    Answer,
    Verb,
)
from tests.support.core_fakes import (
    CHILD,
    World,
)
from tests.support.core_steps import ASK, answer, asked
from tests.support.live import until


@pytest.fixture
async def world() -> World:
    return World()


@pytest.mark.parametrize("given", [Answer.APPROVED, Answer.DENIED])
async def test_a_call_waits_for_the_person(world: World, given: Answer) -> None:
    world.policy.answers[Verb.RUN] = ASK
    opening = asyncio.create_task(world.open())
    await asked(world)
    await until(lambda: world.ledger.kinds, "its record")
    assert world.ledger.kinds == ["approval.asked"]
    await answer(world, given)
    assert (await opening).allow is (given is Answer.APPROVED)
    assert "approval.answered" in world.ledger.kinds


async def test_a_ticket_lets_the_identical_call_pass_once(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    held = await world.open(deadline=time.time() + 0.05)
    assert not held.allow
    assert "ticket a-" in held.reason
    await answer(world, Answer.APPROVED)
    assert not (await world.open("make it other", deadline=time.time() + 0.05)).allow
    assert (await world.open(deadline=time.time() + 0.05)).allow
    assert not (await world.open(deadline=time.time() + 0.05)).allow


async def test_a_use_stands_still_while_it_is_asked_about(world: World) -> None:
    world.policy.answers[Verb.HTTP] = ASK
    handle = await world.handle()
    using = asyncio.create_task(world.use(handle))
    await asked(world)
    assert world.control.said == [f"freeze {CHILD.pid}"]
    assert world.issuer.minted == []
    await answer(world, Answer.APPROVED)
    assert (await using).secret is not None
    assert world.control.said[-1] == f"thaw {CHILD.pid}"


async def test_nobody_answers(world: World) -> None:
    world.policy.answers[Verb.HTTP] = ASK
    world.engine.questions.timeout = 0.05
    handle = await world.handle()
    with pytest.raises(TimedOut):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_the_call_ends_while_its_use_is_asked_about(world: World) -> None:
    world.policy.answers[Verb.HTTP] = ASK
    handle = await world.handle()
    using = asyncio.create_task(world.use(handle))
    await asked(world)
    world.exits[CHILD]()
    await world.settle_background()
    await answer(world, Answer.APPROVED)
    with pytest.raises(NotAttested):
        await using
    assert world.issuer.minted == []


async def test_an_answer_that_cannot_be_recorded_approves_nothing(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    world.ledger.fails = {"approval.answered"}
    opening = asyncio.create_task(world.open())
    await asked(world)
    with pytest.raises(LedgerFailed):
        await answer(world, Answer.APPROVED)
    assert not (await opening).allow
