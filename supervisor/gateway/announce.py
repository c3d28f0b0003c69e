"""Announces the gateway's calls to the hook intake of its task, over HTTP on its listener."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Any

import aiohttp

from supervisor.errors import Denied

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass(frozen=True, slots=True)
class Pins:
    """Which definitions may be shown: names; `asking`: those a person is being asked about."""

    shown: frozenset[str] = frozenset()
    asking: frozenset[str] = frozenset()


class Refused(Denied):
    """A call that was refused; with a `ticket` it passes once as soon as a person has said yes."""

    def __init__(self, message: str, ticket: str) -> None:
        super().__init__(message)
        self.ticket = ticket


@dataclass(slots=True)
class Announcer:
    """One task's way to the supervisor.

    Args:
        url: of the intake, with its token.
        server: the name of the MCP server that all calls are for.
        address: the server's, "" for a program.
        remote: the client is one that does not wait for long.
    """

    url: str
    server: str
    address: str
    remote: bool = False
    _session: aiohttp.ClientSession | None = field(default=None, init=False)

    async def __aenter__(self) -> Announcer:
        # No proxy and no time limit: the intake holds a call while a person is asked.
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(trust_env=False, timeout=timeout)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        assert self._session is not None
        await self._session.close()

    @asynccontextmanager
    async def call(
        self, tool: str, arguments: Mapping[str, Any], definition: str
    ) -> AsyncIterator[None]:
        """The time in which an allowed call runs.

        Raises:
            Denied: by policy or a person, or the supervisor does not answer.
        """
        call = secrets.token_hex(12)
        told = await self._post(
            "call",
            {
                "id": call,
                "tool": f"mcp__{self.server}__{tool}",
                "arguments": dict(arguments),
                "definition": definition,
                "url": self.address,
                "cwd": os.getcwd(),
                "remote": self.remote,
            },
        )
        if told.get("granted") is not True:
            raise Refused(
                str(told.get("reason") or "taskpass refused this call."),
                str(told.get("ticket") or ""),
            )
        outcome = "failed"
        try:
            yield
            outcome = "end"
        finally:
            await self._post(outcome, {"id": call})

    async def definitions(
        self, definitions: Sequence[Mapping[str, Any]], *, wait: bool = False
    ) -> Pins:
        """Show what the server defines. `wait`: until a person has answered what is asked.

        Raises:
            Denied: the supervisor does not answer.
        """
        told = await self._post(
            "definitions",
            {"server": self.server, "definitions": list(definitions), "wait": wait},
        )
        return Pins(frozenset(told.get("shown", ())), frozenset(told.get("asking", ())))

    async def admits(self, visitor: Mapping[str, Any]) -> bool:
        """Whether a person lets this remote client in. Raises Denied: nobody can be asked."""
        told = await self._post("visitor", {"visitor": dict(visitor)})
        return told.get("granted") is True

    async def _post(self, event: str, body: dict[str, Any]) -> dict[str, Any]:
        assert self._session is not None
        try:
            async with self._session.post(
                f"{self.url}/{event}", json={"hook_event_name": event, **body}
            ) as answer:
                told = await answer.json()
        except (aiohttp.ClientError, ValueError, OSError) as error:
            raise Denied(
                "The supervisor does not answer, so nothing is called.", hint="Try again."
            ) from error
        if not isinstance(told, dict):
            raise Denied("The supervisor's answer cannot be read, so nothing is called.")
        return told
