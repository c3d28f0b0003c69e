"""What an MCP server says of its tools, as it reaches us with a task's announcements."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

_MOST = 2000  # tools of one server


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


async def offered(
    definitions: Definitions, task: str, raw: Mapping[str, Any], hold: float
) -> bytes:
    """The answer to a report of definitions. `hold`: seconds to wait for a person, if it asks so.

    Raises:
        ValueError: the report is malformed.
    """
    server, told = raw.get("server"), raw.get("definitions")
    if not isinstance(server, str) or not server or not isinstance(told, list):
        raise ValueError("no server or no definitions in it")
    if len(told) > _MOST or not all(_named(each) for each in told):
        raise ValueError("definitions that are none, or too many")
    verdict = await definitions.offered(task, server, told)
    if raw.get("wait") and verdict.asking:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(definitions.answered(server), hold)
        verdict = await definitions.offered(task, server, told)
    return msgspec.json.encode({"shown": verdict.shown, "asking": verdict.asking})


def _named(definition: Any) -> bool:
    # "@…" names the protocol's own methods in policies.
    name = definition.get("name") if isinstance(definition, dict) else None
    return isinstance(name, str) and bool(name) and not name.startswith("@")
