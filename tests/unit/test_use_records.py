"""The first use of its kind is on the disk before it is released; repetitions go a little ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from supervisor.errors import LedgerFailed
from supervisor.model import Answer, Decision, Effect, KillMode, Outcome, Scope, Verb
from supervisor.ports import Entry, Release
from tests.support.core_fakes import CHILD, HOST, ROOT, STAND_IN, MemoryLedger, World
from tests.support.live import until


class SlowLedger(MemoryLedger):
    """Its disk can be made to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = asyncio.Event()
        self.disk.set()

    async def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        await self.disk.wait()
        return await super().append(kind, body)


@pytest.fixture
async def world() -> World:
    return World(ledger=SlowLedger())


def request(path: str = "/me", method: str = "GET", host: str = HOST) -> Effect:
    return Effect(Verb.HTTP, host, {"method": method, "path": path})


async def use(world: World, handle: str, effect: Effect, *surrogates: str) -> Release:
    return await world.engine.authorize_use(
        world.task, handle, [CHILD, ROOT], effect, surrogates or [STAND_IN]
    )


def disk(world: World) -> asyncio.Event:
    assert isinstance(world.ledger, SlowLedger)
    return world.ledger.disk


async def waits(world: World, handle: str, effect: Effect, *surrogates: str) -> bool:
    """Whether this use is held until the disk goes on."""
    disk(world).clear()
    job = asyncio.ensure_future(use(world, handle, effect, *surrogates))
    await world.settle_background()
    held = not job.done()
    disk(world).set()
    await job
    return held


async def test_only_the_first_use_of_its_kind_waits_for_the_disk(world: World) -> None:
    handle = await world.handle()
    assert await waits(world, handle, request("/items/1"))
    assert not await waits(world, handle, request("/items/1"))
    assert not await waits(world, handle, request("/items/22"))
    await world.settle_background()
    assert world.ledger.kinds.count("use.intent") == 3


@pytest.mark.parametrize(
    "other",
    [request("/others/1"), request("/items/1", "HEAD"), request("/items/1", "POST")],
    ids=["route", "method", "change"],
)
async def test_another_kind_of_use_waits_again(world: World, other: Effect) -> None:
    handle = await world.handle()
    await use(world, handle, request("/items/1"))
    assert await waits(world, handle, other)


async def test_what_else_a_request_does_makes_it_another_kind(world: World) -> None:
    handle = await world.handle()
    await use(world, handle, request("/graphql", "POST"))
    disk(world).clear()
    mutation = Effect(Verb.HTTP, HOST, {"method": "MUTATION", "path": "/graphql#drop"})
    job = asyncio.ensure_future(
        world.engine.authorize_use(
            world.task, handle, [CHILD, ROOT], request("/graphql", "POST"), [STAND_IN], [mutation]
        )
    )
    await world.settle_background()
    assert not job.done()
    disk(world).set()
    await job


async def test_another_call_begins_anew(world: World) -> None:
    first = await world.handle()
    await use(world, first, request())
    world.exits[CHILD]()
    await world.settle_background()
    answer = await world.open()
    handle = str(answer.rewritten["command"].split("\n")[0])
    other = type(CHILD)(301, 1 << 40)
    world.family.parents[other] = ROOT
    assert await world.engine.bind_call(world.task, handle, [other, ROOT])
    disk(world).clear()
    job = asyncio.ensure_future(
        world.engine.authorize_use(world.task, handle, [other, ROOT], request(), [STAND_IN])
    )
    await world.settle_background()
    assert not job.done()
    disk(world).set()
    await job


async def test_uses_without_a_credential_are_repetitions_too(world: World) -> None:
    handle = await world.handle()
    plain = request(host="elsewhere.example")
    assert await waits(world, handle, plain, "nothing")
    assert not await waits(world, handle, plain, "nothing")


async def test_what_a_person_was_asked_about_always_waits(world: World) -> None:
    handle = await world.handle()
    await use(world, handle, request())
    world.policy.answers[Verb.HTTP] = Decision(Outcome.ASK, "sensitive", ("ask-it",))
    job = asyncio.ensure_future(use(world, handle, request()))
    await until(world.engine.approvals.all_pending, "the question")
    (pending,) = world.engine.approvals.all_pending()
    await world.engine.approvals.answer(
        pending.id, answer=Answer.APPROVED, scope=Scope.ONCE, by="ana", code=pending.code
    )
    disk(world).clear()
    await world.settle_background()
    assert not job.done()
    disk(world).set()
    await job


async def test_what_works_without_us_always_waits(world: World) -> None:
    world.issuer.kill_mode = KillMode.VERIFIER
    handle = await world.handle()
    await use(world, handle, request())
    assert await waits(world, handle, request())


async def test_a_disk_that_falls_behind_is_waited_for(world: World) -> None:
    handle = await world.handle()
    await use(world, handle, request())
    world.ledger.behind_for = 0.09
    assert not await waits(world, handle, request())
    world.ledger.behind_for = 0.11
    assert await waits(world, handle, request())


async def test_a_record_that_fails_ends_the_lease_and_the_next_use_says_why(world: World) -> None:
    handle = await world.handle()
    await use(world, handle, request())
    disk(world).clear()
    world.ledger.fails = {"use.intent"}
    release = await use(world, handle, request())
    assert world.engine.live(world.task, release.lease)
    disk(world).set()
    await world.settle_background()
    assert not world.engine.live(world.task, release.lease)
    assert release.lease in world.channel.cuts
    with pytest.raises(LedgerFailed):
        await use(world, handle, request())
    world.ledger.fails = set()
    assert (await use(world, handle, request())).lease != release.lease


async def test_a_repetition_that_has_ended_meanwhile_is_one_record(world: World) -> None:
    handle = await world.handle()
    for _ in range(2):
        release = await use(world, handle, request())
        await world.engine.used(world.task, release, 204)
    await world.settle_background()
    kinds = [kind for kind in world.ledger.kinds if kind.startswith("use.")]
    assert kinds == ["use.intent", "use.delivered", "use.intent"]
    first, last = (r for r in world.ledger.records if r["kind"] == "use.intent")
    assert "status" not in first
    assert (last["status"], last["use"]) == (204, release.use)


async def test_one_that_ends_later_is_two(world: World) -> None:
    handle = await world.handle()
    await use(world, handle, request())
    release = await use(world, handle, request())
    await world.settle_background()
    await world.engine.used(world.task, release, 200)
    await world.settle_background()
    delivered = world.ledger.read(kinds=["use.delivered"])
    assert [(r["use"], r["status"]) for r in delivered] == [(release.use, 200)]
