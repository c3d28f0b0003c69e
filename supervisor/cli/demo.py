"""`taskpass demo`: the whole idea, in the workspace or, without a terminal, as text."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from supervisor import places
from supervisor.demo.install import DemoInstall, demo_install

if TYPE_CHECKING:
    from supervisor.client import AsyncClient

_TEXT_TIMEOUT = 30.0  # seconds a question waits for the scripted answer
_SCREEN_TIMEOUT = 300.0
_CALL_AGE = 20.0  # seconds of the second task's call, long enough to watch its countdown

_ROUNDS = 30  # calls of the second task: there is one to look at for as long as a demo lasts


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass demo", description="See the whole idea, without an account or a network."
    )
    made.add_argument("--text", action="store_true", help="print the story, also in a terminal")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    if options.text or not (sys.stdin.isatty() and sys.stdout.isatty()):
        with demo_install(_TEXT_TIMEOUT) as install:
            _tell(install)
        return 0
    with demo_install(_SCREEN_TIMEOUT) as install:
        return _show(install)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)  # by way of the clean-up


def _tell(install: DemoInstall) -> None:
    from supervisor.client import AsyncClient
    from supervisor.demo.person import scripted_person
    from supervisor.demo.story import Story

    async def tell() -> None:
        client = AsyncClient()
        try:
            await Story(install, client, lambda line: print(line, flush=True)).tell()
        finally:
            await client.close()

    with scripted_person():
        asyncio.run(tell())


def _show(install: DemoInstall) -> int:
    from supervisor.cli.session import with_client
    from supervisor.client_setup import SetupClient
    from supervisor.protocol.wire import StartTask
    from tui import settings
    from tui.app import TaskpassApp

    size = os.get_terminal_size()

    async def start(client: AsyncClient) -> None:
        for words, purpose, age in (
            (("answer",), "answer ticket 7", 0.0),
            (("--times", str(_ROUNDS), "watch"), "watch build 12", _CALL_AGE),
        ):
            await client.start_task(
                StartTask(
                    argv=(install.agent, *words),
                    cwd=str(install.project),
                    environ=dict(os.environ),
                    purpose=purpose,
                    cols=size.columns,
                    rows=size.lines,
                    max_call_age=age,
                    umask=places.umask(),
                )
            )

    with_client(start)
    TaskpassApp(SetupClient(), shape="workspace", settings=settings.load()).run()
    print(with_client(_recap))
    return 0


async def _recap(client: AsyncClient) -> str:
    tasks = (await client.snapshot()).tasks
    verified = await client.verify()
    told = [
        f"task {task.number} {task.purpose}: {task.allowed} allowed, {task.asked} asked, "
        f"{task.denied} denied, now {task.state}"
        for task in tasks
    ]
    told.append(f"history: {verified.records} records, {verified.message}")
    told.append("The demo's install is removed. With a real agent: taskpass run -- claude")
    return "\n".join(told)
