"""A command of the person's own under a task: bounded by it, judged first, gone with it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from supervisor.errors import Denied, Revoked
from supervisor.grants.book import TaskEntry, fresh_handle
from supervisor.model import Answer, Decision, Limits, Outcome, Process, Scope, Verb, new_id
from supervisor.protocol.wire import StartTask, TaskChanged
from supervisor.tasks.own_call import bounded, open_own_call, under
from tests.support.core_fakes import HOST, ROOT, STAND_IN, Control, Family, World, a_task, an_effect
from tests.support.live import until

OWN_ROOT = Process(900, 1 << 40)
ASK = Decision(Outcome.ASK, "sensitive", ("ask-it",))
DENY = Decision(Outcome.DENY, "Not in this house.", ("no",), hint="Use the other door.")


class Alone(Family):
    """One process is all there is."""

    def ancestry(self, process: Process) -> list[Process]:
        return [process]


class Command:
    """One under the task of a world, with processes of its own."""

    def __init__(self, world: World) -> None:
        self.world, self.control, self.handle = world, Control(), fresh_handle()
        plain = replace(a_task(), argv=("make", "it"))
        task, _ = bounded(world.engine, world.task, plain)
        self.entry: TaskEntry = world.engine.book.add_child(task, world.entry)
        runtime = world.engine.desk.runtimes[world.task]
        world.engine.desk.runtimes[task.id] = replace(runtime, control=self.control, owner=Alone())

    async def runs(self) -> None:
        await open_own_call(self.world.engine, self.entry, self.handle)
        await self.world.lifecycle.started(self.entry.task.id, OWN_ROOT)

    async def use(self) -> None:
        await self.world.engine.authorize_use(
            self.entry.task.id, self.handle, [OWN_ROOT], an_effect(), [STAND_IN]
        )


@pytest.fixture
async def command() -> Command:
    return Command(World())


async def test_it_is_lent_what_its_task_may_be_for_its_own_processes(command: Command) -> None:
    await command.runs()
    await command.use()
    (grant,) = command.world.engine.book.grants()
    assert (grant.task, grant.resource) == (command.entry.task.id, HOST)
    with pytest.raises(Exception, match="outside the tool call"):
        await command.world.engine.authorize_use(
            command.entry.task.id, command.handle, [ROOT], an_effect(), [STAND_IN]
        )
    opened = command.world.ledger.records[0]
    assert (opened["kind"], opened["tool"], opened["preview"]) == ("call.opened", "call", "make it")
    assert (opened["parent"], opened["top"]) == (command.world.task, command.world.task)


async def test_it_and_the_one_call_of_a_plain_program_are_counted(command: Command) -> None:
    """Beside the event that says so; the screens are told."""
    await command.runs()
    assert command.entry.allowed == 1
    world = World()
    await world.lifecycle.open_process_call(world.entry, fresh_handle())
    assert world.ledger.kinds == ["call.opened"]
    assert world.entry.allowed == 1
    assert [type(event) for event in world.events] == [TaskChanged]


async def test_what_policy_denies_never_begins(command: Command) -> None:
    command.world.policy.answers[Verb.RUN] = DENY
    with pytest.raises(Denied, match="Not in this house"):
        await command.runs()
    assert command.world.ledger.kinds == ["call.denied"]


@pytest.mark.parametrize("answer", [Answer.APPROVED, Answer.DENIED])
async def test_what_asks_waits_for_its_answer(command: Command, answer: Answer) -> None:
    command.world.policy.answers[Verb.RUN] = ASK
    running = asyncio.ensure_future(command.runs())
    queue = command.world.engine.approvals
    await until(queue.all_pending, "the question")
    (request,) = queue.all_pending()
    await queue.answer(request.id, answer=answer, scope=Scope.ONCE, by="ana", code=request.code)
    if answer is Answer.DENIED:
        with pytest.raises(Denied, match="ana denied this"):
            await running
        assert "call.opened" not in command.world.ledger.kinds
    else:
        await running
        assert command.world.ledger.kinds[-1] == "call.opened"


async def test_its_budget_is_its_tasks(command: Command) -> None:
    command.world.entry.task = replace(command.world.entry.task, limits=Limits(max_calls=1))
    await command.runs()
    with pytest.raises(Denied, match="has used its 1 calls"):
        await open_own_call(command.world.engine, Command(command.world).entry, fresh_handle())
    assert not (await command.world.open()).allow


async def test_frozen_and_thawed_with_its_task(command: Command) -> None:
    await command.runs()
    await command.world.lifecycle.freeze(command.world.task, "ana")
    with pytest.raises(Revoked, match="frozen"):
        await command.use()
    await command.world.lifecycle.thaw(command.world.task, "ana")
    await command.use()
    assert command.control.said == ["freeze 0", "thaw 0"]


async def test_revoked_with_its_task(command: Command) -> None:
    await command.runs()
    await command.use()
    view = await command.world.lifecycle.revoke(command.world.task, "ana")
    assert view.leases_dead == 1
    with pytest.raises(Exception, match=r"revoked|does not belong"):
        await command.use()
    await command.world.settle_background()
    assert command.control.said == command.world.control.said == ["kill"]


async def test_revoked_alone_it_leaves_its_task_as_it_is(command: Command) -> None:
    await command.runs()
    await command.world.lifecycle.revoke(command.entry.task.id, "ana")
    await command.world.settle_background()
    assert (command.control.said, command.world.control.said) == (["kill"], [])
    assert (await command.world.open()).allow


async def test_it_ends_with_its_task(command: Command) -> None:
    await command.runs()
    await command.world.lifecycle.ended(command.world.task, 0)
    await command.world.settle_background()
    assert command.control.said == ["kill"]
    assert list(command.world.engine.book.open_calls(command.world.task)) == []


async def test_the_turns_of_the_agent_are_not_its_end(command: Command) -> None:
    await open_own_call(command.world.engine, command.entry, command.handle)
    for subagent in ("", None):
        await command.world.engine.settle_call(
            command.world.task, "", "turn ended", subagent=subagent
        )
    await command.world.lifecycle.started(command.entry.task.id, OWN_ROOT)
    await command.use()


async def test_under_what_it_can_be_called(command: Command) -> None:
    world = command.world
    request = StartTask(argv=("make",), cwd="/elsewhere", environ={}, under=world.task)
    assert under(world.engine.book, request).cwd == "/work"  # a task's workspace is its all
    below = replace(world.entry.task, id=new_id("t"), subagent="a1")
    child = world.engine.book.add_child(below, world.entry)
    with pytest.raises(Denied, match="no processes of its own"):
        under(world.engine.book, StartTask(argv=(), cwd="/", environ={}, under=child.task.id))
    world.entry.task = replace(world.entry.task, overlay=True)
    with pytest.raises(Denied, match="works on an overlay"):
        under(world.engine.book, request)
    world.engine.book.raise_epoch(world.task)
    with pytest.raises(Revoked):
        under(world.engine.book, request)
