"""The words of the system as frozen dataclasses. No I/O, no secrets.

Times are POSIX seconds as float unless a name says otherwise; durations are seconds.
Identifiers are short, random, and carry a prefix that tells their kind
(`s-` session, `t-` task, `c-` call, `u-` use, `g-` grant, `l-` lease, `a-` approval).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# Crockford's base 32, lower case. 256 is a multiple of 32: a random byte chooses evenly.
_CHARACTERS = b"0123456789abcdefghjkmnpqrstvwxyz" * 8
_PIECE = 10  # characters
# Drawn ahead: asking the kernel for each would cost every request some microseconds.
_pieces: list[str] = []
os.register_at_fork(after_in_child=_pieces.clear)


def new_id(prefix: str, length: int = _PIECE) -> str:
    """A fresh identifier such as `t-4k9m…`; 5 bits of randomness a character."""
    text = ""
    while len(text) < length:
        try:
            text += _pieces.pop()
        except IndexError:
            drawn = os.urandom(256 * _PIECE).translate(_CHARACTERS).decode()
            _pieces.extend(drawn[at : at + _PIECE] for at in range(0, len(drawn), _PIECE))
    return f"{prefix}-{text[:length]}"


# ── Identity: user, agent, runtime, task ────────────────────────────────────────────────


class CallIdentity(StrEnum):
    """How surely a use belongs to a call, strongest first (DESIGN.md, Words)."""

    CALL = "call"
    PROCESS = "process"
    SESSION = "session"


class Tier(StrEnum):
    """Containment tier (reference: attack matrix in SECURITY.md)."""

    A = "A"  # namespaces: what the task must not reach is not there
    B = "B"  # Landlock and a gate on connections: what it must not reach is refused
    UNCONTAINED = "uncontained"

    @property
    def contained(self) -> bool:
        """Whether files and network are held, so that what a command does stays in the task."""
        return self is not Tier.UNCONTAINED


class Evidence(StrEnum):
    """What backs the runtime's claim."""

    NONE = "none"
    OS = "os"
    OIDC = "oidc"
    SVID = "svid"


@dataclass(frozen=True, slots=True)
class Verified:
    """A person whom an OpenID provider vouched for. `until`: POSIX seconds; then nobody does."""

    issuer: str
    subject: str
    name: str  # for people to read
    until: float


@dataclass(frozen=True, slots=True)
class User:
    """The OS account the supervisor runs as, and who that is where somebody says so."""

    uid: int
    name: str
    host: str
    verified: Verified | None = None

    def evidence(self, now: float) -> Evidence:
        return Evidence.OIDC if self.verified and now < self.verified.until else Evidence.OS

    @property
    def label(self) -> str:
        return f"{self.name}@{self.host}"


@dataclass(frozen=True, slots=True)
class Agent:
    """The program under supervision, with the evidence we have for it."""

    profile: str  # "claude-code"
    executable: str  # real path
    digest: str  # "sha256:<hex>" of the executable
    version: str  # "" where the program does not tell
    call_identity: CallIdentity

    @property
    def label(self) -> str:
        return f"{self.profile} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Job:
    """A job of a CI system, as the system's OIDC provider vouched for it.

    Ids stay with what they name; the names are for people and may change hands.
    """

    system: str  # "github-actions" | "gitlab" | "circleci" | "buildkite"
    issuer: str
    repository_id: str
    repository: str
    ref: str
    run: str  # the run, build or pipeline and what of it; "" where the token does not say
    runner: str = ""  # who keeps the machine, in the system's words; "" where it does not say
    protected: bool = False  # whether the ref is, where the system says so


def job_of(job: Job) -> dict[str, str]:
    """A job as records and tokens name it."""
    return {
        "system": job.system,
        "issuer": job.issuer,
        "repository_id": job.repository_id,
        "repository": job.repository,
        "ref": job.ref,
        "run": job.run,
    }


@dataclass(frozen=True, slots=True)
class Runtime:
    """Where it runs."""

    kind: str  # "laptop" | "container" | "ci" | "sandbox": elsewhere
    evidence: Evidence
    tier: Tier
    detail: str = ""  # why not a better tier, or what the evidence is
    sandbox_profile: str = ""  # "sha256:<hex>" of the containment plan
    holes: tuple[str, ...] = ()  # ways out as good as root that are open to the task, in words
    containment: str = "off"  # "standard" or "strict"; "off" when nothing contains it
    guarded: tuple[str, ...] = ()  # paths it can see and not change
    masked: tuple[str, ...] = ()  # paths it can name and not read
    denied: tuple[str, ...] = ()  # paths that are kept from it wherever they lie
    writable: tuple[str, ...] = ()  # paths it can write to, but for those
    let_read: tuple[str, ...] = ()  # what the person let it read, or write, on top
    let_write: tuple[str, ...] = ()
    agent_sandbox: str = ""  # what became of a sandbox of the agent's own; "" where it has none
    job: Job | None = None  # what backs `evidence`, where that is OIDC


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a task whatever policy says."""

    max_age: float = 8 * 3600.0  # seconds a task may live
    max_call_age: float = 900.0  # seconds one call may stay open
    max_calls: int = 10_000
    max_changes: int = -1  # files, rows, refs and requests it may change; -1: any number
    memory: int = 0  # bytes its processes may use together; 0: any
    cpus: float = 0.0  # processors they may keep busy together; 0: any
    processes: int = 0  # how many there may be, threads counted; 0: any


@dataclass(frozen=True, slots=True)
class Usage:
    """What a task's processes use now: all that its holder has below it."""

    cpu_pct: float = 0.0  # of one core, over the last seconds
    rss_bytes: int = 0  # what several have in common counts once for each
    processes: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """What a project said its tasks need, where the person accepted it (`policy.needs`)."""

    resource: str  # "api.example.com" or "api.example.com:8443"
    path: str = ""  # whole segments from the beginning; "" for all of it
    verbs: tuple[str, ...] = ()  # "read", "write", "delete" or HTTP methods; () as policy allows
    lifetime: float = 0.0  # seconds from the task's start; 0: as long as the task
    why: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """A bounded piece of work. Immutable: its epoch and state live in the grant book."""

    id: str
    session: str
    purpose: str
    cwd: str
    argv: tuple[str, ...]
    user: User
    agent: Agent
    runtime: Runtime
    limits: Limits
    created: float
    repository: str = ""  # top level of the git work tree, "" outside one
    branch: str = ""
    parent: str = ""  # id of the parent task, for subagents and resumed tasks
    subagent: str = ""  # what its agent calls it: a claim; "" for a task with a process tree
    preset: str = "standard"
    overlay: bool = False  # works on a copy of its workspace, to be reviewed
    record: bool = False  # what its terminal shows is kept
    needs: tuple[Need, ...] = ()  # of its project, as the person accepted them
    unattended: bool = False  # nobody is expected to answer: what asks is denied

    @property
    def workspace(self) -> str:
        """Where the task's own work is: its repository, else its working directory."""
        return self.repository or self.cwd

    @property
    def ends(self) -> float:
        """When it is too old, POSIX seconds."""
        return self.created + self.limits.max_age


@dataclass(frozen=True, slots=True)
class Process:
    """A process named so that a reused pid cannot be taken for it."""

    pid: int
    start_time: int  # clock ticks after boot: field 22 of /proc/PID/stat


# ── Calls and what they would do ────────────────────────────────────────────────────────


class ToolKind(StrEnum):
    """What an agent's tool is, after normalisation by its profile."""

    SHELL = "shell"
    READ = "read"
    WRITE = "write"
    FETCH = "fetch"
    MCP = "mcp"
    AGENT = "agent"  # spawns a subagent
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call as its profile normalised it. `arguments` is what the agent asked for, verbatim."""

    agent_call_id: str  # the agent's own id ("" where it has none)
    tool: str  # the agent's own name for the tool
    kind: ToolKind
    arguments: Mapping[str, Any]
    cwd: str
    command: str = ""  # shell text, for ToolKind.SHELL
    paths: tuple[str, ...] = ()  # files named by a file tool, absolute
    url: str = ""  # of a fetch, or of the MCP server that is asked
    subagent: str = ""  # claim, from the agent: never authority
    subagent_kind: str = ""  # … what it is called
    note: str = ""  # the agent's own words about the call: untrusted
    definition: str = ""  # digest of the tool's definition, "" where nobody pins it
    # All that runs in its task while it is open is for it (the gateway's calls, one at a time).
    alone: bool = False

    @property
    def name(self) -> str:
        """As policy says it: the agent's name for the tool in lower case, `bash` for any shell."""
        return "bash" if self.kind is ToolKind.SHELL else self.tool.lower()

    @property
    def method(self) -> bool:
        """Whether it is no tool but one of the MCP protocol's own requests: `mcp__notes__@…`."""
        name = self.tool.removeprefix("mcp__").partition("__")[2]
        return self.kind is ToolKind.MCP and name.startswith("@")


@dataclass(frozen=True, slots=True)
class McpServer:
    """An MCP server that an agent is configured with, as its task has it: behind the gateway."""

    name: str
    without: tuple[str, ...] = ()  # variables and headers with a secret, which it was not given
    left_out: str = ""  # why it is not there at all; "" where it is


class Verb(StrEnum):
    """The typed effects policy decides about; each is a Cedar action of the same name."""

    RUN = "run"  # resource: program
    READ = "read"  # resource: path
    WRITE = "write"  # resource: path
    DELETE = "delete"  # resource: path
    CONNECT = "connect"  # resource: host:port, no request seen
    HTTP = "http"  # resource: host; attributes method, path
    PUSH = "push"  # resource: "REMOTE REF"
    SQL = "sql"  # resource: database
    INSTALL = "install"  # resource: package manager
    OPERATE = "operate"  # resource: "SYSTEM OPERATION" on a live system that others share
    MCP = "mcp"  # resource: server.tool
    SPAWN = "spawn"  # resource: subagent
    OTHER = "other"  # resource: tool name


class Risk(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


AS_WEBSOCKET = " as a WebSocket"  # at the end of a request's label


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing a call or a use would do."""

    verb: Verb
    resource: str
    attributes: Mapping[str, str | int | bool] = field(default_factory=dict)

    @property
    def label(self) -> str:
        method = self.attributes.get("method")
        if self.verb is Verb.HTTP:
            label = f"{method} {self.resource}{self.attributes.get('path', '')}"
            if self.attributes.get("websocket"):
                return label + AS_WEBSOCKET
            if graphql := self.attributes.get("graphql"):
                label += f" {graphql} {str(self.attributes.get('fields', '')).strip()}".rstrip()
            return label
        return f"{self.verb} {self.resource}"


# ── Decisions and approvals ─────────────────────────────────────────────────────────────


class Outcome(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """What policy said, and by which rules."""

    outcome: Outcome
    reason: str
    policies: tuple[str, ...] = ()  # ids, as written in @id
    hint: str = ""  # the way that works, for a denial
    risk: Risk = Risk.LOW
    about: tuple[Effect, ...] = ()  # the effects that asked, or the one that was denied
    lease: bool = True  # False: it may run, but a use under it has to ask first


class Scope(StrEnum):
    """How far an approval reaches."""

    ONCE = "once"  # this call hash, one time
    TASK = "task"  # the class (task, effect, resource), for a time


class Answer(StrEnum):
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What a person is asked. Everything a screen shows comes from here."""

    id: str
    task: str
    epoch: int
    call: str  # id of the call it belongs to
    call_hash: str
    title: str  # the whole command or request, as it is
    effects: tuple[Effect, ...]
    asking: tuple[str, ...]  # policy ids that asked
    reason: str
    risk: Risk
    created: float
    expires: float
    code: str = ""  # to be typed by the person when risk is high
    agent_note: str = ""  # untrusted
    change: tuple[str, ...] = ()  # what it adds to the task's current grants
    credential: str = ""  # name of the credential it would release, "" for none
    cwd: str = ""  # where the call would run
    arguments: str = ""  # what a tool without a command is given, in full
    diff: str = ""  # what it would change in a file; the agent's text


@dataclass(frozen=True, slots=True)
class Approval:
    """A person's answer (or its absence)."""

    id: str
    answer: Answer
    scope: Scope
    by: str  # label of the person or screen; "" when it expired
    at: float
    note: str = ""
    expires: float = 0.0  # of a TASK-scoped approval


# ── Grants, leases, credentials ─────────────────────────────────────────────────────────


class LeaseState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    REVOKED = "revoked"
    EXPIRED = "expired"
    POSSIBLY_LIVE = "possibly live"  # after a crash between intent and delivery
    # Ended here, and not known to be dead elsewhere:
    UNCONFIRMED = "unconfirmed"  # the other end is asked again until it confirms
    IRREVOCABLE = "irrevocable"  # nothing is left to ask, or it was asked in vain
    EXPIRING = "dies by itself"  # verified offline: nobody can be told


class KillMode(StrEnum):
    """How a credential is made to stop working."""

    WIRE = "wire"  # we are on the wire: cut at once
    VERIFIER = "verifier"  # verifies offline: dies at expiry
    UPSTREAM = "upstream"  # deleted at the other end


@dataclass(frozen=True, slots=True)
class Grant:
    """Authority a task holds over one credential at one host."""

    id: str
    task: str
    credential: str
    resource: str
    issuer: str
    kill_mode: KillMode
    kill_bound: float  # seconds, worst case
    created: float
    expires: float
    uses: int = 0
    last_used: float = 0.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A grant in use by one open call."""

    id: str
    grant: str
    task: str
    call: str
    epoch: int
    opened: float
    expires: float
    state: LeaseState = LeaseState.OPEN
    uses: int = 0


@dataclass(frozen=True, slots=True)
class CredentialSpec:
    """What the vault knows about a credential besides its secret."""

    name: str
    issuer: str  # "stored" | "local-jwt"
    hosts: tuple[str, ...]  # "api.example.com" or "api.example.com:8443"
    env: str = ""  # variable that carries the surrogate into the task
    header: str = "authorization"
    scheme: str = "Bearer"  # "" for a bare value
    ttl: float = 60.0  # seconds, for minted ones
    created: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)  # issuer-specific, never secret
    protection: str = ""  # where its secret lies, in words; "" while there is none


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call, from announcement to settlement."""

    id: str
    task: str
    epoch: int
    tool_call: ToolCall
    call_hash: str
    effects: tuple[Effect, ...]
    decision: Decision
    opened: float
    identity: CallIdentity
    root: Process | None = None  # the process tree it may use credentials from


class TaskState(StrEnum):
    """As the task list shows it."""

    STARTING = "starting"
    WORKING = "working"
    WAITING_YOU = "waiting for you"
    WAITING_APPROVAL = "waiting for approval"
    IDLE = "idle"
    FROZEN = "frozen"
    REVOKED = "revoked"
    ENDED = "ended"
    LOST = "lost"  # its holder died, and its processes with it


@dataclass(frozen=True, slots=True)
class FileDoor:
    """Something outside a task's container that one call may reach."""

    path: str  # where the call looks for it
    source: str  # its real path: the same where no link leads there
    write: bool = False
