"""The key that signs checkpoints: Ed25519 (RFC 8032), in a 0600 file, made on first use."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

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

    def sign(self, number: int, seq: int, head: bytes, time: float) -> Checkpoint:
        bare = Checkpoint(number, seq, head, round(time, 6), b"")
        signature = self._private.sign(bare.statement())
        return Checkpoint(number, seq, head, bare.time, signature)

    def valid(self, checkpoint: Checkpoint) -> bool:
        try:
            self._public.verify(checkpoint.signature, checkpoint.statement())
        except InvalidSignature:
            return False
        return True
