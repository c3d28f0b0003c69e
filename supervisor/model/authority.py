"""What a person answers, and the authority that a task holds by it: grants, leases, credentials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from supervisor.model.calls import Effect, Risk


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
