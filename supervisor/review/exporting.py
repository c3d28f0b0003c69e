"""Records as a file that proves itself: JSON Lines, CSV, or a report in Markdown.

The last line of each is its proof: a statement over the SHA-256 of all bytes before that line,
signed with the key that signs the heads of the chain. `taskpass verify FILE` checks it without our
database (`review.checking`).

- `jsonl`: a line about the export; each record as the ledger has it, with its `hash`; the signed
  heads between them.
- `csv`: RFC 4180 with a header; `record` holds the whole record as canonical JSON. Texts that a
  spreadsheet would take for a formula begin with an apostrophe.
- `md`: a report for people (`review.report`).
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from supervisor.ledger.chain import Checkpoint, Row
from supervisor.review import words
from supervisor.review.report import Report

VERSION: Final = 1
COLUMNS: Final = ("seq", "time", "task", "kind", "decision", "what", "user", "agent", "credential",
                  "by", "hash", "record")  # fmt: skip
PROOF_KIND: Final = "export.proof"
MARKDOWN_PROOF: Final = ("<!-- taskpass-proof ", " -->")
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

Pair = tuple[Row, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an export comes from.

    Attributes:
        query: the filter line.
        made: POSIX seconds.
        key: public, 32 bytes.
        chain: what a check of the whole chain found when it was made: "ok", or the problem.
        head: number of the newest record then.
    """

    query: str
    made: float
    key: bytes
    chain: str
    head: int


@dataclass(slots=True)
class _Seal:
    """Sees every byte of a file, and signs in the end."""

    origin: Origin
    sign: Callable[[bytes], bytes]
    form: str
    digest: Any = field(default_factory=hashlib.sha256)
    records: int = 0
    first: int = 0
    last: int = 0

    def line(self, text: bytes) -> bytes:
        self.digest.update(text)
        return text

    def count(self, seq: int) -> None:
        self.records += 1
        self.first, self.last = self.first or seq, seq

    def proof(self) -> str:
        told = {
            "v": VERSION,
            "format": self.form,
            "sha256": self.digest.hexdigest(),
            "records": self.records,
            "first": self.first,
            "last": self.last,
            "head": self.origin.head,
            "chain": self.origin.chain,
            "made": round(self.origin.made, 6),
            "key": self.origin.key.hex(),
        }
        signature = self.sign(statement(told)).hex()
        return json.dumps({**told, "signature": signature}, separators=(",", ":"))


def statement(proof: dict[str, Any]) -> bytes:
    """The bytes that are signed: one line of text, every field in a fixed form."""
    return (
        f"taskpass-export v{proof['v']} format={proof['format']} sha256={proof['sha256']} "
        f"records={proof['records']} first={proof['first']} last={proof['last']} "
        f"head={proof['head']} made={proof['made']:.6f} chain={proof['chain']}"
    ).encode()


def export(
    form: str,
    found: Iterable[Pair],
    checkpoints: Iterable[Checkpoint],
    origin: Origin,
    sign: Callable[[bytes], bytes],
) -> Iterator[bytes]:
    """The file, line by line.

    Args:
        form: one of `protocol.review.FORMATS`.
        found: records, oldest first.
        checkpoints: signed heads in order; those over a record that is in the file go along.
    """
    seal = _Seal(origin, sign, form)
    if form == "csv":
        yield from _csv(found, seal)
    elif form == "md":
        yield from _markdown(found, seal)
    else:
        yield from _jsonl(found, checkpoints, seal)


def _jsonl(
    found: Iterable[Pair], checkpoints: Iterable[Checkpoint], seal: _Seal
) -> Iterator[bytes]:
    about = {"export": "taskpass", "v": VERSION, "query": seal.origin.query,
             "key": seal.origin.key.hex()}  # fmt: skip
    yield seal.line(json.dumps(about).encode() + b"\n")
    due = iter(checkpoints)
    checkpoint = next(due, None)
    for row, _ in found:
        seal.count(row.seq)
        yield seal.line(row.canonical[:-1] + b',"hash":"' + row.hash.hex().encode() + b'"}\n')
        while checkpoint is not None and checkpoint.seq < row.seq:
            checkpoint = next(due, None)
        if checkpoint is not None and checkpoint.seq == row.seq:
            yield seal.line(_head(checkpoint))
    yield b'{"proof":' + seal.proof().encode() + b"}\n"


def _head(checkpoint: Checkpoint) -> bytes:
    told = {"number": checkpoint.number, "seq": checkpoint.seq, "hash": checkpoint.hash.hex(),
            "time": checkpoint.time, "signature": checkpoint.signature.hex()}  # fmt: skip
    return json.dumps({"checkpoint": told}).encode() + b"\n"


def _csv(found: Iterable[Pair], seal: _Seal) -> Iterator[bytes]:
    yield seal.line(_row(COLUMNS))
    for row, record in found:
        seal.count(row.seq)
        told = (
            row.seq, record["time"], row.task, row.kind, words.decision(record),
            words.sentence(record), *(record.get(key, "") for key in COLUMNS[6:10]),
        )  # fmt: skip
        cells = [*map(_cell, told), row.hash.hex(), row.canonical.decode()]
        yield seal.line(_row(cells))
    last = dict.fromkeys(COLUMNS, "") | {"kind": PROOF_KIND, "record": seal.proof()}
    yield _row(list(last.values()))


def _cell(value: Any) -> str:
    """One line, and nothing that a spreadsheet would calculate."""
    text = " ".join(str(value).splitlines())
    return f"'{text}" if text.startswith(_FORMULA) else text


def _row(cells: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def _markdown(found: Iterable[Pair], seal: _Seal) -> Iterator[bytes]:
    report = Report()
    for row, record in found:
        seal.count(row.seq)
        report.add(record)
    origin = seal.origin
    for line in report.lines(origin.query, origin.made, origin.chain, origin.key):
        yield seal.line(line.encode("utf-8", "replace") + b"\n")
    before, after = MARKDOWN_PROOF
    yield f"{before}{seal.proof()}{after}\n".encode()
