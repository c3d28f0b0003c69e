"""Between an MCP client and one MCP server: what is shown, what is called, and in which order.

Each request that reaches the server is a call of the task: announced, judged, on record, and over
when its answer is there. One at a time, so that what the server does meanwhile can only belong to
that call. A program is started once; at an address each call has a session of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp import ClientSession

from supervisor.gateway.announce import Announcer, Pins
from supervisor.gateway.definitions import INSTRUCTIONS, digest
from supervisor.gateway.servers import Server
from supervisor.gateway.upstream import connected

_PAGES = 100  # of a listing: one that never ends is cut


@dataclass(slots=True)
class Relay:
    """One server, as one task's client sees it.

    Args:
        changed: told that the list of tools is another one now.
    """

    server: Server
    announcer: Announcer
    changed: Callable[[], Awaitable[None]]
    pins: Pins = field(default_factory=Pins, init=False)
    instructions: str = field(default="", init=False)
    capabilities: types.ServerCapabilities = field(
        default_factory=types.ServerCapabilities, init=False
    )
    _tools: dict[str, types.Tool] = field(default_factory=dict, init=False)
    _definitions: dict[str, dict[str, Any]] = field(default_factory=dict, init=False)
    _session: ClientSession | None = field(default=None, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _asking: asyncio.Task[None] | None = field(default=None, init=False)
    _stale: bool = field(default=True, init=False)  # the server has said that its tools changed

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Relay]:
        """The time in which the server is used.

        Raises:
            Denied: it may not be started or reached.
        """
        async with AsyncExitStack() as stack:
            async with self._turn, self.announcer.call("@tools/list", {}, ""):
                if not self.server.url:
                    self._session = await stack.enter_async_context(self._connect())
                async with self._reached() as session:
                    self.capabilities = session.server_capabilities or self.capabilities
                    self.instructions = session.instructions or ""
                    await self._list(session)
            await self._pin()
            try:
                yield self
            finally:
                if self._asking is not None:
                    self._asking.cancel()

    async def tools(self) -> list[types.Tool]:
        """The tools that may be shown, in the server's order."""
        if self._stale or self.server.url:
            async with self.request("@tools/list", {}, "") as session:
                await self._list(session)
            await self._pin()
        return [tool for name, tool in self._tools.items() if name in self.pins.shown]

    @property
    def shown_instructions(self) -> str | None:
        return self.instructions if INSTRUCTIONS in self.pins.shown else None

    def definition(self, tool: str) -> str:
        """The digest of what its server says of a tool; that of nothing where it has none."""
        return digest(self._definitions.get(tool, {}))

    @asynccontextmanager
    async def request(
        self, tool: str, arguments: Mapping[str, Any], definition: str
    ) -> AsyncIterator[ClientSession]:
        """A session for one request that was allowed.

        Raises:
            Denied: it was not.
        """
        async with (
            self._turn,
            self.announcer.call(tool, arguments, definition),
            self._reached() as session,
        ):
            yield session

    @asynccontextmanager
    async def _reached(self) -> AsyncIterator[ClientSession]:
        if self._session is not None:
            yield self._session
            return
        async with self._connect() as session:
            yield session

    def _connect(self) -> contextlib.AbstractAsyncContextManager[ClientSession]:
        return connected(self.server, _headers(self.server), self._hear)

    async def _hear(self, message: Any) -> None:
        if isinstance(message, types.ToolListChangedNotification):
            self._stale = True
            await self.changed()

    async def _list(self, session: ClientSession) -> None:
        self._stale = False
        found: dict[str, types.Tool] = {}
        cursor: str | None = None
        if self.capabilities.tools is not None:
            for _ in range(_PAGES):
                page = await session.list_tools(params=types.PaginatedRequestParams(cursor=cursor))
                found |= {tool.name: tool for tool in page.tools}
                cursor = page.next_cursor
                if not cursor:
                    break
        self._tools = found
        self._definitions = {
            name: tool.model_dump(mode="json", by_alias=True, exclude_none=True)
            for name, tool in found.items()
        }
        if self.instructions:
            self._definitions[INSTRUCTIONS] = {
                "name": INSTRUCTIONS,
                "description": self.instructions,
            }

    async def _pin(self) -> None:
        self.pins = await self.announcer.definitions(list(self._definitions.values()))
        if self.pins.asking and (self._asking is None or self._asking.done()):
            self._asking = asyncio.create_task(self._await_person())

    async def _await_person(self) -> None:
        shown = self.pins.shown
        self.pins = await self.announcer.definitions(list(self._definitions.values()), wait=True)
        if self.pins.shown != shown:
            await self.changed()


def _headers(server: Server) -> dict[str, str]:
    """With the stand-in of its credential: what is real is put in by the task's proxy."""
    stand_in = os.environ.get(server.bearer_token_env_var, "")
    return {"authorization": f"Bearer {stand_in}"} if stand_in else {}
