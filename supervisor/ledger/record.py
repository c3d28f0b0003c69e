"""The record format, version 1.

A record is one JSON object in canonical form (RFC 8785: UTF-8, keys sorted, no white space), so
that everybody who has its content has its exact bytes.

| field  | type    | meaning                                                                |
|--------|---------|------------------------------------------------------------------------|
| `v`    | integer | version of this format: 1                                              |
| `seq`  | integer | place in the chain: 1, 2, 3 … without a gap                            |
| `time` | number  | POSIX seconds at which the record was asked for, to the microsecond    |
| `kind` | string  | what happened, `noun.event`                                            |
| `prev` | string  | hash of the record before, 64 lower-case hex digits; zeros for the first |
| others |         | the body: what belongs to this kind. `task` names the task, if any     |

The hash of a record is SHA-256 over the 32 bytes of `prev` followed by the canonical bytes. It is
kept beside the record, not in it, and shown as `hash` when the record is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from supervisor.canonical import SAFE, canonical

VERSION = 1
_reader = msgspec.json.Decoder(dict[str, Any])

# Ours in every record: a body that brought one of these could pass for something it is not.
RESERVED = frozenset({"v", "seq", "time", "kind", "prev", "hash"})


def encode(seq: int, time: float, kind: str, prev: bytes, body: Mapping[str, Any]) -> bytes:
    """Canonical bytes of a record.

    Raises:
        ValueError: the body uses a reserved key, or holds what canonical JSON cannot say
            (integers beyond 2**53, NaN, bytes, lone surrogates, keys that are not strings).
    """
    clash = RESERVED.intersection(body)
    if clash:
        raise ValueError(f"the body may not use {', '.join(sorted(clash))}")
    record = {
        **body,
        "v": VERSION,
        "seq": seq,
        "time": round(time, 6),
        "kind": kind,
        "prev": prev.hex(),
    }
    return canonical({key: _whole(value) for key, value in record.items()})


def _whole(value: Any) -> Any:
    """Whole numbers as integers, which canonical JSON does not tell apart and is quicker with."""
    if type(value) is float and value.is_integer() and abs(value) <= SAFE:
        return int(value)
    return value


def decode(canonical: bytes, digest: bytes) -> dict[str, Any]:
    """A record as readers get it: its fields, and its `hash` in hex."""
    record = _reader.decode(canonical)
    record["hash"] = digest.hex()
    return record
