"""Refused connections: whose they are, what is asked about them, and what an answer is good for."""

from __future__ import annotations

import asyncio

import pytest

from supervisor.errors import Denied, Revoked
from supervisor.model import Answer, Decision, Effect, Outcome, Process, Scope, Verb
from supervisor.ports import Attempt
from tests.support.core_fakes import CHILD, ROOT, World
from tests.support.live import until

ASK = Decision(Outcome.ASK, "cannot be seen", ("ask-it",))
DENY = Decision(Outcome.DENY, "Not in this house.", ("no",), hint="Use the other door.")
CONNECT = Effect(Verb.CONNECT, "db.example:5432", {"port": 5432})
ATTEMPT = Attempt("tcp", "198.18.0.9", 5432, "db.example")
GRANDCHILD = Process(201, 1 << 40)


@pytest.fixture
async def world() -> World:
    made = World()
    made.family.parents[GRANDCHILD] = CHILD
    return made


async def answer(world: World, answer: Answer, scope: Scope = Scope.ONCE) -> None:
    await until(world.engine.approvals.all_pending, "the question")
    (pending,) = world.engine.approvals.all_pending()
    await world.engine.approvals.answer(
        pending.id, answer=answer, scope=scope, by="ana", code=pending.code
    )


async def connect(world: World, handle: str) -> None:
    await world.engine.authorize_use(world.task, handle, [CHILD, ROOT], CONNECT, [])


async def test_a_connection_belongs_to_the_call_whose_processes_made_it(world: World) -> None:
    handle = await world.handle()
    egress = world.engine.egress
    assert egress.handle_of(world.task, [CHILD, ROOT]) == handle
    assert egress.handle_of(world.task, [GRANDCHILD, CHILD, ROOT]) == handle
    assert egress.handle_of(world.task, [Process(300, 1 << 40), ROOT]) == ""
    assert egress.handle_of(world.task, []) == ""
    assert egress.handle_of(world.task, [CHILD]) == ""
    assert egress.handle_of(world.task, [ROOT]) == f"agent:{world.task}"


async def test_a_refusal_names_its_call_only_without_doubt(world: World) -> None:
    await world.open()
    await world.engine.egress.refused(world.task, ATTEMPT, 3)
    await world.open("another")
    await world.engine.egress.refused(world.task, ATTEMPT)
    one, two = [r for r in world.ledger.records if r["kind"] == "egress.refused"]
    assert (one["protocol"], one["name"], one["port"], one["times"]) == (
        "tcp", "db.example", 5432, 3,
    )  # fmt: skip
    assert one["call"]
    assert two["call"] == ""


async def test_a_full_disk_refuses_all_the_same(world: World) -> None:
    world.ledger.fails.add("egress.refused")
    await world.engine.egress.refused(world.task, ATTEMPT)


async def test_the_agent_hears_of_it_once_and_after_its_processes_have_gone(world: World) -> None:
    await world.handle()
    (call,) = world.engine.book.open_calls(world.task)
    agents_id = call.call.tool_call.agent_call_id
    for _ in range(3):
        await world.engine.egress.refused(world.task, ATTEMPT)
    world.exits[CHILD]()
    await world.settle_background()
    assert world.engine.book.open_calls(world.task) == []
    heard = world.engine.aside(world.task, agents_id)
    assert heard.count("db.example port 5432") == 1
    assert world.engine.aside(world.task, agents_id) == ""


async def test_a_scan_cannot_flood_what_the_agent_hears(world: World) -> None:
    await world.open()
    (call,) = world.engine.book.open_calls(world.task)
    for port in range(1, 1000):
        await world.engine.egress.refused(world.task, Attempt("tcp", "203.0.113.1", port))
    heard = world.engine.aside(world.task, call.call.tool_call.agent_call_id)
    assert len(heard.splitlines()) == 5


async def test_the_agents_own_process_reaches_what_was_listed_and_nobody_is_asked(
    world: World,
) -> None:
    egress = world.engine.egress
    release = await egress.own_connection(world.task, [ROOT], CONNECT)
    assert release is not None
    assert world.ledger.records[-1]["kind"] == "use.allowed"
    assert await egress.own_connection(world.task, [CHILD, ROOT], CONNECT) is None
    for answer_of_policy in (ASK, DENY):
        world.policy.answers[Verb.CONNECT] = answer_of_policy
        with pytest.raises(Denied):
            await egress.own_connection(world.task, [ROOT], CONNECT)
        assert world.ledger.records[-1]["kind"] == "use.denied"
    await world.lifecycle.revoke(world.task, "ana")
    with pytest.raises(Revoked):
        await egress.own_connection(world.task, [ROOT], CONNECT)


async def test_the_words_of_a_refused_request_reach_the_agent(world: World) -> None:
    handle = await world.handle()
    (call,) = world.engine.book.open_calls(world.task)
    world.policy.answers[Verb.HTTP] = DENY
    with pytest.raises(Denied):
        await world.use(handle)
    heard = world.engine.aside(world.task, call.call.tool_call.agent_call_id)
    assert "GET api.example/me" in heard
    assert "Not in this house." in heard
    assert "Use the other door." in heard


async def test_policy_alone_can_open_or_deny(world: World) -> None:
    await world.open()
    assert await world.engine.egress.opens(world.task, CONNECT)
    world.policy.answers[Verb.CONNECT] = DENY
    other = Effect(Verb.CONNECT, "other.example:22", {"port": 22})
    assert not await world.engine.egress.opens(world.task, other)
    assert world.ledger.records[-1]["kind"] == "use.denied"
    assert "approval.asked" not in world.ledger.kinds


async def test_an_approval_for_once_is_for_the_next_attempt_of_any_call(world: World) -> None:
    world.policy.answers[Verb.CONNECT] = ASK
    await world.open()
    opening = asyncio.create_task(world.engine.egress.opens(world.task, CONNECT))
    await answer(world, Answer.APPROVED)
    assert await opening
    (call,) = world.engine.book.open_calls(world.task)
    await world.engine.settle_call(world.task, call.call.tool_call.agent_call_id, "failed")
    await connect(world, await world.handle())
    assert world.ledger.kinds.count("approval.asked") == 1

    again = asyncio.create_task(
        connect(world, world.engine.egress.handle_of(world.task, [CHILD, ROOT]))
    )
    await answer(world, Answer.DENIED)  # once was once
    with pytest.raises(Denied):
        await again


async def test_an_approval_for_the_task_is_for_all_attempts(world: World) -> None:
    world.policy.answers[Verb.CONNECT] = ASK
    handle = await world.handle()
    opening = asyncio.create_task(world.engine.egress.opens(world.task, CONNECT))
    await answer(world, Answer.APPROVED, Scope.TASK)
    assert await opening
    for _ in range(3):
        await connect(world, handle)
    assert world.ledger.kinds.count("approval.asked") == 1


async def test_what_was_approved_with_its_command_is_not_asked_again(world: World) -> None:
    world.policy.answers[Verb.CONNECT] = ASK
    command = "nc db.example 5432"
    opening = asyncio.create_task(world.open(command))
    await answer(world, Answer.APPROVED)
    allowed = await opening
    assert allowed.allow
    handle = str(allowed.rewritten["command"].split("\n")[0])
    assert await world.engine.bind_call(world.task, handle, [CHILD, ROOT])
    await connect(world, handle)
    assert world.ledger.kinds.count("approval.asked") == 1
    assert world.ledger.records[-1]["kind"] == "use.allowed"

    other = Effect(Verb.CONNECT, "db.example:22", {"port": 22})
    asking = asyncio.create_task(
        world.engine.authorize_use(world.task, handle, [CHILD, ROOT], other, [])
    )
    await answer(world, Answer.DENIED)
    with pytest.raises(Denied):
        await asking
    machine = Effect(Verb.CONNECT, "db.example:5432", {"port": 5432, "unlisted": True})
    asking = asyncio.create_task(
        world.engine.authorize_use(world.task, handle, [CHILD, ROOT], machine, [])
    )
    await answer(world, Answer.DENIED)
    with pytest.raises(Denied):
        await asking


async def test_an_attempt_made_while_a_person_is_asked_waits_for_the_same_answer(
    world: World,
) -> None:
    world.policy.answers[Verb.CONNECT] = ASK
    handle = await world.handle()
    asking: list[bool] = []
    opening = asyncio.create_task(
        world.engine.egress.opens(world.task, CONNECT, lambda: asking.append(True))
    )
    await until(lambda: asking, "the question")
    attempt = asyncio.create_task(connect(world, handle))
    await until(lambda: "freeze 200" in world.control.said, "the attempt to wait")
    await answer(world, Answer.APPROVED)
    await attempt
    assert await opening
    assert world.ledger.kinds.count("approval.asked") == 1


async def test_a_target_is_asked_about_once_and_only_so_many(world: World) -> None:
    world.policy.answers[Verb.CONNECT] = DENY
    await world.open()
    for port in range(100):
        effect = Effect(Verb.CONNECT, f"db.example:{port}", {"port": port})
        assert not await world.engine.egress.opens(world.task, effect)
        assert not await world.engine.egress.opens(world.task, effect)
    assert world.ledger.kinds.count("use.denied") == 12


async def test_nobody_is_asked_when_it_is_unclear_for_which_call(world: World) -> None:
    world.policy.answers[Verb.CONNECT] = ASK
    assert not await world.engine.egress.opens(world.task, CONNECT)
    await world.open()
    await world.open("another")
    assert not await world.engine.egress.opens(world.task, CONNECT)
    assert "approval.asked" not in world.ledger.kinds


async def test_revoking_answers_what_was_asked(world: World) -> None:
    world.policy.answers[Verb.CONNECT] = ASK
    await world.open()
    opening = asyncio.create_task(world.engine.egress.opens(world.task, CONNECT))
    await until(world.engine.approvals.all_pending, "the question")
    await world.lifecycle.revoke(world.task, "ana")
    assert not await opening
