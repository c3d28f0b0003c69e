"""The call that a shell of the agent's was started for, by the way it was started.

Hooks of some agents can change nothing of a call, so no shell of theirs knows its call's handle.
Such a shell asks as the first thing it does, before anything of its command, and is told what a
rewritten command begins with. Whose it is, the kernel says: a direct child of the agent, started
since the call was opened, with the very command line that the agent gives to the shell of this
call. It then binds itself as any other does (`core.bind_call`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from supervisor import procfs
from supervisor.desk import Desk
from supervisor.grants.book import Book
from supervisor.model import Process, ToolKind


@dataclass(slots=True)
class Started:
    """Tells shells what they begin with; each call is told to one of them."""

    book: Book
    desk: Desk
    words: Callable[[int], tuple[str, ...]] = procfs.arguments
    _told: dict[str, Process] = field(default_factory=dict)  # by call

    def prefix(self, task: str, ancestry: Sequence[Process]) -> str:
        """What the shell reads before its command; "" where it is the shell of no open call."""
        runtime = self.desk.runtimes[task]
        if len(ancestry) != 2 or ancestry[-1] != self.book.task(task).root:
            return ""
        shell = ancestry[0]
        words = self.words(shell.pid)
        if not runtime.owner.stands(ancestry):  # else the words may be another process's
            return ""
        waiting = [
            call
            for call in self.book.tree_calls(task)
            if call.call.tool_call.kind is ToolKind.SHELL and call.call.root is None
        ]
        ids = {call.call.id for call in waiting}
        self._told = {call: process for call, process in self._told.items() if call in ids}
        for call in waiting:
            mine = self._told.get(call.call.id, shell) == shell
            started = runtime.profile.started_as(call.call.tool_call)
            if mine and started and started == words and shell.start_time >= call.since:
                self._told[call.call.id] = shell
                return runtime.shell_prefix(call.handle)
        return ""
