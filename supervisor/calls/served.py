"""Calls of MCP servers that an agent is configured with, as the gateways before them announce them.

The agent's own hook has announced such a call already, and it was judged then: the gateway says
that its server carries it out now, with the tool and the arguments that really arrived. From then
on the requests of that server are the call's, until the gateway says that it is done.

What no hook has announced is refused: an agent whose hooks were taken away reaches no server. Of
an agent whose calls cannot be told apart, and of the protocol's own methods (listing tools), which
no agent announces, the gateway's word is the call.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from supervisor.errors import NotAttested, TaskpassError
from supervisor.model import CallIdentity, Process, ToolCall, ToolKind
from supervisor.ports import HookAnswer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from supervisor.core import Engine
    from supervisor.grants.book import CallEntry, TaskEntry

log = logging.getLogger("supervisor")


@dataclass(slots=True)
class ServedCalls:
    """See `ports.Announced`, for the gateways of one task."""

    engine: Engine
    _joined: dict[str, CallEntry] = field(default_factory=dict)  # by the gateway's own id

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        try:
            return await self._open(task, call, sender, deadline)
        except TaskpassError as error:
            return HookAnswer(allow=False, reason=str(error))
        except Exception:
            log.exception("a call of an MCP server could not be joined")
            return HookAnswer(
                allow=False, reason="taskpass could not judge this call, so it is refused."
            )

    async def _open(
        self, task: str, call: ToolCall, sender: Process | None, deadline: float
    ) -> HookAnswer:
        engine = self.engine
        call = replace(call, alone=False)  # the agent's tools run beside it
        entry = engine.book.require_live(task)
        await engine.attestation.sender(entry, engine.desk.runtimes[task].owner, sender, call)
        found = None if call.method else self._announced(entry, call)
        if found is None:
            if not call.method and entry.task.agent.call_identity is CallIdentity.CALL:
                await self._refuse(entry, call)
            answer = await engine.open_call(task, call, sender, deadline=deadline)
            found = engine.book.call_by_agent_id(task, call.agent_call_id)
            if not answer.allow or found is None:
                return answer
        else:
            engine.admit(call)
            # What is sent to its address now is what was announced (`calls.announced`).
            told = replace(found.call.tool_call, url=call.url)
            found.call = replace(found.call, tool_call=told)
        found.server = sender
        self._joined[call.agent_call_id] = found
        return HookAnswer(allow=True)

    def _announced(self, entry: TaskEntry, call: ToolCall) -> CallEntry | None:
        """The open call of this tool, with these arguments, that no server carries out yet."""
        for open_one in self.engine.book.tree_calls(entry.task.id):
            told = open_one.call.tool_call
            if (
                told.kind is ToolKind.MCP
                and open_one.server is None
                and told.tool == call.tool
                and told.arguments == call.arguments
            ):
                self.engine.book.require_live(open_one.call.task, open_one.call.epoch)
                return open_one
        return None

    async def _refuse(self, entry: TaskEntry, call: ToolCall) -> None:
        """Raises NotAttested, on record."""
        await self.engine.incident(entry.task.id, "unannounced_mcp_call", {"tool": call.tool})
        raise NotAttested(
            f"{call.tool} was not announced by the agent's hook, so its server is not asked.",
            hint="Call the tool again; if that fails too, the agent's hooks do not work.",
        )

    async def settle_call(
        self, task: str, agent_call_id: str, outcome: str, *, subagent: str | None = None
    ) -> None:
        """The server is done; a call of the agent's hook goes on until that reports its end."""
        joined = self._joined.pop(agent_call_id, None)
        if joined is not None:
            joined.server = None
        if joined is None or joined.call.tool_call.agent_call_id == agent_call_id:
            await self.engine.settle_call(task, agent_call_id, outcome)

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        await self.engine.incident(task, kind, detail)

    def aside(self, task: str, agent_call_id: str) -> str:
        return ""  # the agent's own hook hears it

    def spawned(self, task: str, subagent: str, by: str) -> None:
        return

    def activity(self, task: str, notice: str) -> None:
        return
