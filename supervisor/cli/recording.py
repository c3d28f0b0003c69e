"""`taskpass recording`: what terminals showed, where a person asked to keep it."""

from __future__ import annotations

import argparse
import contextlib
import time
from pathlib import Path

from supervisor.cli.session import find_task, print_json, with_client
from supervisor.client import AsyncClient
from supervisor.client_export import save_parts
from supervisor.errors import NotFound, UsageError
from supervisor.protocol.recording import RecordingView

_NONE = "Nothing was recorded. Start a task with: taskpass run --record -- claude"


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass recording",
        description="What terminals showed, kept sealed by `taskpass run --record`. The workspace "
        "plays it: history, then p.",
    )
    made.add_argument("task", nargs="?", default="", help="number or id")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--cast", metavar="FILE", help="write it in clear as asciicast v2")
    what.add_argument("--remove", action="store_true", help="forget it")
    made.add_argument("--json", action="store_true", help="machine-readable")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if (options.cast or options.remove) and not options.task:
        raise UsageError("Which task's?", hint="`taskpass recording` lists them.")

    async def work(client: AsyncClient) -> list[RecordingView] | Path | None:
        if not (options.cast or options.remove):
            task = await _task(client, options.task) if options.task else ""
            return [each for each in await client.recordings() if not task or each.task == task]
        task = await _task(client, options.task)
        if options.remove:
            await client.remove_recording(task)
            return None
        return await save_parts(client.cast(task), options.cast)

    done = with_client(work)
    if isinstance(done, Path):
        print(f"{done}: readable by whoever has it; play it with asciinema.")
        return 0
    if done is None:
        print("Removed.")
        return 0
    if options.json:
        for each in done:
            print_json(each)
        return 0
    if not done:
        print(_NONE if not options.task else f"Nothing of task {options.task} was recorded.")
    for each in done:
        print(_line(each))
    return 0


async def _task(client: AsyncClient, name: str) -> str:
    # A task of an earlier supervisor is known by its id alone.
    with contextlib.suppress(NotFound):
        return (await find_task(client, name)).id
    return name


def _line(view: RecordingView) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(view.began))
    seconds = int(view.ended - view.began)
    state = view.problem or (
        "recording" if view.running else "whole" if view.whole else "stops without its end"
    )
    return (
        f"{view.task:<13} {at}  {seconds // 60:>4}:{seconds % 60:02} min "
        f"{view.size / 1024:>8.0f} KB  {state}"
    )
