"""The chain: how records are tied together, and what a break in it looks like. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from supervisor.ledger.record import VERSION, decode

GENESIS = bytes(32)  # what comes before the first record


def link(prev: bytes, canonical: bytes) -> bytes:
    """Hash of a record: SHA-256 over the previous hash and the record's canonical bytes."""
    return hashlib.sha256(prev + canonical).digest()


@dataclass(frozen=True, slots=True)
class Row:
    """A record as stored. `task` and `kind` are the columns it is found by."""

    seq: int
    hash: bytes
    task: str
    kind: str
    canonical: bytes

    def record(self) -> dict[str, Any]:
        """As readers get it: its fields, and its `hash` in hex."""
        return decode(self.canonical, self.hash)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed head. `number` counts checkpoints from 1, so that none can be left out."""

    number: int
    seq: int
    hash: bytes  # of the record `seq`
    time: float
    signature: bytes

    def statement(self) -> bytes:
        """The bytes that are signed: one line of text, every field with a fixed form."""
        return (
            f"taskpass-checkpoint v1 number={self.number} seq={self.seq} "
            f"hash={self.hash.hex()} time={self.time:.6f}"
        ).encode()


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the whole chain found. `head` is the last good record's hash in hex."""

    ok: bool
    records: int
    checkpoints: int
    message: str
    head: str = ""
    bad_seq: int = 0  # first bad record, 0 when none
    key: str = ""  # fingerprint of the key that signs


def check(
    rows: Iterable[Row],
    checkpoints: Iterable[Checkpoint],
    valid_signature: Callable[[Checkpoint], bool],
) -> Verification:
    """Check records in order, and each checkpoint at its place. Stops at the first bad one.

    What it cannot show: records after the last checkpoint that were cut off or rewritten by
    somebody who can write the file; nor anything done by whoever holds the signing key.
    """
    good, head, signed = 0, GENESIS, 0
    due = iter(checkpoints)
    checkpoint = next(due, None)

    def broken(message: str, seq: int) -> Verification:
        return Verification(False, good, signed, message, head.hex() if good else "", seq)

    for row in rows:
        problem = fault(row, good, head)
        if problem:
            return broken(problem, min(row.seq, good + 1) if row.seq > 0 else good + 1)
        good, head = row.seq, row.hash
        while checkpoint is not None and checkpoint.seq <= good:
            problem = _signature_fault(checkpoint, signed, good, head, valid_signature)
            if problem:
                return broken(problem, good)
            signed += 1
            checkpoint = next(due, None)

    if checkpoint is not None:
        if not valid_signature(checkpoint):
            return broken(f"Checkpoint {signed + 1} has no valid signature.", good)
        return broken(
            f"Records {good + 1} to {checkpoint.seq} are missing at the end: "
            f"checkpoint {checkpoint.number} was signed at record {checkpoint.seq}.",
            good + 1,
        )
    if not good:
        return Verification(True, 0, 0, "The ledger is empty.")
    return Verification(
        True, good, signed, f"All {good} records and {signed} checkpoints verify.", head.hex()
    )


def fault(row: Row, before: int, head: bytes) -> str:
    """What is wrong with `row` after record `before`, "" when it is good."""
    seq = row.seq
    if seq != before + 1:
        if seq <= before:
            return f"Record {seq} is not in its place: it comes after record {before}."
        missing = (
            f"Record {before + 1} is"
            if seq == before + 2
            else (f"Records {before + 1} to {seq - 1} are")
        )
        return f"{missing} missing."
    if link(head, row.canonical) != row.hash:
        return f"Record {seq} was altered: its hash does not match."
    try:
        record = json.loads(row.canonical)
        version, inner = record["v"], record["seq"]
        prev, kind, task = record["prev"], record["kind"], record.get("task", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return f"Record {seq} is not a record."
    if version != VERSION:
        return f"Record {seq} has format version {version}; this program knows {VERSION}."
    if inner != seq or prev != head.hex():
        return f"Record {seq} does not follow record {before}."
    if kind != row.kind or task != row.task:
        return f"Record {seq} is filed under another task or kind than it says."
    return ""


def _signature_fault(
    checkpoint: Checkpoint,
    signed: int,
    seq: int,
    head: bytes,
    valid_signature: Callable[[Checkpoint], bool],
) -> str:
    if not valid_signature(checkpoint):
        return f"Checkpoint {signed + 1} has no valid signature."
    if checkpoint.number != signed + 1:
        return f"Checkpoint {signed + 1} is missing."
    if checkpoint.seq != seq or checkpoint.hash != head:
        return f"Record {seq} is not the one that checkpoint {checkpoint.number} was signed over."
    return ""
