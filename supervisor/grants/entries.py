"""What the grant book keeps about each task and each open call. Pure state.

A subagent's task hangs below the one that it belongs to: `chain` is what bounds its authority,
`family` what falls with it.
"""

from __future__ import annotations

import secrets
from collections.abc import Hashable
from dataclasses import dataclass, field

from supervisor.grants.turns import Turns
from supervisor.model import Call, Process, Task, TaskState, Usage, new_id

CAPABILITY_BYTES = 16


@dataclass(slots=True, eq=False)
class TaskEntry:
    """What changes about a task."""

    task: Task
    number: int
    epoch: int = 1
    frozen: bool = False
    revoked: bool = False
    ended: float = 0.0
    exit_code: int | None = None
    lost: bool = False  # its holder is gone, without the agent's exit code
    failure: str = ""  # why it never ran
    turns: Turns = field(default_factory=Turns)  # as its hooks tell them
    tree_left: int | None = None  # revoked: processes that could not be ended
    activity: TaskState = TaskState.STARTING
    root: Process | None = None
    allowed: int = 0
    asked: int = 0
    denied: int = 0
    calls: int = 0
    misplaced_surrogates: int = 0
    changes: int = 0  # effects of opened calls and uses that change something
    pane: bool = True  # has a terminal
    policy: str = ""  # digest of the policies it is under
    to_review: int = 0  # changes in its overlay that nobody has decided about
    usage: Usage = field(default_factory=Usage)  # as last looked at, for who watches
    asked_targets: set[str] = field(default_factory=set)  # of refused connections asked about
    asides: dict[str, list[str]] = field(default_factory=dict)  # agent's call id → what it hears
    revoked_grants: set[tuple[str, str]] = field(default_factory=set)  # (credential, resource)
    # The task that bounds it (of a subagent, its parent's), and those that it bounds.
    above: TaskEntry | None = field(default=None, repr=False)
    below: list[TaskEntry] = field(default_factory=list, repr=False)
    had: int = 0  # subagents it has had
    trees: set[Process] = field(default_factory=set)  # of its calls, those that are over too

    @property
    def chain(self) -> tuple[TaskEntry, ...]:
        """Itself, the task above it, and so on to the one that owns the process tree."""
        if self.above is None:  # as for most requests, each of which asks
            return (self,)
        chain = [self]
        while (above := chain[-1].above) is not None:
            chain.append(above)
        return tuple(chain)

    @property
    def top(self) -> TaskEntry:
        """The one of them that owns the process tree: a subagent's has none of its own."""
        entry = self
        while entry.above is not None and entry.task.subagent:
            entry = entry.above
        return entry

    @property
    def family(self) -> list[TaskEntry]:
        """Itself and all below it, each after what it is below."""
        found = [self]
        for entry in found:
            found.extend(entry.below)
        return found

    @property
    def subagents(self) -> list[TaskEntry]:
        """Those below it whose processes are its agent's."""
        return [entry for entry in self.family[1:] if entry.task.subagent]

    @property
    def trees_below(self) -> list[TaskEntry]:
        """Those below it with processes of their own: commands that a person runs under it."""
        return [entry for entry in self.family[1:] if not entry.task.subagent]

    @property
    def place(self) -> str:
        """How people call it: "2", and "2.1" for its first subagent."""
        return ".".join(str(entry.number) for entry in reversed(self.chain))

    @property
    def over(self) -> bool:
        """Whether it can do nothing any more."""
        return any(entry.revoked or entry.ended for entry in self.chain)

    @property
    def stands(self) -> bool:
        """Whether a person has stopped it, or what it belongs to."""
        return any(entry.frozen for entry in self.chain)

    @property
    def state(self) -> TaskState:
        if any(entry.revoked for entry in self.chain):
            return TaskState.REVOKED
        if self.ended:
            return TaskState.LOST if self.lost else TaskState.ENDED
        if self.stands:
            return TaskState.FROZEN
        return self.activity


@dataclass(slots=True)
class CallEntry:
    """A call and the capability that its uses must show."""

    call: Call
    capability: str
    deadline: float  # POSIX seconds: maximum age
    since: int = 0  # as `Process.start_time`: no process of this call is older
    leases: dict[str, str] = field(default_factory=dict)  # grant id → lease id
    recorded: set[Hashable] = field(default_factory=set)  # kinds of use that are on the disk
    answered: bool = False  # a person answered this very call, for once
    spent: set[int] = field(default_factory=set)  # effects whose one request was made
    server: Process | None = None  # the gateway whose MCP server carries it out just now

    @property
    def handle(self) -> str:
        return f"{self.call.id}:{self.capability}"

    @property
    def tree(self) -> Process | None:
        """Whose requests are this call's: this process's, and those of all below it."""
        return self.call.root or self.server


def fresh_handle() -> str:
    """The handle of a call that is not opened yet: its id and its capability."""
    return f"{new_id('c')}:{secrets.token_urlsafe(CAPABILITY_BYTES)}"
