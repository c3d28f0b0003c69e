"""What holds secrets at rest."""

from __future__ import annotations

from typing import Protocol

# How a secret is protected, as `taskpass credential list` says it.
KEYRING = "system keyring"
PASSPHRASE = "passphrase"  # noqa: S105 - a word, not one
FILE_KEY = "file key"  # whoever can read our state directory can read the secret


class SecretStore(Protocol):
    """Named secrets. Blocking: the vault calls it from a worker thread."""

    @property
    def protection(self) -> str:
        """One of the words above."""

    def get(self, name: str) -> str | None:
        """None where there is no such secret. Raises VaultLocked."""

    def put(self, name: str, value: str) -> None:
        """Store or replace. Raises VaultLocked."""

    def delete(self, name: str) -> None:
        """A missing one is deleted cleanly. Raises VaultLocked."""
