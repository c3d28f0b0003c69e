"""Who is calling, what `core` offers channels and intake, and what it asks of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from supervisor.errors import TaskpassError
from supervisor.model import Effect, FileDoor, Process, ToolCall
from supervisor.ports.issuers import Kind, Secret


class ConnectionOwner(ABC):
    """Finds the process at the other end of a connection accepted on a task's listener."""

    @abstractmethod
    def owners(self, sockname: tuple[str, int], peername: tuple[str, int]) -> list[Process]:
        """All processes of the task's tree that hold the client end.

        `sockname` is our end, `peername` the client's end. Empty when unresolved: give nothing.
        """

    @abstractmethod
    def ancestry(self, process: Process) -> list[Process]:
        """`process` and its ancestors up to the agent's root process (last).

        Empty when the chain does not reach the root, or a start time does not match.
        """

    def stands(self, ancestry: Sequence[Process]) -> bool:
        """Whether what `ancestry` has answered is still so: all live, each below the next."""
        return bool(ancestry) and self.ancestry(ancestry[0]) == list(ancestry)


@dataclass(frozen=True, slots=True)
class Release:
    """What a channel may put on the wire for one use."""

    lease: str
    use: str
    secret: Secret | None  # None: the use is allowed and carries no credential
    surrogate: str = ""  # what to replace
    header: str = ""
    scheme: str = ""
    bound: bool = False  # a credential of ours is good there: nobody else's goes there


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What the intake tells the agent."""

    allow: bool
    reason: str = ""  # for an allowance at a call's end: what the agent should know
    rewritten: Mapping[str, Any] | None = None  # the tool's arguments, where rewriting is possible
    ticket: str = ""  # of a refusal: what a person is asked, whose yes lets the retry pass


class Announced(Protocol):
    """The way of a call, as who announces it sees it."""

    async def open_call(
        self, task: str, call: ToolCall, sender: Process | None, *, deadline: float = 0.0
    ) -> HookAnswer:
        """Judge an announced call; holds while a person is asked. Never raises for a denial.

        `deadline` (POSIX seconds, 0 for none): when the answer must be out; a question still
        open then is answered "denied, ticket N", and the identical retry passes once if the
        person has approved meanwhile.
        """

    async def settle_call(
        self, task: str, agent_call_id: str, outcome: str, *, subagent: str | None = None
    ) -> None:
        """The agent reports the end of a call ("ok", "failed", "turn ended").

        With "" for the call a turn has ended: that of `subagent` ("" for the agent itself,
        whose subagents may go on), or with None everything.
        """

    def spawned(self, task: str, subagent: str, by: str) -> None:
        """The agent says that `by` ("" for itself) has started `subagent`."""

    def activity(self, task: str, notice: str) -> None:
        """What the agent tells of itself besides calls: "" a person gave it work, else a
        `HookEvent.notice`. A claim, for the task list alone."""

    def aside(self, task: str, agent_call_id: str) -> str:
        """What the agent should hear at the end of this call, "" for nothing: what it was refused
        on the way, where the refusal itself had no words. Told once."""

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        """Record something that must not happen (forged hook, surrogate at a wrong host …)."""


class Authorize(Announced, Protocol):
    """The way of a call, as channels and intake see it (see `core.py`)."""

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        """First word of a rewritten command: ties the call's handle to its process tree."""

    def prefix(self, task: str, ancestry: Sequence[Process]) -> str:
        """What a shell is to read before its command, where the agent could not put it there;
        "" for one that no open call has started."""

    async def authorize_use(
        self,
        task: str,
        handle: str,
        ancestry: Sequence[Process],
        effect: Effect,
        surrogates: Sequence[str],
        further: Sequence[Effect] = (),
    ) -> Release:
        """Judge one request on a channel; holds while a person is asked.

        `surrogates`: candidate strings found in credential positions of the request. `further`:
        what else it would do, as its body says; all is judged together, the strictest wins.

        Raises:
            NotAttested, Denied, Revoked, TimedOut, LedgerFailed, VaultLocked.
        """

    async def refused_use(
        self, task: str, handle: str, effects: Sequence[Effect], error: TaskpassError
    ) -> None:
        """A channel refused this use by itself, before it was judged: put it on record, and tell
        the agent of the call. Never raises."""

    async def used(self, task: str, release: Release, status: int) -> None:
        """The use ended with this upstream status (0: it did not)."""

    def live(self, task: str, lease: str) -> bool:
        """Whether bytes may still be written for this lease. Cheap: called before each write."""

    def model_access(self, task: str, ancestry: Sequence[Process], host: str, port: int) -> bool:
        """Whether this is the agent itself, talking to its model."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A way out of a contained task that was refused before a connection came about."""

    protocol: str  # "tcp", "udp", "unix", the number of another as text, or "any" of several
    address: str  # IPv4 or IPv6, as it was dialled; of "unix" the path, or "@" and the name
    port: int  # 0 where the protocol has none
    name: str = ""  # the host's name, where our name service gave out the address

    @property
    def target(self) -> str:
        """What was dialled, as a person reads it."""
        host = self.name or self.address
        return f"{host} port {self.port}" if self.port else host


@dataclass(frozen=True, slots=True)
class Offer:
    """What a program that asks for a log-in is given: a stand-in, swapped on the wire."""

    username: str
    stand_in: str
    expires: float  # POSIX seconds


class Offers(Protocol):
    """Stand-ins for programs that ask for a log-in, as git's credential helper does."""

    async def offer(self, task: str, ancestry: Sequence[Process], host: str, path: str) -> Offer:
        """The stand-in for a repository of `host`, good for the call that asks.

        Raises:
            NotAttested, Denied, Revoked, VaultLocked: on record.
        """


class Egress(Protocol):
    """What a task's network asks about connections that are not the proxy's."""

    def handle_of(self, task: str, ancestry: Sequence[Process]) -> str:
        """Handle of the call whose process tree this is, "" for none.

        The agent's own process has the handle by which it shows itself on the proxy.
        """

    async def own_connection(
        self, task: str, ancestry: Sequence[Process], effect: Effect
    ) -> Release | None:
        """Judge a connection of the agent's own process to what the person listed.

        There is no call then, and nobody is asked. None: it is not the agent's own.

        Raises:
            Denied, Revoked, LedgerFailed: on record.
        """

    async def refused(self, task: str, attempt: Attempt, times: int = 1) -> None:
        """Put refused attempts on record. Never raises: they are refused whatever comes of it."""

    async def opens(
        self, task: str, effect: Effect, asking: Callable[[], object] = lambda: None
    ) -> bool:
        """Whether a connection that was refused may be tried again, by policy or a person.

        Holds while a person is asked, once for a target; that approval is good for the attempt
        that follows, and `asking` is called before, so that one made meanwhile can be held too.
        False where it cannot be told which call it belongs to. Never raises for a denial.
        """


class TaskControl(ABC):
    """A task's processes, as its holder controls them."""

    @abstractmethod
    async def freeze(self, tree: Process | None = None) -> None:
        """Stop `tree`, or the whole task. A holder that is gone raises LaunchFailed."""

    @abstractmethod
    async def thaw(self, tree: Process | None = None) -> None: ...

    @abstractmethod
    async def kill(self) -> int:
        """End every process of the task; how many are left (0 is the promise)."""

    @abstractmethod
    async def open_doors(self, call: str, doors: Sequence[FileDoor]) -> None:
        """Show files from outside in the task's container, for one call.

        Raises:
            LaunchFailed: not all of them could be; none is shown then.
        """

    @abstractmethod
    async def close_doors(self, call: str, *, publish: bool) -> tuple[str, ...]:
        """Take them away; what the call made there goes to its real place if `publish`.

        Returns:
            The paths of what was put in place.

        Raises:
            LaunchFailed: something could not be put in place, or the holder is gone.
        """


class Channel(ABC):
    """Carries credentials to uses on one task's listener."""

    @classmethod
    def kinds(cls) -> tuple[Kind, ...]:
        """The ways in which it carries credentials; none for what only watches, or refuses."""
        return ()

    @abstractmethod
    async def serve(self) -> None:
        """Start accepting on the listener this channel was made with."""

    async def expect(self, effects: Sequence[Effect]) -> None:
        """A call opens that announced these: make ready for what it does first."""
        return

    @abstractmethod
    def cut(self, lease: str = "") -> int:
        """Abort connections of a lease ("" all) at once; returns how many. Synchronous."""

    @abstractmethod
    async def close(self) -> None: ...
