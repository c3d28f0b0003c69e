"""What was acknowledged is there after any end; what cannot be written is refused."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.errors import LedgerBroken, LedgerFailed, NotFound
from supervisor.ledger.database import CheckpointRule
from supervisor.ledger.store import SqliteLedger
from supervisor.ledger.verify import verify

WRITER = """
import asyncio, sys
from pathlib import Path
from supervisor.ledger.database import CheckpointRule
from supervisor.ledger.store import SqliteLedger

async def writer(ledger):
    while True:
        entry = await ledger.append("use.done", {"task": "t-1", "note": "x" * 200})
        sys.stdout.write(f"{entry.seq}\\n")
        sys.stdout.flush()

async def main():
    ledger = SqliteLedger(Path(sys.argv[1]), rule=CheckpointRule(records=16))
    await asyncio.gather(*(writer(ledger) for _ in range(3)))

asyncio.run(main())
"""


@pytest.mark.parametrize("rounds", [4, pytest.param(60, marks=pytest.mark.full)])
def test_sigkill_loses_no_acknowledged_record(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "ledger.db"
    chance = random.Random(7)
    acknowledged = 0
    for _ in range(rounds):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, 400)):
                acknowledged = max(acknowledged, int(process.stdout.readline()))
            process.send_signal(signal.SIGKILL)
            whole = [line for line in process.stdout.read().splitlines(True) if line[-1] == "\n"]
            acknowledged = max([acknowledged, *map(int, whole)])
        result = verify(path)
        assert result.ok, result.message
        assert result.records >= acknowledged
    assert acknowledged >= rounds
    assert result.checkpoints >= 1


async def test_a_checkpoint_is_signed_by_number_by_time_and_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    now = 1000.0
    ledger = SqliteLedger(path, rule=CheckpointRule(records=3, seconds=60.0), clock=lambda: now)
    for _ in range(4):
        await ledger.append("x", {})
    assert verify(path).checkpoints == 1
    now += 61.0
    await ledger.append("x", {})
    assert verify(path).checkpoints == 2
    await ledger.append("x", {})
    await ledger.close()
    result = verify(path)
    assert (result.ok, result.records, result.checkpoints) == (True, 6, 3)


async def test_the_head_is_signed_when_nothing_follows(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger(path, rule=CheckpointRule(seconds=0.05))
    await ledger.append("x", {})
    async with asyncio.timeout(10):
        while verify(path).checkpoints == 0:  # noqa: ASYNC110 - it is another thread that signs
            await asyncio.sleep(0.01)
    await ledger.close()


async def test_the_chain_goes_on_where_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    for expected in (1, 2, 3):
        ledger = SqliteLedger(path)
        assert (await ledger.append("x", {})).seq == expected
        assert ledger.head == expected
        await ledger.close()
    assert verify(path).ok


async def test_subscribers_hear_of_durable_records_in_order(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    heard: list[dict[str, Any]] = []
    done = asyncio.Event()

    def listen(records: Any) -> None:
        heard.extend(records)
        if len(heard) == 50:
            done.set()

    unsubscribe = ledger.subscribe(listen)
    await asyncio.gather(*(ledger.append("x", {"n": n}) for n in range(50)))
    await asyncio.wait_for(done.wait(), 10)
    assert heard == ledger.read()
    unsubscribe()
    await ledger.append("x", {})
    await ledger.close()
    assert len(heard) == 50


async def test_an_append_that_nobody_waits_for_any_more_harms_no_other(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    given_up = asyncio.ensure_future(ledger.append("x", {}))
    await asyncio.sleep(0)
    given_up.cancel()
    assert (await ledger.append("x", {})).seq == 2
    await ledger.close()


async def test_the_log_of_a_busy_ledger_does_not_grow_on(tmp_path: Path) -> None:
    ledger = SqliteLedger(tmp_path / "ledger.db")
    for number in range(1500):  # never idle; some 16 KiB of log for each
        await ledger.append("x", {"task": "t-1", "n": number})
    assert (tmp_path / "ledger.db-wal").stat().st_size < 8 * 1024 * 1024
    await ledger.close()
    assert verify(tmp_path / "ledger.db").ok


class FullDisk:
    """A disk with room for nothing but what the reserve gives back."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, reserve: Path) -> None:
        self.full = False
        self.code = sqlite3.SQLITE_FULL
        disk = self

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                if (
                    sql.startswith(("COMMIT", "INSERT"))  # a statement alone commits itself
                    and disk.full
                    and (reserve.exists() or disk.code == sqlite3.SQLITE_READONLY)
                ):
                    error = sqlite3.OperationalError("database or disk is full")
                    error.sqlite_errorcode = disk.code
                    raise error
                return super().execute(sql, *parameters)

        def connect(*args: Any, **options: Any) -> sqlite3.Connection:
            return Connection(*args, **options)

        def allocate(fd: int, offset: int, size: int) -> None:
            if self.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr("supervisor.ledger.database.sqlite3.connect", connect)
        monkeypatch.setattr(os, "posix_fallocate", allocate, raising=False)


@pytest.fixture
async def disk_and_ledger(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[tuple[FullDisk, SqliteLedger]]:
    disk = FullDisk(monkeypatch, tmp_path / "ledger.db.reserve")
    ledger = SqliteLedger(tmp_path / "ledger.db")
    yield disk, ledger
    disk.full = False
    await ledger.close()
    assert verify(tmp_path / "ledger.db").ok


async def test_on_a_full_disk_only_revocations_are_written(
    disk_and_ledger: tuple[FullDisk, SqliteLedger],
) -> None:
    disk, ledger = disk_and_ledger
    await ledger.append("x", {})
    disk.full = True
    with pytest.raises(LedgerFailed, match="cannot be written"):
        await ledger.append("x", {})
    assert (await ledger.append_reserved("task.revoked", {"task": "t-1"})).seq == 2
    # The reserve is spent on revocations alone: there is room now, and still others are refused.
    with pytest.raises(LedgerFailed, match="No space left"):
        await ledger.append("x", {})
    assert (await ledger.append_reserved("task.revoked", {"task": "t-2"})).seq == 3
    disk.full = False
    assert (await ledger.append("x", {})).seq == 4


async def test_in_one_commit_the_revocation_is_written_and_the_rest_refused(
    disk_and_ledger: tuple[FullDisk, SqliteLedger],
) -> None:
    disk, ledger = disk_and_ledger
    disk.full = True
    before, revocation, after = await asyncio.gather(
        ledger.append("x", {}),
        ledger.append_reserved("task.revoked", {}),
        ledger.append("x", {}),
        return_exceptions=True,
    )
    assert isinstance(before, LedgerFailed)
    assert isinstance(after, LedgerFailed)
    assert not isinstance(revocation, BaseException)
    assert [record["kind"] for record in ledger.read()] == ["task.revoked"]


async def test_a_read_only_disk_refuses_everything_and_keeps_the_reserve(
    disk_and_ledger: tuple[FullDisk, SqliteLedger], tmp_path: Path
) -> None:
    disk, ledger = disk_and_ledger
    disk.full, disk.code = True, sqlite3.SQLITE_READONLY
    with pytest.raises(LedgerFailed):
        await ledger.append("x", {})
    with pytest.raises(LedgerFailed):
        await ledger.append_reserved("task.revoked", {})
    assert (tmp_path / "ledger.db.reserve").exists()


REAL_FULL_DISK = """
import asyncio, os, sys
from pathlib import Path
from supervisor.errors import LedgerFailed
from supervisor.ledger.store import SqliteLedger
from supervisor.ledger.verify import verify

async def main(path):
    ledger = SqliteLedger(path)
    with open(path.parent / "filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(bytes(4096))
        except OSError:
            pass
    kept = 0
    try:
        while True:
            await ledger.append("x", {"note": "x" * 2000})
            kept += 1
    except LedgerFailed as error:
        print("refused:", error.message)
    for number in range(50):
        await ledger.append_reserved("task.revoked", {"task": f"t-{number}"})
    revoked = len(ledger.read(kinds=["task.revoked"]))
    os.unlink(path.parent / "filler")
    entry = await ledger.append("x", {})
    await ledger.close()
    assert entry.seq == kept + 51, (entry.seq, kept)
    print("revoked:", revoked, verify(path).message)

asyncio.run(main(Path(sys.argv[1]) / "ledger.db"))
"""


def test_a_file_system_that_is_really_full(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o size=8m none "$1" && exec "$2" -c "$3" "$1"'
    unshare = shutil.which("unshare")
    flags = ["-m"] if os.geteuid() == 0 else ["-r", "-m"]
    probe = unshare and subprocess.run(
        [unshare, *flags, "mount", "-t", "tmpfs", "none", str(tmp_path)], capture_output=True
    )
    if not probe or probe.returncode:
        pytest.skip("needs unshare(1) and namespaces to mount a small file system")
    result = subprocess.run(
        [str(unshare), *flags, "sh", "-c", script, "sh", tmp_path, sys.executable, REAL_FULL_DISK],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert "refused: The history" in result.stdout
    assert "revoked: 50 All " in result.stdout


async def test_a_changed_head_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger(path)
    for _ in range(5):
        await ledger.append("x", {})
    await ledger.close()
    _sql(
        path,
        "UPDATE records SET canonical = "
        "CAST(replace(CAST(canonical AS TEXT), '\"x\"', '\"y\"') AS BLOB) WHERE seq = 5",
    )
    with pytest.raises(LedgerBroken, match="record 5"):
        SqliteLedger(path)


async def test_a_tail_cut_off_is_found_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqliteLedger(path)
    for _ in range(5):
        await ledger.append("x", {})
    await ledger.close()
    _sql(path, "DELETE FROM records WHERE seq > 3")
    with pytest.raises(LedgerBroken):
        SqliteLedger(path)
    result = verify(path)
    assert (result.ok, result.bad_seq) == (False, 4)


async def test_a_second_writer_is_refused_and_breaks_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    first, second = SqliteLedger(path), SqliteLedger(path)
    await first.append("x", {"by": 1})
    with pytest.raises(LedgerFailed):
        await second.append("x", {"by": 2})
    await first.close()
    await second.close()
    result = verify(path)
    assert (result.ok, result.records) == (True, 1)


@pytest.mark.parametrize("content", [b"not a database, but long enough to look at" * 30, b""])
def test_a_file_that_is_no_ledger_is_not_written_over(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(content)
    if content:
        with pytest.raises(LedgerFailed) as refusal:
            SqliteLedger(path)
        assert "backup" in refusal.value.hint
        assert path.read_bytes() == content
        with pytest.raises((LedgerBroken, NotFound)):
            verify(path)
    else:
        asyncio.run(SqliteLedger(path).close())


def test_verify_without_a_ledger_or_its_key_says_so(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with pytest.raises(NotFound, match="no history"):
        verify(path)
    asyncio.run(SqliteLedger(path).close())
    (tmp_path / "ledger.db.key").unlink()
    with pytest.raises(NotFound, match="signing key"):
        verify(path)
    assert not (tmp_path / "ledger.db.key").exists()


def _sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
