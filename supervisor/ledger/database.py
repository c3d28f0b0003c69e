"""The ledger's SQLite file, used by one thread: batches in, durable records out.

Write-ahead log with `synchronous=FULL`: a commit is on the disk when it returns. Rows hold the
canonical bytes; `task` and `kind` are copies to find them by, and verification compares them.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from supervisor.errors import LedgerBroken, LedgerFailed
from supervisor.ledger.chain import GENESIS, Checkpoint, link
from supervisor.ledger.record import encode
from supervisor.ledger.reserve import Reserve
from supervisor.ledger.signing import CheckpointKey

_APPLICATION = 0x7470_6C67  # "tplg", in the file's header
_SCHEMA = 1

_CREATE = """
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    task TEXT NOT NULL,
    kind TEXT NOT NULL,
    canonical BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS records_by_task ON records (task, seq) WHERE task != '';
CREATE INDEX IF NOT EXISTS records_by_kind ON records (kind, seq);
CREATE TABLE IF NOT EXISTS checkpoints (
    number INTEGER PRIMARY KEY,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    time REAL NOT NULL,
    signature BLOB NOT NULL
) STRICT;
"""

_AT_ONCE = (64, 8, 1)  # rows of one statement
_INSERT = {n: "INSERT INTO records VALUES (?, ?, ?, ?, ?)" + ", (?, ?, ?, ?, ?)" * (n - 1)
           for n in _AT_ONCE}  # fmt: skip

_LOG_BYTES = 4 * 1024 * 1024  # of the write-ahead log; folded when idle, it rarely grows beyond

_HINT = "Free some space, or make the disk writable. Until then no credential is released."

_DAMAGED_HINT = "Keep the file aside, then restore it from a backup or move it away to begin anew."

_SPACE_ERRORS = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN})
_DAMAGE_ERRORS = frozenset({sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT})


class Draft(NamedTuple):
    """A record that is asked for. `reserved`: it may use the space kept aside."""

    kind: str
    body: Mapping[str, Any]
    time: float
    reserved: bool = False


class Written(NamedTuple):
    """A record that is durable."""

    seq: int
    hash: bytes
    canonical: bytes


@dataclass(frozen=True, slots=True)
class CheckpointRule:
    """When the head is signed: after so many records, or so many seconds, at the latest."""

    records: int = 256
    seconds: float = 30.0


class Database:
    """The writing side of one ledger file.

    Raises:
        LedgerFailed: the file cannot be opened for writing.
        LedgerBroken: the records since the last checkpoint do not verify.
    """

    def __init__(
        self,
        path: Path,
        *,
        key: CheckpointKey,
        reserve: Reserve,
        rule: CheckpointRule,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._key = key
        self._reserve = reserve
        self._rule = rule
        self._clock = clock
        self._seq, self._head = 0, GENESIS
        self._checkpoints, self._signed, self._signed_at = 0, 0, clock()
        try:
            self._connection = self._open()
        except sqlite3.Error as error:
            if _primary(error) not in _SPACE_ERRORS:
                raise self._failed(error) from error
            # A restart on a full disk: even opening needs room. Revocations come first.
            self._reserve.release()
            try:
                self._connection = self._open()
            except sqlite3.Error as still:
                raise self._failed(still) from still
        try:
            self._read_heads()
            self._check_tail()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._failed(error) from error
        except LedgerBroken:
            self._connection.close()
            raise
        self._reserve.hold()
        self._make_room()

    @property
    def seq(self) -> int:
        """Number of the last durable record, 0 for none."""
        return self._seq

    @property
    def unsigned(self) -> int:
        """Records since the last checkpoint."""
        return self._seq - self._signed

    def write(self, drafts: Sequence[Draft]) -> list[Written | LedgerFailed]:
        """Make a batch durable in one commit; the answer for each draft, in order.

        Ordinary records are refused while the reserve cannot be held, so that only reserved
        ones ever spend it.
        """
        if self._reserve.hold():
            try:
                return self._commit(drafts)
            except sqlite3.Error as error:
                self._resume()
                refusal = self._failed(error)
        else:
            refusal = LedgerFailed(
                f"The history cannot be written: {self._reserve.problem}.", hint=_HINT
            )
        urgent = [draft for draft in drafts if draft.reserved]
        answers = iter(self._write_urgent(urgent) if urgent else ())
        return [next(answers) if draft.reserved else refusal for draft in drafts]

    def sign(self) -> None:
        """Sign the head, if there is something new. A failure leaves it for the next time."""
        if not self.unsigned:
            return
        try:
            with self._transaction():
                checkpoint = self._sign(self._seq, self._head)
            self._note(checkpoint)
        except sqlite3.Error:
            self._resume()

    def fold(self) -> None:
        """Move the write-ahead log into the main file. Done when idle: it takes milliseconds."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        self.sign()
        with contextlib.suppress(sqlite3.Error):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._connection.close()

    def _write_urgent(self, drafts: Sequence[Draft]) -> list[Written | LedgerFailed]:
        try:
            return self._commit(drafts)  # a single record may fit where a batch did not
        except sqlite3.Error as error:
            self._resume()
            if _primary(error) not in _SPACE_ERRORS:
                return [self._failed(error)] * len(drafts)
        self._reserve.release()
        try:
            return self._commit(drafts)
        except sqlite3.Error as error:
            self._resume()
            return [self._failed(error)] * len(drafts)

    def _commit(self, drafts: Sequence[Draft]) -> list[Written | LedgerFailed]:
        answers: list[Written | LedgerFailed] = []
        rows: list[tuple[int, bytes, str, str, bytes]] = []
        seq, head = self._seq, self._head
        for draft in drafts:
            try:
                canonical = encode(seq + 1, draft.time, draft.kind, head, draft.body)
                task = draft.body.get("task", "")
                if not isinstance(task, str):
                    raise ValueError("task must be a string")
            except ValueError as error:
                answers.append(
                    LedgerFailed(f"A record of kind {draft.kind} cannot be written: {error}.")
                )
                continue
            seq, head = seq + 1, link(head, canonical)
            rows.append((seq, head, task, draft.kind, canonical))
            answers.append(Written(seq, head, canonical))
        checkpoint = None
        if len(rows) in _AT_ONCE and not self._due(seq):
            self._insert(rows)  # one statement is a transaction by itself
        else:
            with self._transaction():
                self._insert(rows)
                checkpoint = self._sign(seq, head) if self._due(seq) else None
        self._seq, self._head = seq, head
        if checkpoint is not None:
            self._note(checkpoint)
        return answers

    def _insert(self, rows: Sequence[tuple[int, bytes, str, str, bytes]]) -> None:
        """Several rows by one statement: each gives up the interpreter's lock to whoever waits, and
        waits for it again. With one for each row, that cost every request two such waits."""
        at = 0
        while at < len(rows):
            count = next(count for count in _AT_ONCE if count <= len(rows) - at)
            values = [value for row in rows[at : at + count] for value in row]
            self._connection.execute(_INSERT[count], values)
            at += count

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            # SQLite rolls back by itself after some errors, and then has nothing to roll back.
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _due(self, seq: int) -> bool:
        new = seq - self._signed
        late = self._clock() - self._signed_at >= self._rule.seconds
        return new >= self._rule.records or (new > 0 and late)

    def _sign(self, seq: int, head: bytes) -> Checkpoint:
        checkpoint = self._key.sign(self._checkpoints + 1, seq, head, self._clock())
        self._connection.execute(
            "INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?)",
            (
                checkpoint.number,
                checkpoint.seq,
                checkpoint.hash,
                checkpoint.time,
                checkpoint.signature,
            ),
        )
        return checkpoint

    def _note(self, checkpoint: Checkpoint) -> None:
        self._checkpoints, self._signed = checkpoint.number, checkpoint.seq
        self._signed_at = self._clock()

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, isolation_level=None, timeout=5.0, check_same_thread=False
        )
        try:
            found = connection.execute("PRAGMA application_id").fetchone()[0]
            schema = connection.execute("PRAGMA user_version").fetchone()[0]
            if (found, schema) not in {(0, 0), (_APPLICATION, _SCHEMA)}:
                raise LedgerFailed(
                    f"{self._path} is not a ledger that this version can write.",
                    hint="Move it away, or use the version that wrote it.",
                )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")  # `fold` does it, when idle
            if not found:
                connection.executescript(
                    f"BEGIN; {_CREATE} PRAGMA application_id = {_APPLICATION};"
                    f"PRAGMA user_version = {_SCHEMA}; COMMIT;"
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _make_room(self) -> None:
        """Let the write-ahead log have its usual size from the beginning.

        Blocks that are overwritten need no commit of the file system's own journal, for which a
        record would wait whenever another program syncs: 0.1 ms instead of up to 4. SQLite takes
        zeros behind the last frame for what they are, no frame.
        """
        with contextlib.suppress(OSError):  # slower without, not worse
            fd = os.open(f"{self._path}-wal", os.O_WRONLY | os.O_CLOEXEC)
            try:
                size, disk = os.fstat(fd).st_size, os.fstatvfs(fd)
                if size < _LOG_BYTES < disk.f_bavail * disk.f_frsize // 16:
                    os.pwrite(fd, bytes(_LOG_BYTES - size), size)
                    os.fsync(fd)
            finally:
                os.close(fd)

    def _resume(self) -> None:
        """After a failure: what is on the disk is where the chain goes on."""
        with contextlib.suppress(sqlite3.Error):
            self._read_heads()

    def _read_heads(self) -> None:
        last = self._connection.execute(
            "SELECT seq, hash FROM records ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        signed = self._connection.execute(
            "SELECT number, seq FROM checkpoints ORDER BY number DESC LIMIT 1"
        ).fetchone()
        self._seq, self._head = last or (0, GENESIS)
        self._checkpoints, self._signed = signed or (0, 0)

    def _check_tail(self) -> None:
        """Refuse to go on from a head that was tampered with: the last signed record and later."""
        first = max(self._signed, 1)
        before = self._connection.execute(
            "SELECT hash FROM records WHERE seq = ?", (first - 1,)
        ).fetchone()
        rows = self._connection.execute(
            "SELECT seq, hash, canonical FROM records WHERE seq >= ? ORDER BY seq", (first,)
        ).fetchall()
        signed = self._connection.execute(
            "SELECT hash FROM checkpoints WHERE number = ?", (self._checkpoints,)
        ).fetchone()
        prev, seq = before[0] if before else GENESIS, first - 1
        for number, digest, canonical in rows:
            seq += 1
            if number != seq or link(prev, canonical) != digest:
                raise self._broken(seq)
            if seq == self._signed and digest != signed[0]:
                raise self._broken(seq)
            prev = digest
        if seq < self._signed:
            raise self._broken(self._signed)

    def _broken(self, seq: int) -> LedgerBroken:
        return LedgerBroken(
            f"The history in {self._path} was changed at record {seq}.",
            hint="`taskpass verify` says more. Keep the file aside, then move it away to go on.",
        )

    def _failed(self, error: sqlite3.Error) -> LedgerFailed:
        damaged = _primary(error) in _DAMAGE_ERRORS
        return LedgerFailed(
            f"The history in {self._path} cannot be written: {error}.",
            hint=_DAMAGED_HINT if damaged else _HINT,
        )


def _primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for errors of the Python module itself."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF
