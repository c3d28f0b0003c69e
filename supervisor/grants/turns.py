"""What an agent is doing, as its hooks tell it. Pure; a part of a task's entry.

All of it are claims of the agent: they say what the task list shows, and never what is allowed.
A subagent has its parent's authority, no more and no less; that it is one, only the agent says.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from supervisor.model import TaskState, ToolCall

_MOST = 16  # subagents that are remembered
_LONGEST = 80  # characters of what a subagent is called


@dataclass(slots=True)
class Subagent:
    """One, while it works and for a while afterwards. Times are POSIX seconds."""

    id: str
    kind: str  # as the agent calls it: "explore"
    since: float
    last: float  # its latest call, or its end
    calls: int = 0
    ended: bool = False


@dataclass(slots=True)
class Turns:
    """The turns of an agent and its subagents. Each method gives the task's state after it."""

    over: bool = False  # the agent's own turn
    subagents: dict[str, Subagent] = field(default_factory=dict)

    def called(self, call: ToolCall, now: float) -> TaskState:
        """It announced a call."""
        if not call.subagent:
            self.over = False
            return TaskState.WORKING
        name = call.subagent[:_LONGEST]
        known = self.subagents.get(name)
        if known is None:
            self._forget()
            kind = call.subagent_kind[:_LONGEST]
            known = self.subagents[name] = Subagent(name, kind, since=now, last=now)
        known.calls, known.last, known.ended = known.calls + 1, now, False
        return TaskState.WORKING

    def ended(self, subagent: str, now: float) -> TaskState:
        """A turn has ended: that of `subagent`, or with "" the agent's own."""
        if not subagent:
            self.over = True
            return TaskState.WAITING_YOU
        if known := self.subagents.get(subagent[:_LONGEST]):
            known.ended, known.last = True, now
        busy = not self.over or any(not one.ended for one in self.subagents.values())
        return TaskState.WORKING if busy else TaskState.WAITING_YOU

    def prompted(self) -> TaskState:
        """A person gave it work."""
        self.over = False
        return TaskState.WORKING

    def noticed(self, notice: str, state: TaskState) -> TaskState:
        """It said so itself: it "waits" for an answer in its pane, or has been "idle" for long."""
        match notice:
            case "waits":
                return TaskState.WAITING_YOU
            case "idle":
                return TaskState.IDLE
            case _:
                return state

    def _forget(self) -> None:
        """Make room for one more: whoever has ended goes first, then whoever is silent longest."""
        while len(self.subagents) >= _MOST:
            oldest = min(self.subagents.values(), key=lambda one: (not one.ended, one.last))
            del self.subagents[oldest.id]
