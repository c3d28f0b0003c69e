"""The short abstract bases that the rooms implement and `core` uses.

Channels and intake are given an `Authorize`; they never import `core`.
Each family has one contract test class in `tests/contract/`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from supervisor.errors import LedgerFailed, TaskpassError
from supervisor.model import (
    CallIdentity,
    CredentialSpec,
    Cursor,
    Decision,
    Effect,
    FileDoor,
    KillMode,
    Limits,
    Process,
    Run,
    Task,
    ToolCall,
)

# ── Ledger ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Entry:
    """A record that is on disk: its place in the chain and its hash (32 bytes)."""

    seq: int
    hash: bytes


class LedgerStore(ABC):
    """Append-only, hash-chained, durable. One writer."""

    @abstractmethod
    async def append(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """Write one record and return after it is durable.

        Raises:
            LedgerFailed: it could not be made durable. Nothing was acknowledged.
        """

    @abstractmethod
    def submit(self, kind: str, body: Mapping[str, Any]) -> Awaitable[Entry]:
        """As `append`, for who has more to do first: its place is taken before this returns.

        Raises:
            LedgerFailed: it cannot be asked for at all; otherwise what is returned raises it.
        """

    @abstractmethod
    def append_behind(
        self,
        kind: str,
        body: Mapping[str, Any],
        failed: Callable[[LedgerFailed], object] = lambda error: None,
    ) -> Callable[[Mapping[str, Any]], bool]:
        """As `append`, for a record that nobody waits for: it may be up to 50 ms late, and stands
        before whatever is appended later. `failed` is called should it not become durable.

        Returns:
            What adds to the record; it answers False, and adds nothing, once that is too late.

        Raises:
            LedgerFailed: it cannot be asked for at all.
        """

    @property
    @abstractmethod
    def lag(self) -> float:
        """Seconds since the oldest record behind was asked for that is not durable; 0 for none."""

    @abstractmethod
    async def append_reserved(self, kind: str, body: Mapping[str, Any]) -> Entry:
        """As `append`, from space reserved at start: for tombstones on a full disk."""

    @abstractmethod
    def read(
        self, *, after: int = 0, limit: int = 1000, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Records in order, each as its full dict (`seq`, `time`, `kind`, `hash`, body keys)."""

    @abstractmethod
    def latest(
        self, limit: int = 1000, *, task: str = "", kinds: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """The last `limit` records, oldest first, as `read` gives them."""

    @abstractmethod
    async def close(self) -> None: ...


# ── Policy ──────────────────────────────────────────────────────────────────────────────


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


# ── Issuers ─────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Secret material on its way to a channel. Never printed, never serialised."""

    value: str

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not serialised")


@dataclass(frozen=True, slots=True)
class Minted:
    """A credential for one use or one lease."""

    secret: Secret
    expires: float  # POSIX seconds; 0 for a use-scoped stored secret
    # Handle needed to revoke upstream: as secret, and sealed before delivery.
    revocation: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class MintContext:
    """Why a credential is wanted; becomes the claims of a minted token."""

    task: Task
    epoch: int
    call: str
    call_hash: str
    lease: str
    effect: Effect
    approval: str = ""
    policy_digest: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What an issuer or a channel can do, as `taskpass credential kinds` shows it. In words."""

    name: str
    title: str
    resource: str  # how narrowly what it gives is bound: "host", "repository", …
    verb: str  # what it can be narrowed to there: "policy, at each request", "read or write", …
    lifetime: str
    kill_mode: KillMode
    bound: str  # the worst case from revocation to the last successful use


class Issuer(ABC):
    """Mints or releases credentials and ends them.

    Attributes:
        name: as `CredentialSpec.issuer` has it.
        patience: seconds that `mint` may take; what it makes later is ended.
    """

    name: str
    kill_mode: KillMode
    patience: float = 15.0

    @abstractmethod
    def kind(self) -> Kind: ...

    @abstractmethod
    def kill_bound(self, spec: CredentialSpec) -> float:
        """Worst case in seconds between revocation and the last successful use."""

    def lifetime(self, spec: CredentialSpec) -> float:
        """The longest, in seconds, that `mint` asks for: one that lives longer is not given."""
        return spec.ttl

    async def prepare(self, spec: CredentialSpec) -> CredentialSpec:
        """A spec as it is to be kept when it is added: its options checked, and completed.

        Raises:
            UsageError, IssuerFailed: it would never work. Nothing is kept.
        """
        return spec

    def check(self, spec: CredentialSpec, secret: Secret) -> None:
        """This is to be the standing secret of `spec`. Raises UsageError: it cannot be."""
        return

    @abstractmethod
    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        """A credential for `context`. Its expiry is by our clock, whatever the other end's says.

        Raises:
            VaultLocked: the secret cannot be read now.
            Denied: the issuer cannot scope it to this use.
            IssuerFailed: the other end hangs, errs, or answers what cannot be right.
        """

    @abstractmethod
    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        """End what was minted. Idempotent; a missing one revokes cleanly.

        Raises:
            IssuerFailed: the other end did not confirm; it will be tried again.
        """

    async def retire(self, spec: CredentialSpec) -> None:
        """The credential is about to be forgotten: end what stands behind it, where it can be.

        Raises:
            VaultLocked, IssuerFailed: it is not confirmed.
        """
        return

    async def works(self, spec: CredentialSpec, revocation: str) -> bool | None:
        """Whether the other end still takes what was minted; None where it cannot be asked."""
        return None

    async def close(self) -> None:
        """Let go of connections; it is not asked again."""
        return

    async def live(self, spec: CredentialSpec) -> tuple[str, ...]:
        """Revocations of what is live, as far as this issuer can list it."""
        return ()


class Vault(ABC):
    """Secrets at rest, and their stand-ins."""

    @abstractmethod
    def specs(self) -> Sequence[CredentialSpec]: ...

    @abstractmethod
    async def secret(self, name: str) -> Secret:
        """Raises VaultLocked, NotFound."""

    @abstractmethod
    async def add(self, spec: CredentialSpec, secret: Secret) -> None: ...

    @abstractmethod
    async def remove(self, name: str) -> None: ...

    @abstractmethod
    async def rotate(self, name: str, secret: Secret) -> None:
        """Another secret for the same credential, whole or not at all. Raises as `add`."""

    @abstractmethod
    async def surrogate(self, name: str, task: str) -> str:
        """The same-shape stand-in that this task may see. Stable within a task's life."""

    @abstractmethod
    def resolve(self, task: str, text: str) -> str:
        """Name of the credential whose surrogate for `task` is exactly `text`, else ""."""

    def canary(self, text: str) -> str:
        """Name of the credential whose stand-in in a file this is, for whomever, else ""."""
        return ""

    async def equip(self, task: str, names: Sequence[str]) -> dict[str, str]:
        """The stand-ins of several for one task, by name; those that a file holds are good too."""
        return {name: await self.surrogate(name, task) for name in names}

    @abstractmethod
    def forget(self, task: str) -> None:
        """Drop a task's surrogates, and what it borrowed, from memory."""

    def borrow(self, task: str, name: str, secret: Secret) -> None:
        """Hold a secret of another vault in memory for this task, until it is forgotten."""
        raise NotImplementedError

    def borrowed(self, task: str, name: str) -> Secret | None:
        """What this task borrowed last, None for nothing."""
        return None


# ── Who is calling ──────────────────────────────────────────────────────────────────────


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


# ── Channels and intake: what `core` offers them ────────────────────────────────────────


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


class Authorize(Protocol):
    """The way of a call, as channels and intake see it (see `core.py`)."""

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

    def activity(self, task: str, notice: str) -> None:
        """What the agent tells of itself besides calls: "" a person gave it work, else a
        `HookEvent.notice`. A claim, for the task list alone."""

    def aside(self, task: str, agent_call_id: str) -> str:
        """What the agent should hear at the end of this call, "" for nothing: what it was refused
        on the way, where the refusal itself had no words. Told once."""

    async def bind_call(self, task: str, handle: str, ancestry: Sequence[Process]) -> bool:
        """First word of a rewritten command: ties the call's handle to its process tree."""

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

    async def incident(self, task: str, kind: str, detail: Mapping[str, Any]) -> None:
        """Record something that must not happen (forged hook, surrogate at a wrong host …)."""

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


# ── Profiles ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Mount:
    """One path the profile needs inside the container."""

    path: str
    writable: bool = False


@dataclass(frozen=True, slots=True)
class LaunchRequest:
    """What a profile is given to prepare a launch."""

    task: str
    argv: tuple[str, ...]  # as the person typed it; argv[0] resolved to a real path
    cwd: str
    home: str
    environ: Mapping[str, str]  # the person's environment
    task_dir: str  # a private directory for generated files, 0700, visible in the task
    hook_url: str  # base URL of the hook intake, no trailing slash: "http://127.0.0.1:PORT/TOKEN"
    hook_timeout: int  # seconds the agent is told to wait
    contained: bool
    interactive: bool


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What a profile answers: how the agent is really started."""

    argv: tuple[str, ...]
    env: Mapping[str, str]  # complete environment of the agent, before ours is laid over it
    mounts: tuple[Mount, ...] = ()
    model_hosts: tuple[str, ...] = ()  # "host:port" the agent itself may talk to untouched
    agent_sandbox: str = ""  # what became of a sandbox of its own, in words; "": it has none
    guarded: tuple[str, ...] = ()  # missing settings, which a contained task may not make
    folders: tuple[str, ...] = ()  # to be written, and made where missing, whatever is guarded
    alone: bool = False  # it runs one call at a time, and is led to the proxy as a tool is
    tools_online: bool = True  # False: its own sandbox keeps its shell from reaching our proxy


class Profile(ABC):
    """One agent program: how it is recognised, launched, and how its hooks speak."""

    name: str
    call_identity: CallIdentity
    # False: the agent's root process posts its hooks itself. True: a command that it starts does.
    hooks_by_child: bool = False

    @abstractmethod
    def matches(self, argv: Sequence[str]) -> bool:
        """Whether `argv` launches this agent."""

    @abstractmethod
    def version(self, executable: str) -> str:
        """Version found without running it where possible; "" if unknown."""

    @abstractmethod
    def prepare(self, request: LaunchRequest) -> LaunchPlan:
        """Write generated files below `request.task_dir` and say how to launch."""

    @abstractmethod
    def parse_hook(self, event: Mapping[str, Any]) -> HookEvent:
        """Normalise one hook input. Raises ValueError when it is malformed: that denies."""

    @abstractmethod
    def render_answer(self, event: HookEvent, answer: HookAnswer) -> bytes:
        """The hook's output: exact bytes for the agent."""

    @abstractmethod
    def with_prefix(self, call: ToolCall, prefix: str) -> Mapping[str, Any]:
        """The tool's arguments with `prefix` put before the shell command."""


@dataclass(frozen=True, slots=True)
class HookEvent:
    """A hook input, normalised."""

    # "pre" | "post" | "failed" | "prompt" | "turn_end" | "session_end" | "notice",
    # or a report of `intake.reports`
    phase: str
    call: ToolCall | None = None
    session_id: str = ""
    subagent: str = ""  # whose turn has ended; "" for the agent itself
    notice: str = ""  # of a notice: it "waits" for an answer in its pane, has been "idle"; "" else
    raw: Mapping[str, Any] = field(default_factory=dict)
    hold: float = 0.0  # seconds it can wait for a person at most; 0: as long as it was told


# ── Emulators ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a terminal that is kept still."""

    runs: tuple[Run, ...]
    # Cells after which the agent's line goes on in the next row, one less than there are where a
    # wide character did not fit; 0 where the line ends.
    wraps_at: int = 0

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


class Still(ABC):
    """All rows of a terminal as they were at one moment, the oldest first."""

    @property
    @abstractmethod
    def count(self) -> int: ...

    @abstractmethod
    def lines(self, first: int, count: int) -> list[Line]:
        """Those of the rows [first, first + count) that there are."""


class Emulator(ABC):
    """Terminal state behind a PTY. Sizes are clamped to 20×5 … 1000×500 by implementations."""

    @abstractmethod
    def feed(self, data: bytes) -> bytes:
        """Take output of the agent; return what must be answered into the PTY (queries)."""

    @abstractmethod
    def resize(self, cols: int, rows: int) -> None: ...

    @abstractmethod
    def dirty(self) -> dict[int, tuple[Run, ...]]:
        """Rows changed since the last call, by row number from the top."""

    @abstractmethod
    def snapshot(self) -> dict[int, tuple[Run, ...]]:
        """All visible rows."""

    @abstractmethod
    def cursor(self) -> Cursor: ...

    @abstractmethod
    def key(self, key: str, text: str) -> bytes:
        """Encode one key press. `key` is Textual's name (`ctrl+a`, `shift+enter`, `up`)."""

    @abstractmethod
    def paste(self, text: str) -> bytes:
        """Encode a paste (bracketed where the agent asked for it)."""

    @abstractmethod
    def mouse(self, action: str, button: int, x: int, y: int, mods: int) -> bytes:
        """Encode a mouse event, b"" when the agent did not ask. action: press|release|move."""

    @abstractmethod
    def focus(self, gained: bool) -> bytes:
        """Encode a focus event, b"" when the agent did not ask."""

    @property
    @abstractmethod
    def title(self) -> str: ...

    @abstractmethod
    def scrollback(self, offset: int, rows: int) -> list[tuple[Run, ...]]:
        """`rows` rows ending `offset` rows above the live bottom, top first."""

    def links(self, y: int) -> tuple[tuple[int, int, str], ...]:
        """Hyperlinks (OSC 8) in row `y`: first cell, cells, and the target as the agent gave it."""
        return ()

    def take_clipboard(self) -> str | None:
        """What the agent last asked to put on the clipboard (OSC 52) since the last call."""
        return None

    @abstractmethod
    def still(self) -> Still:
        """What it shows and has shown, which nothing that is fed changes any more."""

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(cols, rows) after clamping: what the PTY must be told."""

    @property
    @abstractmethod
    def history(self) -> int:
        """Rows above the live screen that `scrollback` can still show."""

    @property
    @abstractmethod
    def wants_mouse(self) -> bool:
        """Whether `mouse` would encode anything now."""

    @property
    @abstractmethod
    def wants_buttons(self) -> bool:
        """Whether it would encode more of the mouse than the wheel."""

    @property
    @abstractmethod
    def brackets_pastes(self) -> bool:
        """Whether the agent is told where a paste begins and ends (DEC mode 2004)."""

    @property
    @abstractmethod
    def held(self) -> bool:
        """The agent is in the middle of a synchronized update (DEC mode 2026)."""


# ── Containment ─────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Containment:
    """What a contained task sees and may change: one plan, whatever enforces it.

    Paths are absolute and real. A deeper path has the last word over those around it.

    Attributes:
        mode: "standard" or "strict" (`process.plan` has the table).
        workspace: writable, and where the task works.
        mounts: what else is visible, each readable or writable.
        guarded: inside something writable, and stays as it is; every one exists when the task
            starts (`process.placeholders`).
        masked: its name is visible, its content is not.
        denied: of what is masked, that a person or project named as to be kept from tasks.
        absent: not there, whatever a mount would show.
        sockets: of other programs, let in because the person said so.
    """

    mode: str
    workspace: str
    mounts: tuple[Mount, ...] = ()
    guarded: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    sockets: tuple[str, ...] = ()

    @property
    def writable(self) -> tuple[str, ...]:
        """Everything the task may write to, but for what is guarded or masked in it."""
        return (self.workspace, *(mount.path for mount in self.mounts if mount.writable))


@dataclass(frozen=True, slots=True)
class SpawnRequest:
    """What a holder needs to start one task. Holds no secret; sent to it as msgpack."""

    task: str
    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    containment: Containment  # uncontained, only its workspace counts
    task_dir: str
    tier: str  # model.Tier value
    bwrap: str  # path of bubblewrap, "" uncontained
    listeners: tuple[str, ...]  # names, in order, by kind (process/netns.py): "relay:8099"
    ports: tuple[int, ...]  # wanted ports inside the task; 0: any
    pty: bool
    cols: int = 120
    rows: int = 40
    socket: str = ""  # where the holder listens for screens and the daemon
    overlay: str = ""  # directory of an overlay over the workspace (`changes.shelf`), "" for none
    cgroup: str = ""  # directory to make the task's own in, "" for none
    limits: Limits = field(default_factory=Limits)  # of them, those that a cgroup holds it to
    umask: int = 0o077
    stdio: bool = True  # without a PTY: wait for a client's Stdio frame; False: /dev/null
