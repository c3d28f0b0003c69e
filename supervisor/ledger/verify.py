"""Verify a ledger file from end to end, with or without a supervisor that writes to it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from supervisor.errors import LedgerBroken, NotFound
from supervisor.ledger.chain import Verification, check
from supervisor.ledger.database import read_checkpoints, read_rows
from supervisor.ledger.files import key_path, open_reader
from supervisor.ledger.signing import CheckpointKey, fingerprint


def verify(ledger: Path, *, sign_key: CheckpointKey | None = None) -> Verification:
    """Every record, every link and every checkpoint. Reads one consistent state.

    Args:
        sign_key: by default the key file beside the ledger.

    Raises:
        NotFound: there is no ledger, or not the key its checkpoints are signed with.
        LedgerBroken: the file cannot be read as a ledger at all.
    """
    if not ledger.exists():
        raise NotFound(f"There is no history at {ledger} yet.", hint="Run a task first.")
    if sign_key is None:
        # A key made now could never have signed anything: do not make one.
        if not key_path(ledger).exists():
            raise NotFound(
                f"The signing key {key_path(ledger)} is missing.",
                hint="Restore it; without it the checkpoints cannot be verified.",
            )
        sign_key = CheckpointKey.from_file(key_path(ledger))
    try:
        with closing(open_reader(ledger)) as connection:
            connection.execute("BEGIN")  # records and checkpoints of the same moment
            found = check(read_rows(connection), read_checkpoints(connection), sign_key.valid)
            return replace(found, key=fingerprint(sign_key.public))
    except sqlite3.Error as error:
        raise LedgerBroken(
            f"{ledger} cannot be read as a history: {error}.",
            hint="Keep the file aside, then restore it from a backup.",
        ) from error
