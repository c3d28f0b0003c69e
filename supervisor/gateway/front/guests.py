"""The tasks of remote clients: each a gateway of its own, spoken to over its input and output."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from anyio import BrokenResourceError, ClosedResourceError
from mcp import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from supervisor.intake.reports import Visitor


@dataclass(eq=False, slots=True)
class Guest:
    """One client's task. It lives from a person's yes to revocation, its end, or `leave`.

    Attributes:
        session: to the gateway in the task, once it is `admitted`.
        heard: told of the server's notifications.
    """

    visitor: Visitor
    workspace: str
    gone: Callable[[Guest], None]  # told when its task is over
    session: ClientSession | None = None
    heard: list[Callable[[Any], Awaitable[None]]] = field(default_factory=list)
    _leaving: asyncio.Event = field(default_factory=asyncio.Event)
    _decided: asyncio.Event = field(default_factory=asyncio.Event)
    _running: asyncio.Task[None] | None = None

    def enter(self) -> None:
        """Start its task, in which a person is asked first."""
        self._running = asyncio.create_task(self._live())

    @property
    def live(self) -> bool:
        """Whether its task runs, as far as we have heard."""
        return self.session is not None and not self._leaving.is_set()

    async def answers(self) -> bool:
        """Whether its task runs now, which it shows itself: asked at each request.

        One that was revoked or frozen does not answer, long before its pipes are closed.
        """
        session = self.session
        if session is None or self._leaving.is_set():
            return False
        try:
            await asyncio.wait_for(session.send_ping(), _ANSWER)
        except (MCPError, TimeoutError, BrokenResourceError, ClosedResourceError):
            return False
        return self.live

    async def admitted(self, patience: float) -> bool | None:
        """Whether a person let it in; None while there is no answer after `patience` seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._decided.wait(), patience)
        return self.live if self._decided.is_set() else None

    async def leave(self) -> None:
        """End its task."""
        self._leaving.set()
        if self._running is not None:
            await asyncio.wait([self._running])

    async def _live(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                read, write = await stack.enter_async_context(stdio_client(self._program()))
                session = await stack.enter_async_context(
                    ClientSession(read, write, message_handler=self._hear)
                )
                await session.initialize()  # it answers once a person has said yes
                self.session = session
                self._decided.set()
                await self._end(session)
        except Exception as error:  # whatever became of it, it is over
            if not self._decided.is_set():
                print(f"taskpass: {self.visitor.client}: {_first(error)}", file=sys.stderr)
        finally:
            self.session = None
            self._leaving.set()
            self._decided.set()
            self.gone(self)

    async def _end(self, session: ClientSession) -> None:
        """Return when it is asked to leave, or its task has ended (a revocation, say)."""
        while not self._leaving.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._leaving.wait(), _PULSE)
                return
            await session.send_ping()

    async def _hear(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            for hear in list(self.heard):
                await hear(message)

    def _program(self) -> StdioServerParameters:
        visitor = json.dumps(
            {name: getattr(self.visitor, name) for name in Visitor.__slots__}, ensure_ascii=True
        )
        words = ["mcp", "serve", self.visitor.server, "--workspace", self.workspace]
        return StdioServerParameters(
            command=sys.executable,
            args=["-m", "supervisor.cli.main", *words, "--visitor", visitor],
            env=dict(os.environ),
        )


_ANSWER = 2.0  # seconds
_PULSE = 1.0  # seconds after which a task that has ended is noticed without a request


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
