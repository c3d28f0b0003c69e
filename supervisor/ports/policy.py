"""Who decides, and what is told besides the effects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from supervisor.model import CallIdentity, Decision, Effect, Task


@dataclass(frozen=True, slots=True)
class Budget:
    """What a task may still use up; -1 where nothing limits it."""

    calls: int = -1
    seconds: int = -1
    changes: int = -1


@dataclass(frozen=True, slots=True)
class Situation:
    """What policy may look at besides the effect."""

    task: Task
    call_identity: CallIdentity
    workspace: str  # real path
    subagent: str = ""
    credential: str = ""  # name of the credential a use would release, "" for none
    open_calls: int = 0
    total_calls: int = 0
    budget: Budget = Budget()
    unread: bool = False  # a use under a call whose command could not be read beforehand
    tool: str = ""  # `ToolCall.name` of the call, "" where no tool call was announced


class PolicyEngine(ABC):
    @abstractmethod
    def decide(self, effects: Sequence[Effect], situation: Situation) -> Decision:
        """The strictest outcome over all effects. Never raises: errors are denials."""

    @property
    @abstractmethod
    def digest(self) -> str:
        """`sha256:<hex>` of the policies and schema in force."""
