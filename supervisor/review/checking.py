"""Whether an exported file is as it was written: its proof, its records, their chain. No database.

What it cannot show: that no record was left out that the filter would have let through; the
signature says that the owner of the key wrote these.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import rfc8785

from supervisor.errors import UsageError
from supervisor.ledger.chain import Checkpoint, link
from supervisor.ledger.signing import fingerprint, signed_by
from supervisor.review.exporting import MARKDOWN_PROOF, PROOF_KIND, VERSION, statement

_HINT = "Make one with `taskpass history --export FILE.jsonl`."


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found. `key`: fingerprint of the key that signed."""

    ok: bool
    message: str
    key: str
    records: int = 0
    linked: int = 0  # records whose predecessor is in the file, and fits
    checkpoints: int = 0


class _Altered(Exception):
    """Says in a sentence what does not fit."""


def check_file(data: bytes) -> Checked:
    """Check an export.

    Raises:
        UsageError: it is no export of ours.
    """
    body, proof = _split(data)
    try:
        key = bytes.fromhex(proof["key"])
        signature = bytes.fromhex(proof["signature"])
        said, digest = statement(proof), str(proof["sha256"])
        form, count = proof["format"], int(proof["records"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError("The proof at the end of this file is not whole.", hint=_HINT) from error
    name = fingerprint(key)
    if not signed_by(key, said, signature):
        return Checked(False, "The proof at its end was altered: its signature is not valid.", name)
    try:
        records, linked, heads = _records(form, body, key)
        if form != "md" and records != count:
            raise _Altered(f"It has {records} records; {count} were written.")
        if hashlib.sha256(body).hexdigest() != digest:
            raise _Altered("It is not the text that was signed.")
    except _Altered as error:
        return Checked(False, str(error), name)
    chain = str(proof.get("chain"))
    told = f"{count} records as they were written"
    if chain != "ok":
        return Checked(
            False, f"It is as it was written, from a history that was not whole: {chain}", name
        )
    return Checked(True, f"{told}.", name, count, linked, heads)


def _split(data: bytes) -> tuple[bytes, dict[str, Any]]:
    """What comes before the last line, and the proof in it."""
    at = data.rstrip(b"\n").rfind(b"\n") + 1
    body, last = data[:at], data[at:].strip()
    try:
        text = last.decode()
        before, after = MARKDOWN_PROOF
        if text.startswith(before) and text.endswith(after):
            proof = json.loads(text[len(before) : -len(after)])
        elif text.startswith("{"):
            proof = json.loads(text)["proof"]
        else:
            cells = next(csv.reader(io.StringIO(text)))
            if PROOF_KIND not in cells:
                raise ValueError("no proof")
            proof = json.loads(cells[-1])
        if not isinstance(proof, dict) or proof.get("v") != VERSION:
            raise ValueError("another version")
    except (ValueError, KeyError, TypeError, IndexError, StopIteration, csv.Error) as error:
        raise UsageError("This file does not end with a proof of ours.", hint=_HINT) from error
    return body, proof


def _records(form: str, body: bytes, key: bytes) -> tuple[int, int, int]:
    """How many records, how many of them linked to the one before, how many heads.

    Raises:
        _Altered: one does not fit.
    """
    count = linked = heads = 0
    before: tuple[int, bytes] | None = None
    for each in _content(form, body):
        if isinstance(each, Checkpoint):
            heads += 1
            if not signed_by(key, each.statement(), each.signature):
                raise _Altered(f"Checkpoint {each.number} has no valid signature.")
            if before is None or before != (each.seq, each.hash):
                raise _Altered(f"Checkpoint {each.number} is not of record {each.seq}.")
            continue
        seq, digest, record = each
        count += 1
        try:
            prev = bytes.fromhex(record["prev"])
            whole = rfc8785.dumps(record)
        except (KeyError, TypeError, ValueError) as error:
            raise _Altered(f"Record {seq} is not a record.") from error
        if record.get("seq") != seq or link(prev, whole) != digest:
            raise _Altered(f"Record {seq} was altered: its hash does not match.")
        if before is not None and seq <= before[0]:
            raise _Altered(f"Record {seq} is not in its place: it comes after record {before[0]}.")
        if before is not None and seq == before[0] + 1:
            if prev != before[1]:
                raise _Altered(f"Record {seq} does not follow record {before[0]}.")
            linked += 1
        before = seq, digest
    return count, linked, heads


def _content(form: str, body: bytes) -> Iterator[Checkpoint | tuple[int, bytes, dict[str, Any]]]:
    """(number, hash, record without its hash) of each record, and the checkpoints."""
    if form == "md":
        return
    number = 0
    try:
        if form == "csv":
            for row in csv.DictReader(io.StringIO(body.decode())):
                number += 1
                yield int(row["seq"]), bytes.fromhex(row["hash"]), json.loads(row["record"])
            return
        for line in body.splitlines()[1:]:
            number += 1
            record = json.loads(line)
            if "seq" not in record:
                told = record["checkpoint"]
                yield Checkpoint(told["number"], told["seq"], bytes.fromhex(told["hash"]),
                                 told["time"], bytes.fromhex(told["signature"]))  # fmt: skip
            else:
                yield record["seq"], bytes.fromhex(record.pop("hash")), record
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        raise _Altered(f"Line {number + 1} cannot be read.") from error
