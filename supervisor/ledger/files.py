"""Which files make up a ledger, and how one is opened for reading."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from urllib.parse import quote


def key_path(ledger: Path) -> Path:
    """The key that signs checkpoints."""
    return ledger.with_name(ledger.name + ".key")


def reserve_path(ledger: Path) -> Path:
    """The space kept aside for revocations."""
    return ledger.with_name(ledger.name + ".reserve")


def open_reader(ledger: Path) -> sqlite3.Connection:
    """A connection that cannot write; usable from any thread, one at a time.

    Raises:
        sqlite3.Error: there is no such ledger, or it cannot be read.
    """
    return sqlite3.connect(
        f"file:{quote(str(ledger))}?mode=ro",
        uri=True,
        isolation_level=None,
        timeout=5.0,
        check_same_thread=False,
    )
