"""Whose word it is: the process that announces a call, and the call that a request belongs to.

What a hook or a request says of itself is never enough: its process tree answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.calls.recorder import Recorder
from supervisor.errors import NotAttested
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import Effect, Process, ToolCall, ToolKind, Verb
from supervisor.ports import ConnectionOwner

_LONGEST = 3  # ancestry of a hook's sender: agent; sh ← agent; curl ← sh ← agent


@dataclass(frozen=True, slots=True)
class Attestation:
    """Ties processes to the tasks and calls in the book."""

    book: Book
    records: Recorder

    async def sender(
        self, entry: TaskEntry, owner: ConnectionOwner, sender: Process | None, call: ToolCall
    ) -> None:
        """The sender is the agent's root process, or a hook command that it started itself.

        Raises:
            NotAttested: it is neither; on record as an incident.
        """
        ancestry = owner.ancestry(sender) if sender is not None else []
        genuine = (
            bool(ancestry)
            and len(ancestry) <= _LONGEST
            and ancestry[-1] == entry.root
            and not any(self.book.bound(entry.task.id, process) for process in ancestry[:-1])
        )
        if not genuine:
            detail = {"tool": call.tool, "sender": sender.pid if sender else 0}
            await self.records.incident("forged_hook", entry, detail)
            raise NotAttested(
                "This call was not announced by the agent itself.",
                hint="A tool cannot announce calls; the attempt was recorded.",
            )

    def call(
        self, entry: TaskEntry, handle: str, ancestry: Sequence[Process], effect: Effect
    ) -> CallEntry:
        """The open call whose process tree made this connection.

        Raises:
            NotAttested: the handle is not of an open call, or comes from another tree.
            Revoked: the call is of an earlier epoch.
        """
        if handle == agent_handle(entry.top.task.id) and ancestry and ancestry[-1] == entry.root:
            top = entry.top
            if (found := self._alone(top) or self._served(top, ancestry)) is not None:
                return found
            if list(ancestry) == [entry.root]:
                return self._own_fetch(entry.top, effect)
            raise NotAttested(
                "This request does not belong to an open tool call.",
                hint="Credentials are lent to calls that the agent announces; a command of the "
                f"person's own gets them by `taskpass call --task {entry.place} -- COMMAND`.",
            )
        call = self.book.call_by_handle(entry.task.id, handle)
        self.book.require_live(call.call.task, call.call.epoch)
        root = call.tree
        if root is None or not ancestry or ancestry[-1] != entry.root or root not in ancestry:
            raise NotAttested(
                "This request comes from a process outside the tool call it names.",
                hint="Run it inside one tool call.",
            )
        return call

    def _alone(self, entry: TaskEntry) -> CallEntry | None:
        """The one open call of a task that runs nothing beside it; None of several, or of none."""
        running = self.book.tree_calls(entry.task.id)
        if len(running) != 1 or not running[0].call.tool_call.alone:
            return None
        self.book.require_live(running[0].call.task, running[0].call.epoch)
        return running[0]

    def _served(self, entry: TaskEntry, ancestry: Sequence[Process]) -> CallEntry | None:
        """The open call that an MCP server of the agent's, behind its gateway, carries out."""
        for call in self.book.tree_calls(entry.task.id):
            if call.server is not None and call.server in ancestry[:-1]:
                self.book.require_live(call.call.task, call.call.epoch)
                return call
        return None

    def _own_fetch(self, entry: TaskEntry, effect: Effect) -> CallEntry:
        """The open call that announced this request of the agent's own process.

        Some tools run inside the agent (a web fetch): the call names the host it fetches from.

        Raises:
            NotAttested: no open call announced a fetch from this host.
        """
        for call in self.book.tree_calls(entry.task.id):
            announced = {e.resource for e in call.call.effects if e.verb is Verb.HTTP}
            if call.call.tool_call.kind is ToolKind.FETCH and effect.resource in announced:
                self.book.require_live(call.call.task, call.call.epoch)
                return call
        raise NotAttested(
            f"The agent contacts {effect.resource} outside any tool call.",
            hint="Only its model and what its tool calls name may be reached.",
        )


def agent_handle(task: str) -> str:
    """What the agent's own process shows on the proxy; it opens nothing by itself."""
    return f"agent:{task}"
