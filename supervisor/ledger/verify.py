"""Verify a ledger file from end to end, with or without a supervisor that writes to it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from supervisor.errors import NotFound
from supervisor.ledger.chain import Verification, check
from supervisor.ledger.files import key_path
from supervisor.ledger.reading import reading
from supervisor.ledger.signing import CheckpointKey, fingerprint


def verify(ledger: Path, *, sign_key: CheckpointKey | None = None) -> Verification:
    """Every record, every link and every checkpoint. Reads one consistent state.

    Args:
        sign_key: by default the key file beside the ledger.

    Raises:
        NotFound: there is no ledger, or not the key its checkpoints are signed with.
        LedgerBroken: the file cannot be read as a ledger at all.
    """
    with reading(ledger) as source:
        if sign_key is None:
            # A key made now could never have signed anything: do not make one.
            if not key_path(ledger).exists():
                raise NotFound(
                    f"The signing key {key_path(ledger)} is missing.",
                    hint="Restore it; without it the checkpoints cannot be verified.",
                )
            sign_key = CheckpointKey.from_file(key_path(ledger))
        found = check(source.rows(), source.checkpoints(), sign_key.valid)
        return replace(found, key=fingerprint(sign_key.public))
