"""`taskpass revoke`, `freeze`, `resume`, `stop`."""

from __future__ import annotations

import argparse
import time

from supervisor.cli.session import find_task, print_json, with_client
from supervisor.client import AsyncClient
from supervisor.errors import DaemonUnavailable, UsageError
from supervisor.protocol.wire import RevokedView

_HELP = {
    "revoke": "take a task's access away, now",
    "freeze": "stop a task's processes until it is resumed",
    "resume": "let a frozen task go on",
    "stop": "end the supervisor",
}


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"taskpass {command}", description=_HELP[command])
    if command != "stop":
        made.add_argument("task", nargs="?", default="", help="number or id of the task")
    if command in ("revoke", "freeze"):
        made.add_argument("--all", action="store_true", help="every running task")
    if command == "revoke":
        made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if command == "stop":
        return _stop()
    everything = getattr(options, "all", False)
    if everything == bool(options.task):
        raise UsageError(f"Say which task to {command}.", hint="See `taskpass ps`.")
    if command == "revoke":
        view = with_client(lambda client: _revoke(client, options.task))
        if options.json:
            print_json(view)
        else:
            print(_revoked(view))
    else:
        print(with_client(lambda client: _hold(client, command, options.task)))
    return 0


async def _revoke(client: AsyncClient, task: str) -> RevokedView:
    """One task, or all where none is named."""
    if not task:
        return await client.revoke_all()
    return await client.revoke_task((await find_task(client, task)).id)


async def _hold(client: AsyncClient, command: str, name: str) -> str:
    if not name:
        await client.freeze_all()
        return "frozen: every running task"
    task = await find_task(client, name)
    await (client.freeze_task if command == "freeze" else client.thaw_task)(task.id)
    return f"{'frozen' if command == 'freeze' else 'resumed'}: {task.called} {task.purpose}"


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
