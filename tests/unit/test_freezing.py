"""Freezing every task at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from supervisor.errors import LaunchFailed
from supervisor.model import Process, TaskState
from tests.support.core_fakes import Control, World, a_task


@dataclass
class Slow(Control):
    """A holder that does not come to stop anything before it is let."""

    let: asyncio.Event = field(default_factory=asyncio.Event)

    async def freeze(self, tree: Process | None = None) -> None:
        await self.let.wait()
        await super().freeze(tree)


def add(world: World, name: str, control: Control) -> None:
    world.engine.book.add_task(replace(a_task(), id=name))
    runtime = world.engine.desk.runtimes[world.task]
    world.engine.desk.runtimes[name] = replace(runtime, control=control)


async def test_all_are_refused_before_the_first_one_stands_still() -> None:
    slow, other = Slow(), Control()
    world = World(control=slow)
    add(world, "t-2", other)
    freezing = asyncio.ensure_future(world.lifecycle.freeze_all("ana"))
    await world.settle_background()
    assert {entry.state for entry in world.engine.book.tasks()} == {TaskState.FROZEN}
    assert other.said == ["freeze 0"], "it does not wait for the slow one"
    assert not freezing.done()
    slow.let.set()
    await freezing
    assert slow.said == ["freeze 0"]
    kinds = [record["kind"] for record in world.ledger.latest(10)]
    assert kinds.count("task.frozen") == 2


async def test_one_that_cannot_be_stopped_keeps_no_other_from_it() -> None:
    broken, fine = Control(gone=True), Control()
    world = World(control=broken)
    add(world, "t-2", fine)
    with pytest.raises(LaunchFailed, match="holder is gone"):
        await world.lifecycle.freeze_all("ana")
    assert fine.said == ["freeze 0"]
    assert {entry.state for entry in world.engine.book.tasks()} == {TaskState.FROZEN}


async def test_a_task_of_which_nothing_runs_yet_is_refused() -> None:
    world = World()
    world.engine.book.add_task(replace(a_task(), id="t-2"))  # its launch goes on
    await world.lifecycle.freeze_all("ana")
    assert world.engine.book.task("t-2").state is TaskState.FROZEN


async def test_what_is_left_of_the_tree_is_told_before_issuers_have_answered() -> None:
    world = World()
    assert world.entry.tree_left is None
    await world.lifecycle.revoke(world.task, "ana")
    await world.settle_background()
    assert world.entry.tree_left == 0
