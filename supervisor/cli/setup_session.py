"""As `cli.session`, with the client for setting up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from supervisor.client_setup import SetupClient

_T = TypeVar("_T")


def with_setup(work: Callable[[SetupClient], Awaitable[_T]]) -> _T:
    """Connect (starting the supervisor if needed), do `work`, disconnect."""

    async def session() -> _T:
        client = SetupClient()
        await client.connect()
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(session())
