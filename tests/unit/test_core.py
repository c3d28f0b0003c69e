"""The way of a call with every port in memory: each stage fails in turn, nothing is released."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest

from supervisor.errors import (
    Denied,
    LedgerFailed,
    NotAttested,
    Revoked,
    TaskpassError,
    TimedOut,
    VaultLocked,
)
from supervisor.grants.recovery import recover
from supervisor.model import (
    Answer,
    Decision,
    Effect,
    Limits,
    Outcome,
    Process,
    Scope,
    TaskState,
    ToolKind,
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
from tests.support.live import until

ALLOW = Decision(Outcome.ALLOW, "ordinary", ("ok",))
ASK = Decision(Outcome.ASK, "sensitive", ("ask-it",))
DENY = Decision(Outcome.DENY, "Not in this house.", ("no",), hint="Use the other door.")
SIBLING = Process(300, 1 << 40)


@pytest.fixture
async def world() -> World:
    return World()


async def _answer(world: World, answer: Answer) -> None:
    (pending,) = world.engine.approvals.all_pending()
    await world.engine.approvals.answer(
        pending.id, answer=answer, scope=Scope.ONCE, by="ana", code=pending.code
    )


async def _asked(world: World) -> None:
    await until(world.engine.approvals.all_pending, "the question")


# ── open, bind, use, settle ─────────────────────────────────────────────────────────────


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


# ── asking ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [Answer.APPROVED, Answer.DENIED])
async def test_a_call_waits_for_the_person(world: World, answer: Answer) -> None:
    world.policy.answers[Verb.RUN] = ASK
    opening = asyncio.create_task(world.open())
    await _asked(world)
    await until(lambda: world.ledger.kinds, "its record")
    assert world.ledger.kinds == ["approval.asked"]
    await _answer(world, answer)
    assert (await opening).allow is (answer is Answer.APPROVED)
    assert "approval.answered" in world.ledger.kinds


async def test_a_ticket_lets_the_identical_call_pass_once(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    held = await world.open(deadline=time.time() + 0.05)
    assert not held.allow
    assert "ticket a-" in held.reason
    await _answer(world, Answer.APPROVED)
    assert not (await world.open("make it other", deadline=time.time() + 0.05)).allow
    assert (await world.open(deadline=time.time() + 0.05)).allow
    assert not (await world.open(deadline=time.time() + 0.05)).allow


async def test_a_use_stands_still_while_it_is_asked_about(world: World) -> None:
    world.policy.answers[Verb.HTTP] = ASK
    handle = await world.handle()
    using = asyncio.create_task(world.use(handle))
    await _asked(world)
    assert world.control.said == [f"freeze {CHILD.pid}"]
    assert world.issuer.minted == []
    await _answer(world, Answer.APPROVED)
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
    await _asked(world)
    world.exits[CHILD]()
    await world.settle_background()
    await _answer(world, Answer.APPROVED)
    with pytest.raises(NotAttested):
        await using
    assert world.issuer.minted == []


async def test_an_answer_that_cannot_be_recorded_approves_nothing(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    world.ledger.fails = {"approval.answered"}
    opening = asyncio.create_task(world.open())
    await _asked(world)
    with pytest.raises(LedgerFailed):
        await _answer(world, Answer.APPROVED)
    assert not (await opening).allow


# ── every stage fails ───────────────────────────────────────────────────────────────────


async def test_no_call_without_its_record(world: World) -> None:
    world.ledger.fails = {"call.opened"}
    call = replace(a_shell_call(), kind=ToolKind.READ)
    assert not (await world.engine.open_call(world.task, call, ROOT)).allow
    assert world.engine.book.open_calls(world.task) == []


async def test_no_shell_command_runs_without_its_record(world: World) -> None:
    world.ledger.fails = {"call.opened"}
    answer = await world.open()
    handle = answer.rewritten["command"].split("\n")[0]
    assert not await world.engine.bind_call(world.task, handle, [CHILD, ROOT])
    assert world.engine.book.open_calls(world.task) == []
    # The next one is told why, until a record succeeds again.
    refused = await world.open()
    assert not refused.allow
    assert "The disk is full." in refused.reason
    world.ledger.fails = set()
    await world.handle()


async def test_a_shell_command_waits_for_its_record(world: World) -> None:
    durable = asyncio.Event()
    world.ledger.during["call.opened"] = durable.wait
    answer = await world.open()
    handle = answer.rewritten["command"].split("\n")[0]
    binding = asyncio.create_task(world.engine.bind_call(world.task, handle, [CHILD, ROOT]))
    await world.settle_background()
    assert not binding.done()
    durable.set()
    assert await binding


async def test_a_call_revoked_while_it_is_recorded_does_not_run(world: World) -> None:
    durable = asyncio.Event()
    world.ledger.during["call.opened"] = durable.wait
    answer = await world.open()
    handle = answer.rewritten["command"].split("\n")[0]
    binding = asyncio.create_task(world.engine.bind_call(world.task, handle, [CHILD, ROOT]))
    await world.settle_background()
    await world.lifecycle.revoke(world.task, "test")
    durable.set()
    assert not await binding


async def test_no_question_without_its_record(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    world.ledger.fails = {"approval.asked"}
    assert not (await world.open()).allow


async def test_a_full_disk_refuses_everything(world: World) -> None:
    handle = await world.handle()
    world.ledger.fails = {"*"}
    with pytest.raises(LedgerFailed):
        await world.use(handle)
    assert not await world.runs()
    assert not (await world.open()).allow
    assert world.issuer.minted == []


async def test_no_credential_without_its_intent(world: World) -> None:
    handle = await world.handle()
    world.ledger.fails = {"use.intent"}
    with pytest.raises(LedgerFailed):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_what_was_minted_is_on_record_before_it_leaves(world: World) -> None:
    world.issuer.revocation = "handle-of-it"
    world.ledger.fails = {"use.minted"}
    handle = await world.handle()
    with pytest.raises(LedgerFailed):
        await world.use(handle)
    world.exits[CHILD]()
    await world.settle_background()
    assert world.issuer.revoked == ["handle-of-it"]


@pytest.mark.parametrize(
    "error", [VaultLocked("The keyring is locked."), Denied("Too wide."), RuntimeError("a bug")]
)
async def test_an_issuer_that_fails(world: World, error: Exception) -> None:
    handle = await world.handle()
    world.issuer.error = error
    with pytest.raises(TaskpassError):
        await world.use(handle)


async def test_a_policy_that_breaks(world: World) -> None:
    handle = await world.handle()
    world.policy.error = RuntimeError("a bug")
    assert not (await world.open()).allow
    with pytest.raises(Denied):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_a_vault_that_breaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = await world.handle()

    def broken(task: str, text: str) -> str:
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.vault, "resolve", broken)
    with pytest.raises(Denied):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_the_process_is_gone_when_its_credential_is_ready(world: World) -> None:
    handle = await world.handle()
    world.issuer.during = world.family.parents.clear
    with pytest.raises(NotAttested):
        await world.use(handle)


async def test_the_call_ends_while_its_credential_is_made(world: World) -> None:
    """What came out of the issuer too late is ended there, not forgotten."""
    world.issuer.revocation = "handle-of-it"
    handle = await world.handle()

    async def end() -> None:
        world.exits[CHILD]()
        await world.settle_background()

    world.issuer.during = end
    with pytest.raises((NotAttested, Revoked)):
        await world.use(handle)
    await world.settle_background()
    assert world.issuer.revoked == ["handle-of-it"]


# ── revoke, freeze ──────────────────────────────────────────────────────────────────────


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
    await _asked(world)
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


# ── after a restart ─────────────────────────────────────────────────────────────────────


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
