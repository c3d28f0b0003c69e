"""`taskpass ps` and `taskpass wait`."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence

from supervisor.cli.session import find_task, print_json, with_client
from supervisor.client import AsyncClient
from supervisor.errors import TaskpassError, TimedOut
from supervisor.model import LeaseState, TaskState
from supervisor.protocol.wire import Snapshot, TaskChanged, TaskView

# "waiting for approval" is one word for a shell
_STATES = {state.value.replace(" for ", "-").replace(" ", "-"): state for state in TaskState}
_GONE = (TaskState.ENDED, TaskState.REVOKED, TaskState.LOST)


def parser(command: str) -> argparse.ArgumentParser:
    if command == "ps":
        made = argparse.ArgumentParser(
            prog="taskpass ps", description="The running tasks, and those that have just ended."
        )
    else:
        made = argparse.ArgumentParser(
            prog="taskpass wait",
            description="Wait until a task is in a state. Exit code: 0 it is, 1 it ended without "
            "having been, 4 the time is over.",
        )
        made.add_argument("task", help="number or id of the task")
        made.add_argument(
            "--until",
            default="ended",
            metavar="STATE[,STATE…]",
            help=f"one of {', '.join(_STATES)} (default: ended)",
        )
        made.add_argument(
            "--timeout", type=float, default=None, metavar="SECONDS", help="wait no longer"
        )
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    made = parser(command)
    options = made.parse_args(words)
    if command == "ps":
        return _ps(options.json)
    wanted = options.until.split(",")
    for name in wanted:
        if name not in _STATES:
            made.error(f"there is no state {name!r}; there are {', '.join(_STATES)}")
    return _wait(options, frozenset(_STATES[name] for name in wanted))


def _ps(as_json: bool) -> int:
    snapshot = with_client(lambda client: client.snapshot())
    if as_json:
        body = {"schema_version": 1, "tasks": snapshot.tasks, "unconfirmed": snapshot.owed}
        print_json(body)
        return 0
    if not snapshot.tasks:
        print("No tasks. Start one: taskpass run -- claude")
    for task, depth in _tree(snapshot.tasks):
        print(_line(task, snapshot.now, depth))
    # What just expires, as it was meant to, is listed by `taskpass credential live`.
    if lost := [owed for owed in snapshot.owed if owed.state != LeaseState.EXPIRING]:
        from supervisor.cli.credentials.live import unconfirmed

        print("\nNot confirmed dead:")
        for owed in lost:
            print(f"  {unconfirmed(snapshot, owed)}")
    return 0


def _tree(tasks: Sequence[TaskView]) -> Iterator[tuple[TaskView, int]]:
    """Each task, then those of its subagents; and how deep it is."""
    known = {task.id for task in tasks}

    def below(parent: str, depth: int) -> Iterator[tuple[TaskView, int]]:
        for task in tasks:
            if (task.parent if task.path and task.parent in known else "") == parent:
                yield task, depth
                yield from below(task.id, depth + 1)

    return below("", 0)


def _line(task: TaskView, now: float, depth: int) -> str:
    age = int((task.ended or now) - task.created)
    tier = task.tier if task.tier == "uncontained" else f"tier {task.tier}"
    # A subagent works by the same program in the same place: what it is called tells more.
    agent = "subagent" if task.subagent else task.agent
    agent = f"{'  ' * (depth - 1)}└ {agent}" if depth else agent
    return (
        f"{task.called:>3}  {task.state:<20} {agent:<24} {tier:<12} "
        f"{age // 60:>4}m{age % 60:02d}s  {task.purpose}"
    )


def _wait(options: argparse.Namespace, wanted: frozenset[TaskState]) -> int:
    async def work(client: AsyncClient) -> TaskView:
        task = (await find_task(client, options.task)).id
        try:
            async with asyncio.timeout(options.timeout):
                return await _reached(client, task, wanted)
        except TimeoutError:
            raise TimedOut(
                f"Task {options.task} is not {options.until} after {options.timeout:g} s.",
                hint="See `taskpass ps`.",
            ) from None

    task = with_client(work)
    reached = TaskState(task.state) in wanted
    if options.json:
        print_json({"schema_version": 1, "task": task})
    elif reached:
        print(f"task {task.called}: {task.state}")
    else:
        print(f"taskpass: task {task.called} is {task.state}.", file=sys.stderr)
    return 0 if reached else 1


async def _reached(client: AsyncClient, task: str, wanted: frozenset[TaskState]) -> TaskView:
    """The task once it is in one of the states, or can come to none of them any more."""
    async for event in client.events():
        seen: tuple[TaskView, ...] = ()
        if isinstance(event, Snapshot):
            seen = event.tasks
        elif isinstance(event, TaskChanged):
            seen = (event.task,)
        for view in seen:
            if view.id == task and TaskState(view.state) in wanted.union(_GONE):
                return view
    raise TaskpassError("The supervisor told no more.")  # its stream ends with an error instead
