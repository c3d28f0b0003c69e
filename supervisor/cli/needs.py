"""`taskpass needs`: what a project says its tasks need, accepted once."""

from __future__ import annotations

import argparse
import os
import secrets
import sys

from supervisor.cli.approvals import CODE
from supervisor.cli.setup_session import with_setup
from supervisor.client_setup import SetupClient
from supervisor.errors import UsageError
from supervisor.protocol.setup import NeedsView

_FILES = ("taskpass.toml", "keycard.toml")
_DENIED = 3


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog=f"taskpass {command}",
        description="What the project around this directory says its tasks need, in [[needs]] of "
        "taskpass.toml or in keycard.toml. Accepted, it may be used without a question, and a "
        "credential is released for nothing else without one.",
    )
    made.add_argument("verb", nargs="?", choices=("show", "accept", "withdraw"), default="show")
    made.add_argument("--json", action="store_true", help="with show: machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    """Exit codes: 0, 3 when what was shown is not accepted."""
    options = parser(command).parse_args(words)
    cwd = os.getcwd()
    if options.verb == "withdraw":
        with_setup(lambda client: client.withdraw_needs(cwd))
        print("withdrawn, for tasks that start from now on")
        return 0
    view = with_setup(lambda client: client.needs(cwd))
    if options.verb == "accept":
        return _accept(view)
    if options.json:
        import msgspec

        sys.stdout.buffer.write(msgspec.json.encode({"schema_version": 1, "needs": view}) + b"\n")
        return 0
    for line in _shown(view):
        print(line)
    return 0


def ask_before_run(cwd: str) -> None:
    """Show what the project proposes, if it was never answered, and take the answer."""
    if not _asks_for_something(cwd):
        return
    view = with_setup(lambda client: client.needs(cwd))
    if view.state == "waiting":
        _ask(view)


def _asks_for_something(cwd: str) -> bool:
    """Whether a file that may propose something lies here or above: no supervisor is asked."""
    folder = cwd
    while True:
        if any(os.path.lexists(os.path.join(folder, name)) for name in _FILES):
            return True
        above = os.path.dirname(folder)
        if above == folder:
            return False
        folder = above


def _accept(view: NeedsView) -> int:
    if not sys.stdin.isatty():
        raise UsageError("Needs are accepted in a terminal; there is none here.")
    if not view.needs or view.state == "accepted":
        print("\n".join(_shown(view)))
        return 0
    return 0 if _ask(view) else _DENIED


def _ask(view: NeedsView) -> bool:
    print("\n".join(_shown(view)))
    code = "".join(secrets.choice(CODE) for _ in range(2))
    try:
        typed = input(
            f"\nType {code} to accept this for tasks here, anything else to leave it out: "
        )
    except EOFError:
        typed = ""
    accept = typed.strip().upper() == code

    async def answer(client: SetupClient) -> None:
        if accept:
            await client.pair()
        await client.answer_needs(view, accept=accept)

    with_setup(answer)
    print("accepted" if accept else "left out; `taskpass needs accept` asks again")
    return accept


def _shown(view: NeedsView) -> list[str]:
    """Lines of text that came with a repository: nothing in them moves the cursor."""
    if not view.needs:
        return [f"The project in {view.workspace} says nothing about what it needs."]
    state = {"waiting": "waits for you", "refused": "left out"}.get(view.state, view.state)
    lines = [f"The project in {view.workspace} says that its tasks need this ({state}):"]
    return [*lines, *(f"  {_plain(need)}" for need in view.needs)]


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else "·" for c in text)
