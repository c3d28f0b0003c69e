"""What an agent is doing, as its hooks tell it. Pure; a part of a task's entry.

All of it are claims of the agent: they say what the task list shows, and never what is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.model import TaskState


@dataclass(slots=True)
class Turns:
    """The turns of one agent, or subagent. Each method gives the task's state after it."""

    over: bool = False

    def called(self) -> TaskState:
        """It announced a call."""
        self.over = False
        return TaskState.WORKING

    def ended(self) -> TaskState:
        """Its turn has ended, whatever its subagents do."""
        self.over = True
        return TaskState.WAITING_YOU

    def left_by(self, *, busy: bool) -> TaskState:
        """A subagent's turn has ended. `busy`: others still work."""
        return TaskState.WORKING if busy or not self.over else TaskState.WAITING_YOU

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
