"""What backs one record, and what is said when something around it was changed."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from supervisor.ledger.files import key_path
from supervisor.ledger.reading import reading
from supervisor.ledger.signing import CheckpointKey
from supervisor.review.proof import Proof, Standing, prove
from tests.support.past import a_day, write_past

ANOTHER_TASK = "canonical = CAST(replace(canonical, 't-1', 't-9') AS BLOB)"


@pytest.fixture
def past(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    write_past(path, a_day(2, 20), every=8)
    return path


def proof_of(past: Path, seq: int) -> Proof:
    key = CheckpointKey.from_file(key_path(past))
    with reading(past) as source:
        row = source.row(seq)
        assert row is not None
        return prove(source, row, key.valid)


def change(past: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(past) as connection:
        connection.execute(statement, values)


def test_every_record_of_an_untouched_ledger_is_verified(past: Path) -> None:
    with reading(past) as source:
        last = source.head
    for seq in range(1, last + 1):
        proof = proof_of(past, seq)
        assert proof.standing is Standing.VERIFIED, proof
        assert proof.checkpoint is not None
        assert proof.checkpoint.seq >= seq


def test_what_no_head_covers_yet_is_said_to_be_so(past: Path) -> None:
    change(past, "DELETE FROM checkpoints WHERE number = (SELECT max(number) FROM checkpoints)")
    with reading(past) as source:
        last = source.head
    assert proof_of(past, last).standing is Standing.UNSIGNED


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        (f"UPDATE records SET {ANOTHER_TASK} WHERE seq = 10", 10),
        (f"UPDATE records SET {ANOTHER_TASK} WHERE seq = 12", 12),
        ("DELETE FROM records WHERE seq = 13", 13),
        ("UPDATE checkpoints SET signature = zeroblob(64) WHERE seq = 16", 16),
        ("DELETE FROM records WHERE seq = 9", 9),
    ],
)
def test_a_change_between_a_record_and_its_head_breaks_the_proof(
    past: Path, statement: str, broken_at: int
) -> None:
    change(past, statement)
    proof = proof_of(past, 10)
    assert proof.standing is Standing.BROKEN
    assert proof.broken_at == broken_at
    assert proof.message.endswith(".")
    assert proof_of(past, 17 if broken_at != 16 else 18).standing is Standing.VERIFIED
