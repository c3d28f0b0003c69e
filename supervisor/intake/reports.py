"""What the MCP gateway tells besides calls: definitions of tools, and clients that want in."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

# The task, what it told, and for how many seconds an answer may wait for a person. Raises
# ValueError: it is malformed.
Report = Callable[[str, Mapping[str, Any], float], Awaitable[bytes]]

_MOST = 2000  # tools of one server
_LONGEST = 500  # characters of what a client says of itself


@dataclass(frozen=True, slots=True)
class Verdict:
    """Names of tools: those that may be shown, and those that a person is being asked about."""

    shown: tuple[str, ...]
    asking: tuple[str, ...]


class Definitions(Protocol):
    """Pins definitions (`calls.definitions`)."""

    async def offered(
        self, task: str, server: str, definitions: Sequence[Mapping[str, Any]]
    ) -> Verdict:
        """Compare with what is pinned, and ask a person about what is not. Raises LedgerFailed."""

    async def answered(self, server: str) -> None:
        """Return when no question about this server is open any more."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A remote client that asks to be let in. All of it is its own claim but `code`.

    Attributes:
        redirect: where its answer goes, which its registration fixed.
        code: what the person sees at the client as well, so that it is theirs.
    """

    server: str
    client: str
    name: str
    redirect: str
    scopes: tuple[str, ...]
    code: str


class Doorkeeper(Protocol):
    """Asks a person whether a client may come in (`calls.visitors`)."""

    async def admits(self, task: str, visitor: Visitor) -> bool:
        """Whether a person said yes. Raises Denied, Revoked, LedgerFailed."""


def definitions(pins: Definitions) -> Report:
    """The report of what a server defines."""

    async def report(task: str, raw: Mapping[str, Any], hold: float) -> bytes:
        server, told = raw.get("server"), raw.get("definitions")
        if not isinstance(server, str) or not server or not isinstance(told, list):
            raise ValueError("no server or no definitions in it")
        if len(told) > _MOST or not all(_named(each) for each in told):
            raise ValueError("definitions that are none, or too many")
        verdict = await pins.offered(task, server, told)
        if raw.get("wait") and verdict.asking:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pins.answered(server), hold)
            verdict = await pins.offered(task, server, told)
        return msgspec.json.encode({"shown": verdict.shown, "asking": verdict.asking})

    return report


def visitors(doorkeeper: Doorkeeper) -> Report:
    """The report of a client that wants in."""

    async def report(task: str, raw: Mapping[str, Any], hold: float) -> bytes:
        visitor = msgspec.convert(raw.get("visitor"), Visitor)  # its error is a ValueError
        texts = (visitor.server, visitor.client, visitor.name, visitor.redirect, visitor.code)
        if any(len(text) > _LONGEST for text in (*texts, *visitor.scopes)):
            raise ValueError("a client that says too much")
        return msgspec.json.encode({"granted": await doorkeeper.admits(task, visitor)})

    return report


def _named(definition: Any) -> bool:
    # "@…" names the protocol's own methods in policies.
    name = definition.get("name") if isinstance(definition, dict) else None
    return isinstance(name, str) and bool(name) and not name.startswith("@")
