"""Who makes credentials, and who keeps what they are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from supervisor.model import CredentialSpec, Effect, KillMode, Task


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

    @abstractmethod
    def borrow(self, task: str, name: str, secret: Secret) -> None:
        """Hold a secret of another vault in memory for this task, until it is forgotten."""

    @abstractmethod
    def borrowed(self, task: str, name: str) -> Secret | None:
        """What this task borrowed last, None for nothing."""
