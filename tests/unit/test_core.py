"""The way of a call with every port in memory: opened, bound, used, settled."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace

import pytest

from supervisor.errors import (
    Denied,
    NotAttested,
    Revoked,
)
from supervisor.model import (
    Effect,
    Limits,
    Process,
    TaskState,
    Verb,
)
from tests.support.core_fakes import (
    CHILD,
    REAL,
    ROOT,
    STAND_IN,
    World,
    a_shell_call,
    an_effect,
)
from tests.support.core_steps import ALLOW, DENY
from tests.support.live import until

SIBLING = Process(300, 1 << 40)


@pytest.fixture
async def world() -> World:
    return World()


async def test_the_whole_way(world: World) -> None:
    handle = await world.handle()
    release = await world.use(handle)
    assert release.secret is not None
    assert release.secret.value == REAL
    assert world.engine.live(world.task, release.lease)
    await world.engine.used(world.task, release, 200)
    world.exits[CHILD]()
    await world.settle_background()
    assert not world.engine.live(world.task, release.lease)
    assert release.lease in world.channel.cuts
    assert world.ledger.kinds == [
        "call.opened", "use.intent", "use.delivered", "call.settled"
    ]  # fmt: skip
    assert REAL not in repr(world.ledger.records)


async def test_a_use_is_judged_knowing_that_its_command_could_not_be_read(world: World) -> None:
    world.policy.answers[Verb.RUN] = replace(ALLOW, lease=False)
    await world.use(await world.handle())
    call, use = world.policy.asked
    assert not call.unread
    assert use.unread


async def test_policy_is_told_what_is_left_of_the_limits(world: World) -> None:
    await world.open()
    await world.open()
    first, second = (situation.budget for situation in world.policy.asked)
    assert first.calls == Limits().max_calls - 1
    assert second.calls == first.calls - 1
    assert 0 < second.seconds <= Limits().max_age


async def test_changes_beyond_the_budget_are_refused_before_they_happen(world: World) -> None:
    world.entry.task = replace(world.entry.task, limits=Limits(max_changes=2))
    handle = await world.handle()
    for _ in range(2):
        await world.use(handle, method="POST")
    with pytest.raises(Denied, match="2 changes"):
        await world.use(handle, method="POST")
    await world.use(handle)  # reading goes on
    assert world.policy.asked[-1].budget.changes == 0


async def test_a_denial_names_the_way_that_works(world: World) -> None:
    world.policy.answers[Verb.RUN] = DENY
    answer = await world.open()
    assert not answer.allow
    assert "Not in this house." in answer.reason
    assert "Use the other door." in answer.reason
    assert world.ledger.kinds == ["call.denied"]


@pytest.mark.parametrize(
    "sender",
    [None, Process(999, 5), SIBLING],
    ids=["unresolved", "a stranger", "another call's process"],
)
async def test_only_the_agent_announces(world: World, sender: Process | None) -> None:
    world.family.parents[SIBLING] = ROOT
    await world.handle(SIBLING)
    answer = await world.engine.open_call(world.task, a_shell_call(), sender)
    assert not answer.allow
    assert "incident.forged_hook" in world.ledger.kinds


async def test_what_ran_before_a_restart_neither_announces_nor_binds(world: World) -> None:
    world.family.parents[SIBLING] = ROOT
    world.engine.book.bar(world.task, SIBLING)
    assert not (await world.engine.open_call(world.task, a_shell_call(), SIBLING)).allow
    answer = await world.open()
    handle = answer.rewritten["command"].split("\n")[0]
    assert not await world.engine.bind_call(world.task, handle, [SIBLING, ROOT])


async def test_a_handle_is_good_in_its_own_tree_only(world: World) -> None:
    world.family.parents[SIBLING] = ROOT
    handle = await world.handle()
    with pytest.raises(NotAttested):
        await world.use(handle, child=SIBLING)
    assert not await world.engine.bind_call(world.task, handle, [SIBLING, ROOT])
    assert world.issuer.minted == []


async def test_the_agent_itself_has_no_call_of_its_own(world: World) -> None:
    handle = await world.handle()
    with pytest.raises(NotAttested):
        await world.engine.authorize_use(world.task, handle, [ROOT], an_effect(), [STAND_IN])


async def test_a_settled_handle_is_worth_nothing(world: World) -> None:
    handle = await world.handle()
    world.exits[CHILD]()
    await world.settle_background()
    with pytest.raises(NotAttested):
        await world.use(handle)


async def _opened(world: World, agent_call_id: str, subagent: str = "") -> str:
    """An open call that no shell has bound yet; its handle."""
    call = replace(a_shell_call(), agent_call_id=agent_call_id, subagent=subagent)
    answer = await world.engine.open_call(world.task, call, ROOT)
    assert answer.rewritten is not None
    return str(answer.rewritten["command"]).split("\n")[0]


async def test_a_background_command_may_bind_after_it_was_reported_done(world: World) -> None:
    handle = await _opened(world, "call-1")
    await world.engine.settle_call(world.task, "call-1", "ok")
    await world.engine.settle_call(world.task, "", "turn ended", subagent="")
    assert await world.engine.bind_call(world.task, handle, [CHILD, ROOT])
    assert (await world.use(handle)).secret is not None
    world.exits[CHILD]()
    await world.settle_background()
    assert world.ledger.records[-1]["outcome"] == "exited"


async def test_a_reported_command_that_never_binds_is_settled(world: World) -> None:
    world.engine.settlement.bind_grace = 0.01
    handle = await _opened(world, "call-1")
    await world.engine.settle_call(world.task, "call-1", "ok")
    await until(lambda: "call.settled" in world.ledger.kinds, "the end of patience")
    assert not await world.engine.bind_call(world.task, handle, [CHILD, ROOT])


async def test_a_failed_command_is_settled_at_once(world: World) -> None:
    await _opened(world, "call-1")
    await world.engine.settle_call(world.task, "call-1", "failed")
    assert world.ledger.kinds == ["call.opened", "call.settled"]


async def test_a_turn_takes_only_its_own_calls_with_it(world: World) -> None:
    """Subagents work on in the background when the agent's own turn ends."""
    world.engine.settlement.bind_grace = 0.0
    own, theirs = await _opened(world, "call-1"), await _opened(world, "call-2", "a1")
    await world.engine.settle_call(world.task, "", "turn ended", subagent="")
    await until(lambda: "call.settled" in world.ledger.kinds, "the end of the turn")
    assert not await world.engine.bind_call(world.task, own, [CHILD, ROOT])
    assert await world.engine.bind_call(world.task, theirs, [CHILD, ROOT])


async def test_the_task_list_tells_turns_apart(world: World) -> None:
    engine, entry = world.engine, world.entry
    await _opened(world, "call-1")
    await _opened(world, "call-2", "a1")
    assert entry.state is TaskState.WORKING
    await engine.settle_call(world.task, "", "turn ended", subagent="")
    assert entry.state is TaskState.WAITING_YOU
    engine.activity(world.task, "idle")
    assert entry.state is TaskState.IDLE
    engine.activity(world.task, "")
    assert entry.state is TaskState.WORKING
    engine.activity("t-gone", "idle")  # its hooks may come late


async def test_a_stand_in_at_another_host_is_an_incident(world: World) -> None:
    handle = await world.handle()
    elsewhere = Effect(Verb.HTTP, "evil.example", {"method": "GET", "path": "/"})
    with pytest.raises(Denied, match="nothing real left"):
        await world.engine.authorize_use(world.task, handle, [CHILD, ROOT], elsewhere, [STAND_IN])
    assert "incident.misplaced_surrogate" in world.ledger.kinds
    assert world.entry.misplaced_surrogates == 1
    assert world.issuer.minted == []


async def test_a_request_without_a_stand_in_gets_nothing(world: World) -> None:
    handle = await world.handle()
    release = await world.engine.authorize_use(
        world.task, handle, [CHILD, ROOT], an_effect(), ["a guess"]
    )
    assert release.secret is None
    assert world.issuer.minted == []


async def test_the_budget_counts_calls_in_flight(world: World) -> None:
    world.entry.task = replace(world.entry.task, limits=Limits(max_calls=2))
    answers = await asyncio.gather(*(world.open() for _ in range(4)))
    assert sorted(answer.allow for answer in answers) == [False, False, True, True]


async def test_calls_end_at_their_maximum_age(world: World) -> None:
    world.entry.task = replace(world.entry.task, limits=Limits(max_call_age=0.5))
    handle = await world.handle()
    lease = ""
    with contextlib.suppress(Revoked, NotAttested):  # on a busy machine it is over already
        lease = (await world.use(handle)).lease
    await until(lambda: "call.settled" in world.ledger.kinds, "the end")
    assert not world.engine.live(world.task, lease)
    with pytest.raises(NotAttested):
        await world.use(handle)
