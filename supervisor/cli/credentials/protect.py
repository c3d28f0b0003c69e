"""`taskpass credential protect`: where secrets are kept from now on; those there are move."""

from __future__ import annotations

import argparse

from supervisor.cli.credentials import machine
from supervisor.cli.setup_session import with_setup
from supervisor.cli.unlock import read_passphrase
from supervisor.client_setup import SetupClient
from supervisor.protocol.vault import VaultView


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="taskpass credential protect")
    made.add_argument(
        "place",
        nargs="?",
        choices=("keyring", "passphrase", "file-key"),
        help="keyring: the desktop's; passphrase: a file that it encrypts, asked for after each "
        "start; file-key: a file with its key beside it, which keeps out no process of yours",
    )
    machine.option(made)
    return made


def main(words: list[str]) -> int:
    options = parser().parse_args(words)

    async def act(client: SetupClient) -> VaultView:
        view = await client.vault()
        if options.place is None:
            return view
        passphrase = ""
        if options.place == "passphrase" and (view.locked or view.protection != "passphrase"):
            passphrase = read_passphrase("Passphrase (not shown): ", again=not view.locked)
        if view.locked:
            await client.unlock(passphrase or read_passphrase("Passphrase so far (not shown): "))
        return await client.protect(options.place, passphrase)

    view = with_setup(act)
    if options.json:
        machine.say(vault=view)
    elif options.place is None:
        there = "a system keyring answers" if view.keyring else "no system keyring answers"
        print(f"Secrets are kept by: {view.protection or 'locked'}; {there}.")
    else:
        moved = ", ".join(view.moved) or "nothing"
        print(f"kept by {options.place} from now on; moved: {moved}")
    return 0
