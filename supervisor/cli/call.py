"""`taskpass call -- COMMAND`: one command of the person's own, with what a running task may."""

from __future__ import annotations

import argparse
import os

from supervisor import places
from supervisor.cli.session import find_task, with_client
from supervisor.client import AsyncClient
from supervisor.errors import NotFound, UsageError
from supervisor.protocol.wire import TaskView


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass call",
        description="Run one command under a running task: judged by its policy, recorded, bound "
        "to the command's own processes, with credentials for this call alone. What an agent runs "
        "for you by `!command` is announced by nobody, and lent nothing. The command has no "
        "terminal for its input; its exit code is ours.",
    )
    made.add_argument(
        "--task", default="", help="number or id; by default the one that works in this project"
    )
    made.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND …")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise UsageError("There is no command to run.", hint="Say `taskpass call -- gh pr list`.")
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError(
            "This terminal is inside a task: what is typed here is the task's.",
            hint="Use a terminal outside it.",
        )
    cwd = os.getcwd()
    task = with_client(lambda client: _meant(client, options.task, os.path.realpath(cwd)))
    from supervisor.cli.headless import run_headless

    request: dict[str, object] = {
        "argv": argv,
        "cwd": cwd,
        "environ": places.environment(),
        "umask": places.umask(),
        "interactive": False,
        "under": task.id,
    }
    return run_headless(request, paired=True)


async def _meant(client: AsyncClient, name: str, cwd: str) -> TaskView:
    """The task that is named, or the only running one whose workspace holds `cwd`."""
    if name:
        return await find_task(client, name)
    running = [t for t in (await client.snapshot()).tasks if not (t.ended or t.path)]
    found = [task for task in running if _holds(task.repository or task.cwd, cwd)]
    if not found:
        raise NotFound("No running task works here.", hint="Name one: --task. See `taskpass ps`.")
    if len(found) > 1:
        numbers = ", ".join(task.called for task in found)
        raise UsageError(f"Tasks {numbers} all work here.", hint="Name one: --task.")
    return found[0]


def _holds(workspace: str, path: str) -> bool:
    place = os.path.realpath(workspace)
    return os.path.commonpath([place, path]) == place
