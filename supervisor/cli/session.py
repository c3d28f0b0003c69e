"""A connected client for one command."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from supervisor.client import AsyncClient
from supervisor.errors import NotFound, UsageError
from supervisor.protocol.wire import TaskView

_T = TypeVar("_T")


def with_client(work: Callable[[AsyncClient], Awaitable[_T]]) -> _T:
    """Connect (starting the supervisor if needed), do `work`, disconnect."""

    async def session() -> _T:
        client = AsyncClient()
        await client.connect()
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(session())


async def find_task(client: AsyncClient, name: str) -> TaskView:
    """The task that a person means: its number ("2", "2.1"), its id or the beginning of one.

    Raises:
        NotFound, UsageError: none, or several.
    """
    tasks = (await client.snapshot()).tasks
    exact = [t for t in tasks if name in (t.id, t.called)]
    found = exact or [t for t in tasks if t.id.startswith(name)]
    if not found:
        raise NotFound(f"There is no task {name}.", hint="See `taskpass ps`.")
    if len(found) > 1:
        raise UsageError(f"{name} could be {', '.join(t.id for t in found)}.")
    return found[0]


def print_json(value: Any) -> None:
    """One line of JSON for scripts."""
    import sys

    import msgspec

    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
