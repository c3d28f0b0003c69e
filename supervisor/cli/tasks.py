"""`taskpass tasks`, `revoke`, `freeze`, `thaw`, `stop`."""

from __future__ import annotations

import argparse
import sys
import time

from supervisor.cli.session import find_task, with_client
from supervisor.client import AsyncClient
from supervisor.errors import DaemonUnavailable, UsageError
from supervisor.wire import RevokedView, TaskView


def main(command: str, words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog=f"taskpass {command}")
    if command in ("revoke", "freeze", "thaw"):
        parser.add_argument("task", nargs="?", default="", help="number or id of the task")
    if command in ("revoke", "freeze"):
        parser.add_argument("--all", action="store_true", help="every running task")
    if command == "tasks":
        parser.add_argument("--json", action="store_true", help="machine-readable")
    options = parser.parse_args(words)
    if command == "tasks":
        return _tasks(options.json)
    if command == "stop":
        return _stop()
    everything = getattr(options, "all", False)
    if everything == bool(options.task):
        raise UsageError(f"Say which task to {command}.", hint="See `taskpass tasks`.")

    async def act(client: AsyncClient) -> str:
        if command == "revoke":
            if everything:
                return _revoked(await client.revoke_all())
            return _revoked(await client.revoke_task((await find_task(client, options.task)).id))
        if everything:
            await client.freeze_all()
            return "frozen: every running task"
        task = await find_task(client, options.task)
        await (client.freeze_task if command == "freeze" else client.thaw_task)(task.id)
        return f"{'frozen' if command == 'freeze' else 'thawed'}: {task.number} {task.purpose}"

    print(with_client(act))
    return 0


def _tasks(as_json: bool) -> int:
    snapshot = with_client(lambda client: client.snapshot())
    if as_json:
        import msgspec

        sys.stdout.buffer.write(
            msgspec.json.encode({"schema_version": 1, "tasks": snapshot.tasks}) + b"\n"
        )
        return 0
    if not snapshot.tasks:
        print("No tasks. Start one: taskpass run -- claude")
        return 0
    for task in snapshot.tasks:
        print(_line(task, snapshot.now))
    return 0


def _line(task: TaskView, now: float) -> str:
    age = int((task.ended or now) - task.created)
    tier = task.tier if task.tier == "uncontained" else f"tier {task.tier}"
    return (
        f"{task.number:>3}  {task.state:<20} {task.agent:<24} {tier:<12} "
        f"{age // 60:>4}m{age % 60:02d}s  {task.purpose}"
    )


def _revoked(view: RevokedView) -> str:
    pending = f", {view.leases_unconfirmed} not confirmed yet" if view.leases_unconfirmed else ""
    return (
        f"revoked: {_count(len(view.tasks), 'task')}, "
        f"{_count(view.leases_dead, 'lease')} dead{pending}, "
        f"{_count(view.connections_cut, 'connection')} cut, in {view.took_ms:.1f} ms"
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _stop() -> int:
    async def stop() -> None:
        await AsyncClient().stop()

    import asyncio

    try:
        asyncio.run(stop())
    except DaemonUnavailable as error:
        if "not running" not in error.message:
            raise
        print("The supervisor is not running.")
        return 0
    print(f"The supervisor has ended. {time.strftime('%H:%M:%S')}")
    return 0
