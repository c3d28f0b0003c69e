"""What clients and supervisor say to each other about where secrets are kept."""

from __future__ import annotations

from supervisor.protocol.wire import Wire


class VaultView(Wire, frozen=True, kw_only=True):
    """GET /v1/vault

    Attributes:
        protection: where a new secret would go, in words; "" where that place is locked.
        locked: secrets wait for the passphrase.
        keyring: whether a system keyring answers.
        moved: names of what the request moved.
    """

    protection: str
    locked: bool = False
    keyring: bool = False
    moved: tuple[str, ...] = ()


class Unlock(Wire, frozen=True, kw_only=True):
    """POST /v1/vault/unlock"""

    passphrase: str

    def __repr__(self) -> str:
        return "Unlock(…)"


class Protect(Wire, frozen=True, kw_only=True):
    """POST /v1/vault/protect. `passphrase`: where it is to be the protection."""

    protection: str
    passphrase: str = ""

    def __repr__(self) -> str:
        return f"Protect(protection={self.protection!r}, …)"
