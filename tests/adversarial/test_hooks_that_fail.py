"""Hooks of the real agents that get no answer, a wrong one, or are ended: the call does not happen,
or it happens without a credential.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.benched import set_up
from tests.support.bypasses import ends_without_a_credential, use
from tests.support.every_agent import WAYS, agents, marks
from tests.support.hooked import Hooked, hooked
from tests.support.live import ApiServer, Install
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import supervise

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def says(status: str, body: str) -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        await writer.drain()

    return answer


async def silence(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def cut(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def half(writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"hookSpecificOutput": {')
    await writer.drain()
    writer.close()


ANSWERS: dict[str, Answer] = {
    "500": says("500 Internal Server Error", "{}"),
    "connection cut": cut,
    "silence": silence,
    "half an answer": half,
    "403": says("403 Forbidden", "no"),
    "redirect": says("302 Found\r\nlocation: http://127.0.0.1:1/", ""),
    "no HTTP": says("999", "x"),
    "no JSON": says("200 OK", "certainly"),
    "cut JSON": says("200 OK", '{"hookSpecificOutput": {'),
}


_FAST = {("codex", "500"), ("codex", "redirect")}  # Claude Code asks again and again
CASES = [
    pytest.param(label, what, marks=[] if (label, what) in _FAST else [pytest.mark.full, *more])
    for label, more in ((label, marks(label)) for label in WAYS)
    for what in ANSWERS
]
_BY_SCRIPT = [label for label, way in WAYS.items() if way.hook_dies_open]


@asynccontextmanager
async def answering(at: Hooked, answer: Answer) -> AsyncIterator[None]:
    """In the place of our intake, on its port, somebody who answers so."""
    port = int(at.url.split(":")[2].partition("/")[0])
    await at.intake.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


@pytest.mark.parametrize(("label", "what"), CASES)
async def test_a_call_whose_hook_is_answered_wrongly_is_blocked(
    scripted_model: ScriptedModel, tmp_path: Path, label: str, what: str
) -> None:
    bench = set_up(WAYS[label].agent(), scripted_model, tmp_path)
    async with hooked(bench.profile, bench.task_dir, hook_timeout=8) as at:
        plan = bench.plan(at, bench.shell("touch ran"))
        async with answering(at, ANSWERS[what]):
            output = await at.run(plan, bench.workspace, timeout=bench.way.patience)
    assert bench.model.last.results, output
    assert not (bench.workspace / "ran").exists()


@pytest.mark.parametrize("label", agents(_BY_SCRIPT))
async def test_a_call_whose_hook_is_killed_gets_no_credential(
    label: str, install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    """They go on when a hook dies: the question is withdrawn, and the call has no lease."""
    supervised = supervise(WAYS[label].agent(), install, scripted_model)
    command = f"{use(api)}; timeout 1 npm install nothing"  # which asks
    running = await supervised.start(supervised.shell(command))
    await supervised.recorded("approval.asked")
    hook = processes(
        f"{install.root}".encode(), f"{label}-hook.sh".encode(), supervised.way.before.encode()
    )
    assert hook
    url = next(
        word for word in _words(hook[0]) if word.endswith(f"/{supervised.way.before}".encode())
    )
    for pid in processes(url):  # the script, and its curl
        os.kill(pid, signal.SIGKILL)
    await supervised.end(running)
    await ends_without_a_credential(supervised, api)


def processes(*parts: bytes) -> list[int]:
    """Those that have all of these in their command lines."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if all(part in b" ".join(_words(pid)) for part in parts)]


def _words(pid: int) -> list[bytes]:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return []
