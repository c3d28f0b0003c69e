"""`taskpass unlock`: the passphrase, from a prompt or stdin; never from argv or the environment."""

from __future__ import annotations

import argparse
import getpass
import sys

from supervisor.cli.setup_session import with_setup
from supervisor.client_setup import SetupClient
from supervisor.errors import UsageError, VaultLocked


def parser(command: str) -> argparse.ArgumentParser:
    return argparse.ArgumentParser(
        prog="taskpass unlock",
        description="Give the passphrase that secrets are locked by. The supervisor keeps it in "
        "memory until it ends.",
    )


def main(command: str, words: list[str]) -> int:
    parser(command).parse_args(words)

    async def act(client: SetupClient) -> str:
        view = await client.vault()
        if not view.locked:
            return "Nothing is locked."
        await client.unlock(read_passphrase("Passphrase (not shown): "))
        return "unlocked"

    print(with_setup(act))
    return 0


def unlock_here(refusal: VaultLocked) -> None:
    """Ask for the passphrase, where that is what `refusal` is about; else raise it."""

    async def act(client: SetupClient) -> None:
        if not (await client.vault()).locked:
            raise refusal
        await client.unlock(read_passphrase("Passphrase of the secrets (not shown): "))

    with_setup(act)


def read_passphrase(prompt: str, *, again: bool = False) -> str:
    """From a terminal, or the first line of stdin.

    Args:
        again: ask a second time, where it is a new one.

    Raises:
        UsageError: it is empty, or the second is not the first.
    """
    if not sys.stdin.isatty():
        passphrase = sys.stdin.readline().rstrip("\n")
    else:
        passphrase = getpass.getpass(prompt)
        if again and getpass.getpass("Again: ") != passphrase:
            raise UsageError("The two are not the same; nothing was changed.")
    if not passphrase:
        raise UsageError("The passphrase is empty; nothing was changed.")
    return passphrase
