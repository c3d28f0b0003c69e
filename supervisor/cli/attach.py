"""`taskpass attach` and `taskpass logs`: a running task's terminal, to work in or to read."""

from __future__ import annotations

import argparse
import os
import sys

from supervisor.cli.session import find_task, with_client
from supervisor.client import AsyncClient
from supervisor.client_pane import read_terminal
from supervisor.errors import NotFound, UsageError
from supervisor.protocol.wire import TaskView

_HELP = {
    "attach": "show a running task in this terminal, as `taskpass run` does",
    "logs": "print what a running task's terminal shows, with what has scrolled off",
}


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog=f"taskpass {command}", description=_HELP[command])
    made.add_argument("task", help="number or id of the task")
    if command == "logs":
        made.add_argument("-n", type=int, default=0, metavar="LINES", help="only the last ones")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if command == "logs":
        lines = with_client(lambda client: _logs(client, options.task))
        for line in lines[-options.n :] if options.n > 0 else lines:
            print(line)
        return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("A task is shown in a terminal.", hint="Use `taskpass logs`.")
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError(
            "This terminal is inside a task; a task shows no other one.",
            hint="Use a terminal outside it.",
        )
    task = with_client(lambda client: _with_terminal(client, options.task))
    from supervisor.cli.run import show

    return show(task.id)


async def _logs(client: AsyncClient, name: str) -> list[str]:
    task = await _with_terminal(client, name)
    return await read_terminal(client, task.id)


async def _with_terminal(client: AsyncClient, name: str) -> TaskView:
    """Raises NotFound: it has no terminal, or not any more."""
    task = await find_task(client, name)
    if task.ended:
        raise NotFound(
            f"Task {task.number} has ended, and its terminal with it.",
            hint=f"What it did: `taskpass history {task.number}`.",
        )
    if not task.pane:
        raise NotFound(
            f"Task {task.number} has no terminal: it was started with --headless.",
            hint=f"What it does: `taskpass history {task.number}`.",
        )
    return task
