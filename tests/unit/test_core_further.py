"""A request whose body says what else it does: all of it is judged, shown and on record."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from supervisor.errors import Denied, LedgerFailed
from supervisor.model import Answer, Decision, Effect, Outcome, Scope, Verb
from supervisor.ports import Release
from tests.support.core_fakes import CHILD, ROOT, STAND_IN, World, an_effect
from tests.support.live import until

PUSH = Effect(Verb.PUSH, "origin refs/heads/main", {"ref": "refs/heads/main"})


async def use(world: World, handle: str) -> Release:
    return await world.engine.authorize_use(
        world.task, handle, [CHILD, ROOT], an_effect("POST"), [STAND_IN], [PUSH]
    )


async def test_the_strictest_of_what_a_request_does_decides() -> None:
    world = World()
    handle = await world.handle()
    assert (await use(world, handle)).secret is not None
    assert world.ledger.read(kinds=["use.intent"])[-1]["further"] == ["push origin refs/heads/main"]

    world.policy.answers[Verb.PUSH] = Decision(Outcome.DENY, "Not there.", ("no",))
    with pytest.raises(Denied, match="Not there"):
        await use(world, handle)
    denied = world.ledger.read(kinds=["use.denied"])[-1]
    assert (denied["effect"][:4], denied["further"]) == ("POST", ["push origin refs/heads/main"])
    assert len(world.issuer.minted) == 1
    assert world.engine.book.task(world.task).denied == 1


async def test_the_question_shows_what_the_body_says() -> None:
    world = World()
    world.policy.answers[Verb.PUSH] = Decision(Outcome.ASK, "sends commits", ("push",))
    handle = await world.handle()
    using = asyncio.create_task(use(world, handle))
    await until(world.engine.approvals.all_pending, "the question")
    (question,) = world.engine.approvals.all_pending()
    assert [effect.verb for effect in question.effects] == [Verb.HTTP, Verb.PUSH]
    assert "push origin refs/heads/main" in question.title
    await world.engine.approvals.answer(
        question.id, answer=Answer.APPROVED, scope=Scope.ONCE, by="ana", code=question.code
    )
    assert (await using).secret is not None


async def test_another_graphql_operation_is_no_repetition() -> None:
    """One route carries them all: each kind of question is on disk before its first answer."""
    world = World()
    handle = await world.handle()

    async def ask(graphql: str, fields: str) -> Release:
        effect = an_effect("POST")
        told = {**effect.attributes, "graphql": graphql, "fields": fields}
        return await world.engine.authorize_use(
            world.task, handle, [CHILD, ROOT], replace(effect, attributes=told), [STAND_IN]
        )

    assert (await ask("query", " viewer ")).secret is not None
    world.ledger.fails.add("use.intent")
    with pytest.raises(LedgerFailed):
        await ask("mutation", " createIssue ")
