"""Tampering of every sort is seen, and the message names the record."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from supervisor.ledger.chain import GENESIS, Checkpoint, Row, Verification, check, link
from supervisor.ledger.record import encode
from supervisor.ledger.signing import CheckpointKey

KEY = CheckpointKey(Ed25519PrivateKey.generate())


def chain(length: int, *, every: int = 4) -> tuple[list[Row], list[Checkpoint]]:
    rows: list[Row] = []
    checkpoints: list[Checkpoint] = []
    head = GENESIS
    for seq in range(1, length + 1):
        canonical = encode(seq, 1000.5 + seq, "use.done", head, {"task": "t-1", "status": 200})
        head = link(head, canonical)
        rows.append(Row(seq, head, "t-1", "use.done", canonical))
        if seq % every == 0:
            checkpoints.append(KEY.sign(len(checkpoints) + 1, seq, head, 1000.0 + seq))
    return rows, checkpoints


def verdict(rows: list[Row], checkpoints: list[Checkpoint]) -> Verification:
    return check(rows, checkpoints, KEY.valid)


def rewritten(rows: list[Row], seq: int, **changes: object) -> list[Row]:
    """What somebody does who knows the format: change a record, and every hash after it."""
    head = rows[seq - 2].hash if seq > 1 else GENESIS
    result = rows[: seq - 1]
    for row in rows[seq - 1 :]:
        record = json.loads(row.canonical) | {"prev": head.hex()}
        if row.seq == seq:
            record |= changes
        canonical = rfc8785.dumps(record)
        head = link(head, canonical)
        result.append(dataclasses.replace(row, canonical=canonical, hash=head))
    return result


def test_an_untouched_chain_verifies() -> None:
    rows, checkpoints = chain(10)
    result = verdict(rows, checkpoints)
    assert result.ok
    assert (result.records, result.checkpoints) == (10, 2)
    assert result.head == rows[-1].hash.hex()
    assert result.message == "All 10 records and 2 checkpoints verify."


def test_an_empty_ledger_verifies() -> None:
    assert verdict([], []).ok


@pytest.mark.parametrize("field", ["v", "seq", "time", "kind", "prev", "task", "status"])
def test_a_changed_field_is_named_by_its_record(field: str) -> None:
    rows, checkpoints = chain(10)
    record = json.loads(rows[5].canonical)
    record[field] = 7 if isinstance(record[field], int | float) else "other"
    rows[5] = dataclasses.replace(rows[5], canonical=rfc8785.dumps(record))
    result = verdict(rows, checkpoints)
    assert not result.ok
    assert result.bad_seq == 6
    assert "Record 6" in result.message
    assert result.records == 5


@pytest.mark.parametrize(
    ("column", "value"), [("task", ""), ("task", "t-2"), ("kind", "use.denied")]
)
def test_a_record_filed_elsewhere_is_seen(column: str, value: str) -> None:
    # The columns decide what a filtered history shows: they must not lie either.
    rows, checkpoints = chain(6)
    rows[2] = dataclasses.replace(rows[2], **{column: value})
    result = verdict(rows, checkpoints)
    assert (result.ok, result.bad_seq) == (False, 3)
    assert "filed" in result.message


def test_a_changed_hash_column_is_seen() -> None:
    rows, checkpoints = chain(6)
    rows[2] = dataclasses.replace(rows[2], hash=bytes(32))
    assert verdict(rows, checkpoints).bad_seq == 3


def test_a_dropped_record_is_seen() -> None:
    rows, checkpoints = chain(10)
    result = verdict(rows[:4] + rows[6:], checkpoints)
    assert (result.ok, result.bad_seq) == (False, 5)
    assert result.message == "Records 5 to 6 are missing."


def test_a_dropped_record_whose_followers_were_renumbered_is_seen() -> None:
    rows, checkpoints = chain(10)
    moved = [dataclasses.replace(row, seq=row.seq - 1) for row in rows[5:]]
    assert verdict(rows[:4] + moved, checkpoints).bad_seq == 5


def test_swapped_records_are_seen() -> None:
    rows, checkpoints = chain(10)
    rows[3], rows[4] = (
        dataclasses.replace(rows[4], seq=4),
        dataclasses.replace(rows[3], seq=5),
    )
    assert verdict(rows, checkpoints).bad_seq == 4


def test_a_tail_cut_off_past_a_checkpoint_is_seen() -> None:
    rows, checkpoints = chain(10)
    result = verdict(rows[:6], checkpoints)
    assert (result.ok, result.bad_seq) == (False, 7)
    assert result.message.startswith("Records 7 to 8 are missing at the end")


def test_a_whole_rewrite_is_seen_at_the_checkpoint() -> None:
    rows, checkpoints = chain(10)
    result = verdict(rewritten(rows, 2, status=500), checkpoints)
    assert not result.ok
    assert result.message == "Record 4 is not the one that checkpoint 1 was signed over."


def test_a_rewrite_after_the_last_checkpoint_cannot_be_seen() -> None:
    # The limit that the documentation states: it must not claim more than this.
    rows, checkpoints = chain(10)
    assert verdict(rewritten(rows, 9, status=500), checkpoints).ok


def test_checkpoints_cannot_be_forged_left_out_or_moved() -> None:
    rows, checkpoints = chain(12)
    other = CheckpointKey(Ed25519PrivateKey.generate())
    forged = other.sign(2, 8, rows[7].hash, 1.0)
    assert "no valid signature" in verdict(rows, [checkpoints[0], forged]).message
    assert "Checkpoint 2 is missing" in verdict(rows, [checkpoints[0], checkpoints[2]]).message
    moved = dataclasses.replace(checkpoints[1], seq=7)
    assert "no valid signature" in verdict(rows, [checkpoints[0], moved]).message
    unsigned = dataclasses.replace(checkpoints[2], signature=b"")
    assert "no valid signature" in verdict(rows[:9], [*checkpoints[:2], unsigned]).message


def test_a_record_of_a_later_format_is_named_as_such() -> None:
    rows, _ = chain(3)
    result = verdict(rewritten(rows, 2, v=2), [])
    assert result.message == "Record 2 has format version 2; this program knows 1."


@given(data=st.data())
def test_any_flipped_bit_before_the_last_checkpoint_is_seen(data: st.DataObject) -> None:
    rows, checkpoints = chain(8)
    at = data.draw(st.integers(0, 7))
    canonical = bytearray(rows[at].canonical)
    canonical[data.draw(st.integers(0, len(canonical) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    rows[at] = dataclasses.replace(rows[at], canonical=bytes(canonical))
    result = verdict(rows, checkpoints)
    assert (result.ok, result.bad_seq) == (False, at + 1)


def test_the_key_is_private_and_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ledger.key"
    checkpoint = CheckpointKey.from_file(path).sign(1, 1, bytes(32), 1.0)
    assert path.stat().st_mode & 0o777 == 0o600
    assert CheckpointKey.from_file(path).valid(checkpoint)
