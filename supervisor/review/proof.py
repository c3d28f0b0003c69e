"""What backs one record: its place in the chain, and the signed head that covers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from supervisor.ledger.chain import GENESIS, Checkpoint, Row, fault
from supervisor.ledger.reading import Reading


class Standing(StrEnum):
    """How sure a record is."""

    VERIFIED = "verified"  # a signed head covers it, and everything between them fits
    UNSIGNED = "not signed yet"  # it fits what stands before it; no head has been signed since
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Proof:
    """What was found about one record.

    Attributes:
        prev, hash: of the record, in hex.
        checkpoint: the first signed head at or behind it, None before there is one.
        broken_at: number of the first record that does not fit, 0 for none.
        message: one sentence for a person.
    """

    standing: Standing
    seq: int
    prev: str
    hash: str
    checkpoint: Checkpoint | None
    broken_at: int
    message: str


def prove(source: Reading, row: Row, valid: Callable[[Checkpoint], bool]) -> Proof:
    """Check a record, the one before it, and all from it to the head that was signed next.

    Records before it are not looked at: `taskpass verify` checks them all.
    """
    before = source.row(row.seq - 1)
    head = before.hash if before else GENESIS
    checkpoint = source.checkpoint_over(row.seq)

    def found(standing: Standing, message: str, at: int = 0) -> Proof:
        return Proof(standing, row.seq, head.hex(), row.hash.hex(), checkpoint, at, message)

    if before is None and row.seq > 1:
        return found(
            Standing.BROKEN, f"Record {row.seq - 1}, which it follows, is gone.", row.seq - 1
        )
    place, last = row.seq - 1, head
    end = checkpoint.seq if checkpoint else row.seq
    for each in source.rows(after=row.seq - 1, before=end + 1):
        if problem := fault(each, place, last):
            return found(Standing.BROKEN, problem, place + 1)
        place, last = each.seq, each.hash
    if checkpoint is None:
        return found(Standing.UNSIGNED, "It fits the record before it; the next head covers it.")
    if place != checkpoint.seq:
        return found(Standing.BROKEN, f"Record {place + 1} is gone.", place + 1)
    if not valid(checkpoint):
        return found(
            Standing.BROKEN, f"Checkpoint {checkpoint.number} has no valid signature.", place
        )
    if last != checkpoint.hash:
        return found(
            Standing.BROKEN,
            f"Record {place} is not the one that checkpoint {checkpoint.number} was signed over.",
            place,
        )
    return found(
        Standing.VERIFIED,
        f"Checkpoint {checkpoint.number}, signed over record {checkpoint.seq}, covers it.",
    )
