"""Who acts, where and on what: user, agent, runtime, task. And how all that is named.

Identifiers are short, random, and carry a prefix that tells their kind
(`s-` session, `t-` task, `c-` call, `u-` use, `g-` grant, `l-` lease, `a-` approval).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum

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
class Process:
    """A process named so that a reused pid cannot be taken for it."""

    pid: int
    start_time: int  # clock ticks after boot: field 22 of /proc/PID/stat
