"""The key that signs checkpoints: Ed25519 (RFC 8032), in a 0600 file, made on first use."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from supervisor.errors import ConfigError
from supervisor.ledger.chain import Checkpoint
from supervisor.paths import private_file


class CheckpointKey:
    """Signs heads of the chain and checks such signatures."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._private = key
        self._public = key.public_key()

    @classmethod
    def from_file(cls, path: Path) -> CheckpointKey:
        """The key at `path` (32 raw bytes).

        Raises:
            ConfigError: the file is not ours, is readable by others, or holds no key.
        """
        raw = private_file(path, lambda: Ed25519PrivateKey.generate().private_bytes_raw())
        try:
            return cls(Ed25519PrivateKey.from_private_bytes(raw))
        except ValueError as error:
            raise ConfigError(
                f"{path} does not hold a signing key.",
                hint="Restore it from a backup; without it old checkpoints cannot be verified.",
            ) from error

    @property
    def public(self) -> bytes:
        """What checks the signatures: 32 bytes."""
        return self._public.public_bytes_raw()

    def sign_statement(self, statement: bytes) -> bytes:
        """Sign another statement about the chain: a line of text that begins with what it is."""
        return self._private.sign(statement)

    def sign(self, number: int, seq: int, head: bytes, time: float) -> Checkpoint:
        bare = Checkpoint(number, seq, head, round(time, 6), b"")
        signature = self._private.sign(bare.statement())
        return Checkpoint(number, seq, head, bare.time, signature)

    def valid(self, checkpoint: Checkpoint) -> bool:
        return signed_by(self.public, checkpoint.statement(), checkpoint.signature)


def signed_by(public: bytes, statement: bytes, signature: bytes) -> bool:
    """Whether the owner of a public key (32 bytes) signed this."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, statement)
    except (InvalidSignature, ValueError):
        return False
    return True


def fingerprint(public: bytes) -> str:
    """How a key is told to a person: `SHA256:` and 43 characters, as OpenSSH does it."""
    digest = base64.b64encode(hashlib.sha256(public).digest()).decode()
    return f"SHA256:{digest.rstrip('=')}"
