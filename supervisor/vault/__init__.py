"""Secrets at rest, their stand-ins, and how secrets are kept out of what we write."""

from supervisor.vault.store import FileVault, open_vault

__all__ = ["FileVault", "open_vault"]
