"""`taskpass credential remove`: says what is live of it, ends that, then forgets the secret."""

from __future__ import annotations

import argparse
import time

from supervisor.cli.credentials import machine
from supervisor.cli.credentials.ended import in_words
from supervisor.cli.session import with_client
from supervisor.client import AsyncClient
from supervisor.protocol.credentials import EndedLeases
from supervisor.vault.standing import FILE


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="taskpass credential remove")
    made.add_argument("name")
    made.add_argument(
        "--force", action="store_true", help="also when the sign-in behind it cannot be ended"
    )
    machine.option(made)
    return made


def main(words: list[str]) -> int:
    options = parser().parse_args(words)

    async def act(client: AsyncClient) -> EndedLeases:
        if not options.json:
            await _show_live(client, options.name)
        return await client.remove_credential(options.name, force=options.force)

    ended = with_client(act)
    if options.json:
        machine.say(removed=options.name, ended=ended)
    else:
        print(f"removed: {options.name}{in_words(ended)}")
    return 0


async def _show_live(client: AsyncClient, name: str) -> None:
    snapshot = await client.snapshot()
    grants = {grant.id: grant for grant in snapshot.grants if grant.credential == name}
    numbers = {task.id: task.number for task in snapshot.tasks}
    for lease in snapshot.leases:
        if grant := grants.get(lease.grant):
            opened = time.strftime("%H:%M:%S", time.localtime(lease.opened))
            task = numbers.get(lease.task, lease.task)
            print(f"live: task {task} at {grant.resource}, since {opened}, {lease.uses} uses")
    for view in await client.credentials():
        if view.name == name and FILE in view.options:
            print(
                f"note: {view.options[FILE]} holds its stand-in, which is worth nothing from now "
                "on; taskpass undo puts the file back as it was (see taskpass undo --list)."
            )
