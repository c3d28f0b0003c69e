"""What a GraphQL request is said to do: a question is a question, all that is doubtful a change."""

from __future__ import annotations

import hashlib
import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.channels.http.graphql import LIMIT, LOOK
from supervisor.channels.http.message import RequestHead, parse_request
from supervisor.channels.http.peek import Peeked, Said

pytestmark = pytest.mark.filterwarnings("ignore:Overriding the .event_loop_policy. fixture")

ASK = "query($n: Int) { viewer { login } repository(name: $n) { id } }"
CHANGE = 'mutation { createIssue(input: {title: "x"}) { id } }'
JSON = "application/json"


def head(method: str, target: str, kind: str) -> RequestHead:
    lines = [f"{method} {target} HTTP/1.1", "Host: api.example", f"Content-Type: {kind}"]
    return parse_request("\r\n".join((*lines, "Content-Length: 2", "", "")).encode())


def said(body: bytes, *, method: str = "POST", target: str = "/graphql", kind: str = JSON) -> Said:
    return LOOK.read(head(method, target, kind), target, Peeked(body))


def told(body: bytes, **more: str) -> tuple[str, str]:
    attributes = said(body, **more).attributes
    return str(attributes.get("graphql", "")), str(attributes.get("fields", ""))


def asked(document: object, **more: Any) -> bytes:
    return json.dumps({"query": document, **more}).encode()


@pytest.mark.parametrize(
    ("document", "kind", "fields"),
    [
        (ASK, "query", " viewer repository "),
        ("{ viewer { login } }", "query", " viewer "),
        (CHANGE, "mutation", " createIssue "),
        ("subscription { issueAdded { id } }", "subscription", " issueAdded "),
        ("mutation { harmless: deleteRepository(id: 1) { id } }", "mutation", " deleteRepository "),
        ("query A { a } mutation B { b }", "mutation", " a b "),
        (
            "mutation { ...F } fragment F on M { one ... on M { two } ...F } "
            "fragment G on M { no }",
            "mutation",
            " two one ",
        ),
        ("# a comment: mutation\n{ a }", "query", " a "),
        ('{ a(text: "mutation { b }") }', "query", " a "),
    ],
)
def test_kind_and_fields(document: str, kind: str, fields: str) -> None:
    found, names = told(asked(document))
    assert found == kind
    assert set(names.split()) == set(fields.split())
    assert names[:1] + names[-1:] == "  "


def test_other_ways_to_send_a_document() -> None:
    assert told(ASK.encode(), kind="application/graphql") == ("query", " viewer repository ")
    assert told(asked(ASK), kind='application/json; charset="UTF-8"')[0] == "query"
    batch = f"[{asked(ASK).decode()},{asked(CHANGE).decode()}]".encode()
    assert told(batch) == ("mutation", " viewer repository createIssue ")
    for target, kind in (
        (f"/graphql?query={quote(ASK)}", "query"),
        (f"/graphql?query={quote(CHANGE)}", "mutation"),
        ("/graphql", ""),
    ):
        asking = parse_request(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert LOOK.read(asking, target, Peeked()).attributes.get("graphql", "") == kind


def test_a_body_counts_whatever_the_method() -> None:
    assert LOOK.wants(head("GET", "/graphql", JSON)) == LIMIT
    assert told(asked(CHANGE), method="GET")[0] == "mutation"


def test_operations_in_a_websocket_are_not_seen() -> None:
    lines = ("GET /graphql HTTP/1.1", "Host: a", "Connection: Upgrade", "Upgrade: websocket")
    opening = parse_request("\r\n".join((*lines, "", "")).encode())
    assert LOOK.read(opening, "/graphql", Peeked()).attributes["graphql"] == "unknown"


def test_a_document_in_the_url_of_a_post_counts_too() -> None:
    assert told(asked(ASK), target=f"/graphql?query={quote(CHANGE)}")[0] == "mutation"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"query": 1}',
        b'{"query": "{ a }"',
        b'{"query": "{ a"}',
        b'{"query": "type A { b: Int }"}',
        b'{"query": "fragment F on A { b }"}',
        b'{"query": "{ a }", "query": "mutation { b }"}',
        b'{"query": "{ a }", "Query": "mutation { b }"}',
        b'{"query": "{ a }", "documentId": "abc"}',
        b'{"id": "abc"}',
        b'{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "00"}}}',
        b'{"query": "{ a }", "extensions": {"persistedQuery": {"sha256Hash": "00"}}}',
        b"\xef\xbb\xbf" + b'{"query": "{ a }"}',
        '{"query": "{ a }"}'.encode("utf-16"),
        b"query=%7Ba%7D",
        json.dumps([{"query": "{ a }"}] * 33).encode(),
        b"[" * 100_000,
        json.dumps({"query": "{ a " + "b " * 9000 + "}"}).encode(),
        json.dumps({"query": "{ a " * 3000 + "}" * 3000}).encode(),
    ],
    ids=itertools.count(),
)
def test_what_cannot_be_told_is_a_change(body: bytes) -> None:
    assert told(body)[0] == "unknown"


@pytest.mark.parametrize(
    "kind", ["text/plain", "multipart/form-data; boundary=x", "application/json; charset=utf-7"]
)
def test_another_kind_of_body_is_not_read(kind: str) -> None:
    assert LOOK.wants(head("POST", "/graphql", kind)) == 0
    assert told(asked(ASK), kind=kind)[0] == "unknown"


def test_a_body_over_the_limit_is_a_change() -> None:
    assert LOOK.wants(head("POST", "/graphql", JSON)) == LIMIT
    cut = LOOK.read(head("POST", "/graphql", JSON), "/graphql", Peeked(asked(ASK), complete=False))
    assert cut.attributes["graphql"] == "unknown"


def test_a_stored_document_that_comes_with_its_own_hash_is_read() -> None:
    digest = hashlib.sha256(ASK.encode()).hexdigest()
    with_hash = {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": digest}}}
    assert told(asked(ASK, **with_hash))[0] == "query"
    assert told(asked(CHANGE, **with_hash))[0] == "unknown"


@given(st.binary(max_size=200), st.sampled_from([JSON, "application/graphql"]))
def test_any_body_has_an_answer_and_only_a_document_is_a_question(body: bytes, kind: str) -> None:
    found, _ = told(body, kind=kind)
    assert found in ("query", "subscription", "mutation", "unknown")
    if b"{" not in body:
        assert found == "unknown"
