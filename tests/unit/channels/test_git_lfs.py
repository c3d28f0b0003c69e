"""Whether git-lfs downloads or uploads stands in the body of its request."""

from __future__ import annotations

import json

import pytest

from supervisor.channels.git.lfs import LIMIT
from supervisor.channels.http.looks import look_at
from supervisor.channels.http.message import parse_request
from supervisor.channels.http.peek import Peeked
from supervisor.grants.budget import sent_changes
from supervisor.model import Effect, Outcome, Verb
from supervisor.policy.engine import CedarEngine
from tests.support.judging import situation

BATCH = "/ana/app.git/info/lfs/objects/batch"
OBJECTS = [{"oid": "1" * 64, "size": 123}] * 100


def told(body: bytes, *, complete: bool = True, path: str = BATCH, method: str = "POST") -> object:
    head = parse_request(f"{method} {path} HTTP/1.1\r\nHost: git.example\r\n\r\n".encode())
    look = look_at(path)
    assert look is not None
    return look.read(head, path, Peeked(body, complete)).attributes.get("lfs")


@pytest.mark.parametrize("operation", ["download", "upload"])
def test_the_operation_is_read(operation: str) -> None:
    body = {"operation": operation, "transfers": ["basic"], "objects": OBJECTS}
    data = json.dumps(body).encode()
    assert len(data) < LIMIT
    assert told(data) == operation
    assert told(data, complete=False) is None
    assert told(data, path="/api/batch") is None
    assert told(data, method="GET") is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"operation": "delete"}',
        b'{"operation": ["download"]}',
        b'{"operation": "download", "operation": "upload"}',
        b'{"operation": "download", "Operation": "upload"}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_what_can_be_read_otherwise_is_no_download(body: bytes) -> None:
    assert told(body) is None


@pytest.mark.parametrize(
    ("lfs", "credential", "outcome"),
    [
        ("download", "github", Outcome.ALLOW),
        ("upload", "github", Outcome.ASK),
        ("", "github", Outcome.ASK),
        ("download", "", Outcome.ASK),
    ],
)
def test_what_the_standard_preset_says(lfs: str, credential: str, outcome: Outcome) -> None:
    attributes = {"method": "POST", "path": BATCH, "port": 443, "lfs": lfs}
    effect = Effect(Verb.HTTP, "github.com", attributes)
    engine = CedarEngine.load("standard")
    assert engine.decide([effect], situation("/work", credential=credential)).outcome is outcome
    assert sent_changes(effect) == (0 if lfs == "download" else 1)
