"""Subagents as tasks below their agent's: each bounded by what is above it, and ended alone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from supervisor.errors import NotAttested, Revoked, TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.grants.recovery import recover
from supervisor.model import (
    Answer,
    Decision,
    Limits,
    Outcome,
    Process,
    Scope,
    TaskState,
    ToolCall,
    ToolKind,
    Verb,
    new_id,
)
from tests.support.core_fakes import ROOT, STAND_IN, World, a_shell_call, an_effect
from tests.support.live import until

ASK = Decision(Outcome.ASK, "sensitive", ("ask-it",))
LATER = 1 << 40  # start of processes: after everything the test does


class Bound:
    """An open call of somebody's, with its process."""

    def __init__(self, world: World, task: str, handle: str, process: Process) -> None:
        self.world, self.task, self.handle, self.process = world, task, handle, process

    async def use(self, method: str = "GET") -> Any:
        return await self.world.engine.authorize_use(
            self.world.task, self.handle, [self.process, ROOT], an_effect(method), [STAND_IN]
        )

    async def ends(self) -> None:
        self.world.exits[self.process]()
        await self.world.settle_background()


class Crew:
    """The agent of a world and its subagents, by their names; "" for the agent itself."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self._pid = 1000

    async def announce(self, who: str, call: ToolCall) -> Any:
        named = replace(call, subagent=who, subagent_kind="explore" if who else "")
        return await self.world.engine.open_call(self.world.task, named, ROOT)

    async def runs(self, who: str) -> Bound:
        """A shell command of theirs that is allowed and bound."""
        answer = await self.announce(who, a_shell_call())
        assert answer.allow, answer.reason
        handle = str(answer.rewritten["command"].split("\n")[0])
        self._pid += 1
        process = Process(self._pid, LATER)
        self.world.family.parents[process] = ROOT
        assert await self.world.engine.bind_call(self.world.task, handle, [process, ROOT])
        call = self.world.engine.book.call_by_handle(self.world.task, handle)
        return Bound(self.world, call.call.task, handle, process)

    async def spawns(self, who: str) -> str:
        """They start a subagent; the agent's id of that call."""
        call = ToolCall(new_id("x"), "Agent", ToolKind.AGENT, {}, "/work")
        answer = await self.announce(who, call)
        assert answer.allow, answer.reason
        return call.agent_call_id

    async def turn_ends(self, who: str) -> None:
        await self.world.engine.settle_call(self.world.task, "", "turn ended", subagent=who)
        await self.world.settle_background()

    def entry(self, who: str) -> TaskEntry:
        """The newest task of that name."""
        tasks = self.world.engine.book.tasks()
        return [entry for entry in tasks if entry.task.subagent == who][-1]

    async def refused(self, who: str) -> str:
        answer = await self.announce(who, a_shell_call())
        assert not answer.allow
        return str(answer.reason)


@pytest.fixture
async def crew() -> Crew:
    return Crew()


# ── whose it is ─────────────────────────────────────────────────────────────────────────


async def test_a_subagent_has_a_task_of_its_own_on_record_before_its_first_call(crew: Crew) -> None:
    call = await crew.runs("a1")
    child = crew.entry("a1")
    assert child.above is crew.world.entry
    assert (child.task.parent, child.task.purpose) == (crew.world.task, "explore a1")
    assert call.task == child.task.id != crew.world.task
    started, opened = crew.world.ledger.records[:2]
    assert (started["kind"], started["task"]) == ("task.started", child.task.id)
    assert (started["parent"], started["subagent"], started["top"]) == (
        crew.world.task, "a1", crew.world.task
    )  # fmt: skip
    assert (opened["kind"], opened["task"]) == ("call.opened", child.task.id)
    await call.use()
    used = crew.world.ledger.records[-1]
    assert (used["kind"], used["task"]) == ("use.intent", child.task.id)
    assert crew.world.issuer.minted[0].task.id == child.task.id


async def test_one_name_is_one_task_also_of_calls_at_once(crew: Crew) -> None:
    calls = await asyncio.gather(*(crew.announce("a1", a_shell_call()) for _ in range(4)))
    assert all(call.allow for call in calls)
    assert crew.world.ledger.kinds.count("task.started") == 1


async def test_whose_start_cannot_be_recorded_has_no_task(crew: Crew) -> None:
    crew.world.ledger.fails.add("task.started")
    assert "disk is full" in await crew.refused("a1")
    assert crew.world.entry.below == []
    crew.world.ledger.fails.clear()
    assert (await crew.announce("a1", a_shell_call())).allow


async def test_a_subagents_subagent_is_below_it(crew: Crew) -> None:
    await crew.spawns("")
    await crew.runs("a1")
    await crew.spawns("a1")
    await crew.runs("b1")
    assert crew.entry("b1").above is crew.entry("a1")
    assert [entry.place for entry in crew.world.entry.family] == ["1", "1.1", "1.1.1"]


async def test_whose_it_is_may_be_told_before_it_calls(crew: Crew) -> None:
    await crew.runs("a1")
    crew.world.engine.spawned(crew.world.task, "b1", "a1")
    await crew.runs("b1")
    await crew.runs("b2")
    assert crew.entry("b1").above is crew.entry("a1")
    assert crew.entry("b2").above is crew.world.entry
    crew.world.engine.spawned(crew.world.task, "b2", "a1")  # too late to change anything
    assert crew.entry("b2").above is crew.world.entry


async def test_where_two_start_one_it_is_below_what_both_are_below(crew: Crew) -> None:
    await crew.spawns("")
    await crew.spawns("")
    await crew.runs("a1")
    await crew.runs("a2")
    await crew.spawns("a1")
    await crew.spawns("a2")
    await crew.runs("b1")
    assert crew.entry("b1").above is crew.world.entry


# ── what bounds it ──────────────────────────────────────────────────────────────────────


async def test_its_calls_count_against_what_is_above_it(crew: Crew) -> None:
    crew.world.entry.task = replace(crew.world.entry.task, limits=Limits(max_calls=3))
    await crew.runs("a1")
    await crew.runs("a2")
    await crew.runs("")
    assert "has used its 3 calls" in await crew.refused("a3")
    assert "has used its 3 calls" in await crew.refused("")


async def test_it_ends_with_its_parent_at_the_latest(crew: Crew) -> None:
    await (await crew.runs("a1")).use()
    (grant,) = crew.world.engine.book.grants()
    assert grant.task == crew.entry("a1").task.id
    assert grant.expires <= crew.world.entry.task.ends
    assert crew.entry("a1").task.ends <= crew.world.entry.task.ends + 1e-3


async def test_what_is_granted_to_it_is_its_alone(crew: Crew) -> None:
    ours, theirs = await crew.runs(""), await crew.runs("a1")
    await ours.use()
    await theirs.use()
    grants = {grant.task: grant.id for grant in crew.world.engine.book.grants()}
    assert set(grants) == {crew.world.task, crew.entry("a1").task.id}
    await crew.world.lifecycle.revoke_grant(grants[crew.entry("a1").task.id], "ana")
    with pytest.raises(Revoked, match="Access to api"):
        await theirs.use()
    await ours.use()


async def test_what_was_taken_from_its_parent_is_taken_from_it(crew: Crew) -> None:
    ours, theirs = await crew.runs(""), await crew.runs("a1")
    await ours.use()
    (grant,) = crew.world.engine.book.grants()
    await crew.world.lifecycle.revoke_grant(grant.id, "ana")
    with pytest.raises(Revoked, match="Access to api"):
        await theirs.use()


async def _approved(crew: Crew, who: str) -> bool:
    """Whether a command of theirs that asks goes on; a question is answered with a yes for the
    task."""
    asking = asyncio.ensure_future(crew.announce(who, a_shell_call()))
    queue = crew.world.engine.approvals
    await until(lambda: queue.all_pending() or asking.done(), "a question or an answer")
    asked = bool(queue.all_pending())
    for request in queue.all_pending():
        await queue.answer(
            request.id, answer=Answer.APPROVED, scope=Scope.TASK, by="ana", code=request.code
        )
    assert (await asking).allow
    return asked


async def test_a_yes_to_the_agent_covers_its_subagents_and_never_the_other_way(crew: Crew) -> None:
    crew.world.policy.answers[Verb.RUN] = ASK
    assert await _approved(crew, "a1")
    assert not await _approved(crew, "a1")  # it stands for it …
    assert await _approved(crew, "a2")  # … and for nobody beside it
    assert await _approved(crew, "")  # … nor above it
    assert not await _approved(crew, "a3")


async def test_questions_of_all_subagents_count_together(crew: Crew) -> None:
    crew.world.policy.answers[Verb.RUN] = ASK
    asking = [
        asyncio.ensure_future(crew.announce(f"a{n}", a_shell_call(f"make {n}"))) for n in range(33)
    ]
    await until(lambda: len(crew.world.engine.approvals.all_pending()) == 32, "the questions")
    await until(lambda: any(one.done() for one in asking), "the refusal")
    (refused,) = [one.result() for one in asking if one.done()]
    assert "32 open questions" in refused.reason
    for one in asking:
        one.cancel()
    await asyncio.gather(*asking, return_exceptions=True)


async def test_a_handle_is_good_for_nobody_but_its_own_processes(crew: Crew) -> None:
    ours, theirs = await crew.runs("a1"), await crew.runs("a2")
    with pytest.raises(NotAttested):
        await crew.world.engine.authorize_use(
            crew.world.task, ours.handle, [theirs.process, ROOT], an_effect(), [STAND_IN]
        )
    other = await crew.announce("a2", a_shell_call())
    handle = str(other.rewritten["command"].split("\n")[0])
    assert not await crew.world.engine.bind_call(crew.world.task, handle, [ours.process, ROOT])


async def test_names_take_no_room_without_end(crew: Crew) -> None:
    book = crew.world.engine.book
    for number in range(100):
        call = await crew.runs(f"a{number}")
        await crew.turn_ends(f"a{number}")
        await call.ends()
    await crew.runs("last")
    assert len(list(book.tasks())) < 30
    assert len(crew.world.engine.desk.runtimes) == 2


async def test_more_subagents_at_work_than_can_be_told_apart_are_refused(crew: Crew) -> None:
    for number in range(64):
        await crew.runs(f"a{number}")
    assert "64 subagents at work" in await crew.refused("one more")
    assert (await crew.announce("", a_shell_call())).allow


# ── its end ─────────────────────────────────────────────────────────────────────────────


async def test_revoked_alone_while_parent_and_sibling_go_on(crew: Crew) -> None:
    ours, theirs, beside = [await crew.runs(who) for who in ("", "a1", "a2")]
    releases = [await one.use() for one in (ours, theirs, beside)]
    view = await crew.world.lifecycle.revoke(theirs.task, "ana")
    assert (view.leases_dead, view.connections_cut) == (1, 1)
    assert crew.world.channel.cuts == [releases[1].lease]  # and no other connection
    live = [crew.world.engine.live(crew.world.task, release.lease) for release in releases]
    assert live == [True, False, True]
    with pytest.raises((Revoked, NotAttested)):
        await theirs.use()
    assert "This subagent's access was revoked." in await crew.refused("a1")
    assert crew.world.ledger.records[-1]["task"] == theirs.task
    assert crew.entry("a1").state is TaskState.REVOKED
    await ours.use()
    await beside.use()
    assert (await crew.announce("", a_shell_call())).allow
    assert (await crew.announce("a2", a_shell_call())).allow
    assert crew.world.control.said == []  # the agent's own processes were left alone


async def test_revoking_one_takes_what_is_below_it(crew: Crew) -> None:
    await crew.spawns("")
    await crew.runs("a1")
    await crew.spawns("a1")
    below = await crew.runs("b1")
    await below.use()
    await crew.world.lifecycle.revoke(crew.entry("a1").task.id, "ana")
    with pytest.raises((Revoked, NotAttested)):
        await below.use()
    assert "access was revoked" in await crew.refused("b1")
    assert crew.entry("b1").state is TaskState.REVOKED


async def test_whoever_a_revoked_one_had_started_comes_too_late(crew: Crew) -> None:
    await crew.spawns("")
    await crew.runs("a1")
    await crew.spawns("a1")
    await crew.world.lifecycle.revoke(crew.entry("a1").task.id, "ana")
    assert "access was revoked" in await crew.refused("b1")
    assert (await crew.announce("a2", a_shell_call())).allow


async def test_nobody_comes_out_from_under_it_by_beginning_anew(crew: Crew) -> None:
    await crew.runs("a1")
    crew.world.engine.spawned(crew.world.task, "b1", "a1")
    call = await crew.runs("b1")
    await crew.turn_ends("b1")
    await call.ends()
    assert crew.entry("b1").state is TaskState.ENDED
    await crew.runs("b1")  # it goes on, where it was
    assert crew.entry("b1").above is crew.entry("a1")
    await crew.turn_ends("b1")
    await crew.world.lifecycle.revoke(crew.entry("a1").task.id, "ana")
    assert "access was revoked" in await crew.refused("b1")


async def test_nor_after_it_was_forgotten(crew: Crew) -> None:
    await crew.runs("a1")
    crew.world.engine.spawned(crew.world.task, "b1", "a1")
    for name in ("b1", *(f"c{number}" for number in range(20))):
        call = await crew.runs(name)
        await crew.turn_ends(name)
        await call.ends()
    assert "b1" not in [entry.task.subagent for entry in crew.world.entry.family]
    await crew.world.lifecycle.revoke(crew.entry("a1").task.id, "ana")
    assert "access was revoked" in await crew.refused("b1")


async def test_a_late_word_of_who_it_was_spares_the_others(crew: Crew) -> None:
    await crew.spawns("")
    await crew.runs("a1")
    await crew.spawns("a1")
    await crew.world.lifecycle.revoke(crew.entry("a1").task.id, "ana")
    crew.world.engine.spawned(crew.world.task, "b1", "a1")
    assert (await crew.announce("a2", a_shell_call())).allow
    assert "access was revoked" in await crew.refused("b1")


async def test_revoking_the_task_takes_all(crew: Crew) -> None:
    theirs = await crew.runs("a1")
    await theirs.use()
    await crew.world.lifecycle.revoke(crew.world.task, "ana")
    with pytest.raises((Revoked, NotAttested)):
        await theirs.use()
    assert "access was revoked" in await crew.refused("a1")
    assert "access was revoked" in await crew.refused("made up")
    assert list(crew.world.engine.book.grants()) == []


async def test_without_a_tombstone_it_stays_refused(crew: Crew) -> None:
    theirs = await crew.runs("a1")
    crew.world.ledger.fails.add("task.revoked")
    with pytest.raises(TaskpassError, match="disk is full"):
        await crew.world.lifecycle.revoke(theirs.task, "ana")
    assert "access was revoked" in await crew.refused("a1")


async def test_it_ends_with_its_turn_and_the_last_of_its_processes(crew: Crew) -> None:
    call = await crew.runs("a1")
    await call.use()
    await crew.turn_ends("a1")
    child = crew.entry("a1")
    assert child.state is TaskState.WORKING  # its background process lives
    await call.ends()
    assert child.state is TaskState.ENDED
    assert list(crew.world.engine.book.grants()) == []
    assert child.task.id not in crew.world.engine.desk.runtimes
    assert crew.world.ledger.records[-1]["kind"] == "task.ended"


async def test_one_that_goes_on_after_its_end_is_a_new_task_without_the_old_ones_grants(
    crew: Crew,
) -> None:
    crew.world.policy.answers[Verb.RUN] = ASK
    assert await _approved(crew, "a1")
    first = crew.entry("a1")
    (call,) = crew.world.engine.book.open_calls(first.task.id)
    await crew.world.engine.settle_call(
        crew.world.task, call.call.tool_call.agent_call_id, "failed"
    )
    await crew.turn_ends("a1")
    assert first.state is TaskState.ENDED
    assert await _approved(crew, "a1")  # it is asked about again
    assert crew.entry("a1") is not first


async def test_its_parent_ends_after_it(crew: Crew) -> None:
    await crew.spawns("")
    first = await crew.runs("a1")
    spawning = await crew.spawns("a1")
    below = await crew.runs("b1")
    await crew.world.engine.settle_call(crew.world.task, spawning, "ok")
    await crew.turn_ends("a1")
    await first.ends()
    assert crew.entry("a1").state is TaskState.WORKING  # what it started still works
    await crew.turn_ends("b1")
    await below.ends()
    assert crew.entry("b1").state is TaskState.ENDED
    assert crew.entry("a1").state is TaskState.ENDED


async def test_all_end_with_the_agent(crew: Crew) -> None:
    await (await crew.runs("a1")).use()
    await crew.world.lifecycle.ended(crew.world.task, 0)
    assert crew.entry("a1").ended
    assert list(crew.world.engine.book.grants()) == []
    assert list(crew.world.engine.desk.runtimes) == [crew.world.task]


async def test_the_task_list_tells_who_works(crew: Crew) -> None:
    call = await crew.runs("a1")
    assert crew.world.entry.state is TaskState.WORKING
    await crew.turn_ends("")
    assert crew.world.entry.state is TaskState.WAITING_YOU
    await crew.runs("a2")
    await crew.turn_ends("a1")
    assert crew.world.entry.state is TaskState.WORKING  # the other one does
    await call.ends()
    await crew.turn_ends("a2")
    assert crew.world.entry.state is TaskState.WAITING_YOU
    await crew.turn_ends("never heard of")


# ── frozen ──────────────────────────────────────────────────────────────────────────────


async def test_frozen_alone_and_thawed(crew: Crew) -> None:
    ours, theirs = await crew.runs(""), await crew.runs("a1")
    await crew.world.lifecycle.freeze(theirs.task, "ana")
    with pytest.raises(Revoked, match="This subagent is frozen"):
        await theirs.use()
    await ours.use()
    await crew.world.lifecycle.thaw(theirs.task, "ana")
    await theirs.use()


async def test_frozen_with_its_task_it_has_no_say(crew: Crew) -> None:
    theirs = await crew.runs("a1")
    await crew.world.lifecycle.freeze(crew.world.task, "ana")
    assert crew.entry("a1").state is TaskState.FROZEN
    with pytest.raises(Revoked, match="This task is frozen"):
        await theirs.use()


# ── under the next supervisor ───────────────────────────────────────────────────────────


async def test_what_was_revoked_stays_so_by_its_name_after_a_crash(crew: Crew) -> None:
    await crew.spawns("")
    await crew.runs("a1")
    await crew.spawns("a1")
    await crew.runs("b1")
    await crew.runs("c1")
    await crew.world.lifecycle.revoke(crew.entry("a1").task.id, "ana")
    await crew.world.lifecycle.freeze(crew.entry("c1").task.id, "ana")
    next_one = Crew(World(began=crew.world.began))
    for child in recover(crew.world.ledger, 0.0).children[crew.world.task]:
        next_one.world.engine.children.restore(next_one.world.entry, child)
    assert "access was revoked" in await next_one.refused("a1")
    assert "access was revoked" in await next_one.refused("b1")
    assert "frozen" in await next_one.refused("c1")
    assert next_one.entry("a1").task.id == crew.entry("a1").task.id
    assert next_one.entry("b1").above is next_one.entry("a1")
    await next_one.world.lifecycle.thaw(next_one.entry("c1").task.id, "ana")
    assert (await next_one.announce("c1", a_shell_call())).allow
    assert (await next_one.announce("d1", a_shell_call())).allow
