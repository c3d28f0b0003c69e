"""Reading a ledger file from end to end or around one record, beside the supervisor that writes it.

Each reader has a connection of its own, and sees one consistent state of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from supervisor.errors import LedgerBroken, NotFound
from supervisor.ledger.chain import Checkpoint, Row
from supervisor.ledger.files import open_reader

_ROW = "SELECT seq, hash, task, kind, canonical FROM records"
_CHECKPOINT = "SELECT number, seq, hash, time, signature FROM checkpoints"


class Reading:
    """One state of a ledger file; made by `reading`. Used by one thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @property
    def head(self) -> int:
        """Number of the last record, 0 for none."""
        found = self._connection.execute("SELECT max(seq) FROM records").fetchone()
        return int(found[0] or 0)

    def rows(
        self,
        *,
        after: int = 0,
        before: int = 0,
        tasks: Sequence[str] = (),
        kinds: Sequence[str] = (),
        newest_first: bool = False,
    ) -> Iterator[Row]:
        """Records with numbers between the two (0: no bound), of any of these tasks and kinds."""
        where: list[str] = []
        values: list[int | str] = []
        for test, bound in (("seq > ?", after), ("seq < ?", before)):
            if bound:
                where.append(test)
                values.append(bound)
        for column, wanted in (("task", tasks), ("kind", kinds)):
            if wanted:
                where.append(f"{column} IN ({', '.join('?' * len(wanted))})")
                values += wanted
        if tasks:  # what the index of tasks is partial by
            where.append("task != ''")
        order = "DESC" if newest_first else "ASC"
        # Only our own words are put together here; every value is a parameter.
        query = f"{_ROW} WHERE {' AND '.join(where) or 'TRUE'} ORDER BY seq {order}"
        for row in self._connection.execute(query, values):
            yield Row(*row)

    def row(self, seq: int) -> Row | None:
        """The record of this number."""
        found = self._connection.execute(f"{_ROW} WHERE seq = ?", (seq,)).fetchone()
        return Row(*found) if found else None

    def checkpoint_over(self, seq: int) -> Checkpoint | None:
        """The first checkpoint that was signed at `seq` or later."""
        found = self._connection.execute(
            f"{_CHECKPOINT} WHERE seq >= ? ORDER BY number LIMIT 1", (seq,)
        ).fetchone()
        return Checkpoint(*found) if found else None

    def checkpoints(self) -> Iterator[Checkpoint]:
        """All checkpoints in order."""
        for row in self._connection.execute(f"{_CHECKPOINT} ORDER BY number"):
            yield Checkpoint(*row)


@contextmanager
def reading(ledger: Path) -> Iterator[Reading]:
    """One consistent state of the file at `ledger`. Blocking: use it in a thread.

    Raises:
        NotFound: there is no ledger.
        LedgerBroken: the file cannot be read as one.
    """
    if not ledger.exists():
        raise NotFound(f"There is no history at {ledger} yet.", hint="Run a task first.")
    try:
        connection = open_reader(ledger)
        try:
            connection.execute("BEGIN")
            yield Reading(connection)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise LedgerBroken(
            f"{ledger} cannot be read as a history: {error}.",
            hint="Keep the file aside, then restore it from a backup.",
        ) from error
