"""Calls and tasks that are revoked, frozen or restarted on their way."""

from __future__ import annotations

import asyncio
import time

import pytest

from supervisor.errors import (
    LedgerFailed,
    NotAttested,
    Revoked,
)
from supervisor.grants.recovery import recover
from supervisor.model import (
    Process,
    Verb,
)
from tests.support.core_fakes import (
    CHILD,
    ROOT,
    STAND_IN,
    World,
    an_effect,
)
from tests.support.core_steps import ASK, asked

SIBLING = Process(300, 1 << 40)


@pytest.fixture
async def world() -> World:
    return World()


async def test_revoking_takes_everything(world: World) -> None:
    handle = await world.handle()
    release = await world.use(handle)
    view = await world.lifecycle.revoke(world.task, "ana")
    assert view.connections_cut == 1
    assert not world.engine.live(world.task, release.lease)
    with pytest.raises((Revoked, NotAttested)):
        await world.use(handle)
    assert not (await world.open()).allow
    await world.settle_background()
    assert world.control.said == ["kill"]
    assert world.task in world.vault.forgotten
    (record,) = world.ledger.read(kinds=["task.revoked"])
    assert record["leases"] == [release.lease]


@pytest.mark.parametrize("stage", ["call.opened", "use.intent", "use.allowed"])
async def test_revoked_while_a_record_is_written(world: World, stage: str) -> None:
    handle = await world.handle()
    world.ledger.during[stage] = lambda: world.lifecycle.revoke(world.task, "ana")
    if stage == "call.opened":
        assert not await world.runs(SIBLING)
    else:
        carried = [] if stage == "use.allowed" else [STAND_IN]
        with pytest.raises((Revoked, NotAttested)):
            await world.engine.authorize_use(
                world.task, handle, [CHILD, ROOT], an_effect(), carried
            )
    assert world.engine.book.open_calls(world.task) == []


async def test_revoked_while_the_issuer_works(world: World) -> None:
    handle = await world.handle()
    world.issuer.revocation = "handle-of-it"
    world.issuer.during = lambda: world.lifecycle.revoke(world.task, "ana")
    with pytest.raises(Revoked):
        await world.use(handle)
    await world.settle_background()
    assert world.issuer.revoked == ["handle-of-it"]


async def test_revoked_while_a_person_is_asked(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    opening = asyncio.create_task(world.open())
    await asked(world)
    await world.lifecycle.revoke(world.task, "ana")
    assert not (await opening).allow
    assert world.engine.approvals.all_pending() == []


async def test_a_revocation_that_cannot_be_recorded_refuses_all_the_same(world: World) -> None:
    handle = await world.handle()
    release = await world.use(handle)
    world.ledger.fails = {"task.revoked"}
    with pytest.raises(LedgerFailed):
        await world.lifecycle.revoke(world.task, "ana")
    assert world.control.said == ["freeze 0"]
    assert not world.engine.live(world.task, release.lease)
    assert not (await world.open()).allow


async def test_a_revoked_grant_is_not_given_again(world: World) -> None:
    handle = await world.handle()
    release = await world.use(handle)
    (grant,) = world.engine.book.grants()
    await world.lifecycle.revoke_grant(grant.id, "ana")
    assert not world.engine.live(world.task, release.lease)
    with pytest.raises(Revoked):
        await world.use(handle)
    assert (await world.open()).allow  # the task itself goes on


async def test_a_frozen_task_is_refused_and_thawed(world: World) -> None:
    handle = await world.handle()
    await world.lifecycle.freeze(world.task, "ana")
    with pytest.raises(Revoked, match="frozen"):
        await world.use(handle)
    await world.lifecycle.thaw(world.task, "ana")
    assert (await world.use(handle)).secret is not None


async def test_the_end_of_the_agent_settles_everything(world: World) -> None:
    release = await world.use(await world.handle())
    await world.lifecycle.ended(world.task, 7)
    assert not world.engine.live(world.task, release.lease)
    assert await world.lifecycle.outcome(world.task) == (7, "")
    assert "call.settled" in world.ledger.kinds
    assert not (await world.open()).allow


async def test_what_a_restart_remembers(world: World) -> None:
    await world.ledger.append("daemon.started", {})
    release = await world.use(await world.handle())
    other = World(ledger=world.ledger)
    done = await other.use(await other.handle())
    other.exits[CHILD]()
    await other.settle_background()
    await world.lifecycle.freeze(world.task, "ana")
    (grant,) = world.engine.book.grants()
    await world.lifecycle.revoke_grant(grant.id, "ana")
    await other.lifecycle.revoke(other.task, "ana")

    found = recover(world.ledger, time.time())
    assert found.epochs == {other.task: 2}
    assert found.frozen == {world.task}
    assert found.revoked_grants == {world.task: {("api", "api.example")}}
    (live,) = found.possibly_live
    assert live["lease"] == release.lease != done.lease
    assert live["until"] > time.time()

    # A second crash, with nothing new, does not forget it; its end does.
    await world.ledger.append("daemon.started", {"possibly_live": [live]})
    assert recover(world.ledger, time.time()).possibly_live == (live,)
    assert recover(world.ledger, live["until"]).possibly_live == ()


async def test_a_limit_that_was_met_is_on_record(world: World) -> None:
    await world.lifecycle.limit_met(world.task, "memory", 2)
    record = world.ledger.records[-1]
    assert (record["kind"], record["limit"], record["times"]) == ("task.limit_met", "memory", 2)
