"""The typed wire format between supervisor and screens. Structs only.

HTTP bodies are JSON of these structs; the event stream is one JSON object a line, tagged by
`type`. What is said to holders is in `holder_wire`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from supervisor.model import ApprovalRequest, Grant, Lease, McpServer

PROTOCOL = 1  # raise on any incompatible change; the handshake refuses a mismatch


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Base of all messages."""


# ── Handshake ───────────────────────────────────────────────────────────────────────────


class Hello(Wire, frozen=True, kw_only=True):
    """GET /v1/hello?nonce=HEX. `proof`: see `supervisor.protocol.proof`."""

    protocol: int
    version: str
    pid: int
    session: str
    proof: str


class Problem(Wire, frozen=True, kw_only=True):
    """Body of every answer that is not 2xx."""

    code: str
    message: str
    hint: str = ""


# ── What screens see ────────────────────────────────────────────────────────────────────


class TaskView(Wire, frozen=True, kw_only=True):
    id: str
    number: int  # 1, 2, 3 … as shown and typed; 0 of one below another, called by its `path`
    path: str = ""  # "1.2" for the second task below task 1: a subagent's, or a command's
    subagent: str = ""  # its agent's name for it, a claim; "" for a task with a process tree
    purpose: str
    state: str  # model.TaskState value
    user: str  # "ana@host"
    person: str = ""  # who that is by an OpenID provider, "" for the account alone …
    person_issuer: str = ""  # … the provider …
    person_until: float = 0.0  # … and until when it says so, POSIX seconds
    agent: str  # "claude-code 2.1.330"
    profile: str
    runtime: str  # "laptop"
    tier: str  # model.Tier value
    tier_detail: str = ""
    containment: str = "off"  # "standard", "strict", "off"
    exposed: tuple[str, ...] = ()  # uncontained: what stays readable by the agent
    holes: tuple[str, ...] = ()  # ways out as good as root that are open to it
    agent_sandbox: str = ""  # what became of the agent's own; "" where it has none
    limits: tuple[str, ...] = ()  # of memory, processors, processes, in words
    call_identity: str = "call"
    preset: str = "standard"
    cwd: str
    repository: str = ""
    branch: str = ""
    parent: str = ""
    epoch: int = 0
    created: float
    ended: float = 0.0
    exit_code: int | None = None
    failure: str = ""  # why it never ran
    tree_left: int | None = None  # revoked: processes left of it; None: that is not known yet
    pane: bool = True  # has a terminal
    model_access: str = "passthrough"
    allowed: int = 0
    asked: int = 0
    denied: int = 0
    overlay: bool = False  # its changes wait in an overlay
    recorded: bool = False  # what its terminal shows is kept
    to_review: int = 0
    cpu_pct: float = 0.0  # of one core; this and the next two while somebody watches the events
    rss_bytes: int = 0
    processes: int = 0  # of its tree; 0: not looked at yet, or none is left

    @property
    def called(self) -> str:
        """How people call it: "2", or "2.1" for its first subagent."""
        return self.path or str(self.number)


class Snapshot(Wire, frozen=True, kw_only=True, tag="snapshot"):
    """First line of the event stream, and GET /v1/snapshot."""

    session: str
    now: float
    tasks: tuple[TaskView, ...] = ()
    grants: tuple[Grant, ...] = ()
    leases: tuple[Lease, ...] = ()
    approvals: tuple[ApprovalRequest, ...] = ()
    owed: tuple[OwedView, ...] = ()
    locked: bool = False  # secrets wait for their passphrase
    records: tuple[dict[str, Any], ...] = ()  # the latest, oldest first


class TaskChanged(Wire, frozen=True, kw_only=True, tag="task"):
    task: TaskView


class GrantChanged(Wire, frozen=True, kw_only=True, tag="grant"):
    grant: Grant
    live: bool = True


class LeaseChanged(Wire, frozen=True, kw_only=True, tag="lease"):
    lease: Lease  # its `state` tells the rest


class ApprovalAsked(Wire, frozen=True, kw_only=True, tag="approval"):
    approval: ApprovalRequest


class ApprovalAnswered(Wire, frozen=True, kw_only=True, tag="answered"):
    id: str
    answer: str
    by: str = ""


class OwedView(Wire, frozen=True, kw_only=True):
    """A credential whose lease has ended here, and which is not known to be dead elsewhere."""

    id: str
    lease: str
    task: str
    credential: str
    issuer: str
    state: str  # model.LeaseState: unconfirmed, irrevocable, possibly live, dies by itself
    ended: float  # POSIX seconds: when its lease did
    until: float  # when it dies by itself
    tries: int = 0  # how often the other end was asked
    problem: str = ""  # what came of it, "" for nothing yet


class OwedChanged(Wire, frozen=True, kw_only=True, tag="owed"):
    owed: OwedView
    live: bool = True  # False: it is dead


class Recorded(Wire, frozen=True, kw_only=True, tag="record"):
    """A ledger record, as `LedgerStore.read` gives it."""

    record: dict[str, Any]


Event = (
    Snapshot | TaskChanged | GrantChanged | LeaseChanged | ApprovalAsked | ApprovalAnswered
    | OwedChanged | Recorded
)  # fmt: skip


# ── What clients ask ────────────────────────────────────────────────────────────────────


class StartTask(Wire, frozen=True, kw_only=True):
    """POST /v1/tasks"""

    argv: tuple[str, ...]
    cwd: str
    environ: dict[str, str]
    purpose: str = ""
    profile: str = ""  # "" recognises it from argv
    interactive: bool = True  # False: --headless, the client passes its stdio to the holder
    cols: int = 120
    rows: int = 40
    contain: str = ""  # "off" | "standard" | "strict"; "" for the person's
    show: tuple[str, ...] = ()  # absolute paths let be read by a contained task
    write: tuple[str, ...] = ()  # … and written
    max_age: float = 0.0  # seconds, 0 for the default
    max_call_age: float = 0.0  # seconds one call may stay open, 0 for the default
    max_calls: int = 0  # 0 for the default
    max_changes: int = -1  # see `model.Limits`
    memory: int = 0  # bytes
    cpus: float = 0.0
    processes: int = 0
    overlay: bool = False  # work on an overlay of the workspace, to be reviewed at the end
    record: bool = False  # keep what its terminal shows
    preset: str = ""  # "" for the person's
    loopback: tuple[int, ...] = ()  # ports of the machine's loopback that it may reach
    umask: int = 0o077  # of the files it makes: that of whoever starts it
    unattended: bool = False  # see `model.Task`; and it ends with whoever starts it
    under: str = ""  # id of a task: one command of the person's own, with what that task may
    ci: str = ""  # the CI system whose job this is
    id_token: str = ""  # … and its token, which is verified and not kept


class Started(Wire, frozen=True, kw_only=True):
    task: TaskView
    socket: str  # the holder's
    token: str  # opens the holder's socket for this pane
    needs_waiting: int = 0  # needs of the project that the person has not answered
    mcp: tuple[McpServer, ...] = ()  # of its MCP servers, those that lack something


class Attached(Wire, frozen=True, kw_only=True):
    """POST /v1/tasks/{id}/attach"""

    socket: str
    token: str


class AnswerApproval(Wire, frozen=True, kw_only=True):
    """POST /v1/approvals/{id}, with the header `Taskpass-Screen: <pairing token>`."""

    approve: bool
    scope: str = "once"  # "once" | "task" | "always": kept in the person's own rules
    minutes: int = 15  # for "task"
    code: str = ""  # required when the request carries one
    note: str = ""  # goes to the agent with a denial
    freeze: bool = False  # deny and freeze the task


class AlwaysView(Wire, frozen=True, kw_only=True):
    """GET /v1/approvals/{id}/always: what an answer for good would write."""

    rule: str  # Cedar
    judged: int  # past calls and uses
    unreadable: int  # of them, those that could not be read again
    changed: tuple[str, ...]  # what would have been decided otherwise: "ask → allow  git push …"


class PolicyChange(Wire, frozen=True, kw_only=True):
    """GET /v1/policy: how the person's policy files differ from what they accepted."""

    digest: str  # of the files as they are
    diff: str  # unified; "" for no difference
    waits: tuple[str, ...]  # what they loosen, one line each: in force after it is accepted


class AcceptPolicy(Wire, frozen=True, kw_only=True):
    """POST /v1/policy/accept, with the header `Taskpass-Screen: <pairing token>`."""

    digest: str  # of the files that the person was shown


class Paired(Wire, frozen=True, kw_only=True):
    """POST /v1/pair"""

    token: str


class RevokedView(Wire, frozen=True, kw_only=True):
    """Answer of every revoke: what is dead, and what is not confirmed yet."""

    tasks: tuple[str, ...]
    leases_dead: int = 0
    leases_unconfirmed: int = 0
    connections_cut: int = 0
    took_ms: float = 0.0  # from the request to refusal, cut and durable tombstone


class ChangeView(Wire, frozen=True, kw_only=True):
    """One path that a task changed in its overlay."""

    path: str  # below the workspace; nothing in it acts on a screen
    kind: str  # "added" | "modified" | "deleted"
    before: str = ""  # "file" | "link" | "directory" | "special" | "" for nothing
    after: str = ""
    mode: int = 0
    mode_before: int = 0
    size: int = 0
    risk: str = ""  # why to look twice
    conflict: str = ""  # why it cannot be applied as it is


class ChangeSetView(Wire, frozen=True, kw_only=True):
    """GET /v1/changes (a list, without `changes`) and GET /v1/changes/{task}?diff=1."""

    task: str
    number: int
    purpose: str
    workspace: str
    running: bool = False
    added: int = 0
    modified: int = 0
    deleted: int = 0
    size: int = 0  # bytes of its files
    digest: str = ""
    changes: tuple[ChangeView, ...] = ()
    diff: str = ""  # as the files have it: make control characters visible


class ApplyChanges(Wire, frozen=True, kw_only=True):
    """POST /v1/changes/{task}/apply"""

    paths: tuple[str, ...] = ()  # those at and below; () for all
    risky: bool = False  # also those with a `risk`


class AppliedView(Wire, frozen=True, kw_only=True):
    applied: int
    left: int = 0


class VerifyView(Wire, frozen=True, kw_only=True):
    ok: bool
    records: int
    checkpoints: int
    message: str
    head: str = ""
    key: str = ""  # fingerprint of the key that signs the checkpoints


class AddCredential(Wire, frozen=True, kw_only=True):
    """POST /v1/credentials. The only message that carries a secret towards the daemon."""

    name: str
    issuer: str
    hosts: tuple[str, ...]
    env: str = ""
    header: str = "authorization"
    scheme: str = "Bearer"
    ttl: float = 60.0
    options: dict[str, str] = {}
    secret: str = ""  # "" for issuers that mint

    def __repr__(self) -> str:
        return f"AddCredential(name={self.name!r}, …)"


class CredentialView(Wire, frozen=True, kw_only=True):
    name: str
    issuer: str
    hosts: tuple[str, ...]
    env: str = ""
    header: str = ""
    scheme: str = ""
    kill_mode: str = ""
    kill_bound: float = 0.0
    created: float = 0.0
    protection: str = ""  # "system keyring" | "passphrase" | "file key" | "" (nothing stored)
    options: dict[str, str] = {}  # of its issuer, never secret
