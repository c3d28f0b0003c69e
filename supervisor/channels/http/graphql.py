"""What a GraphQL request does: its kind of operation, and the fields it asks for. Pure.

One path and one method carry everything (https://spec.graphql.org, "GraphQL over HTTP"), so that
neither tells reading from changing. Whatever two servers could read differently is `unknown`,
which policy takes for a change: keys that come twice, or in another case (Go's servers take
them), documents in the URL and in the body, documents by reference ("persisted").
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from supervisor.channels.http.message import RequestHead
from supervisor.channels.http.peek import Look, Peeked, Said

LIMIT = 128 * 1024  # bytes of a body that are read
_TOKENS = 8000  # of a document: some milliseconds each thousand
_BATCH = 32  # operations in one request
_KINDS = ("query", "subscription", "mutation", "unknown")  # later ones are stricter
_KEYS = frozenset(("query", "operationname", "variables", "extensions"))
# Keys under which servers take the name of a stored document for the document.
_REFERENCES = frozenset(
    ("id", "doc_id", "docid", "documentid", "queryid", "hash", "persistedquery")
)
_JSON = frozenset(("application/json", "application/graphql+json"))
_DOCUMENT = "application/graphql"

# (kind, names of the fields at the root)
Operation = tuple[str, tuple[str, ...]]
_UNKNOWN: Operation = ("unknown", ())


class _Ambiguous(Exception):
    """Two servers could read this differently."""


def _wants(head: RequestHead) -> int:
    return LIMIT if head.body and _media_type(head) else 0


def _read(head: RequestHead, target: str, body: Peeked) -> Said:
    found = list(_operations(head, target, body))
    if not found:
        return Said()
    kind = max((operation[0] for operation in found), key=_KINDS.index)
    names = dict.fromkeys(name for operation in found for name in operation[1])
    # A space on each side of each, so that a policy can name one: like "* createIssue *".
    return Said({"graphql": kind, "fields": f" {' '.join(names)} " if names else ""})


LOOK = Look(_wants, _read)


def _operations(head: RequestHead, target: str, body: Peeked) -> Iterator[Operation]:
    """Of the URL and of the body: nothing for the page that some servers show to a reader."""
    try:
        asked = parse_qsl(
            target.partition("?")[2], keep_blank_values=True, max_num_fields=64, errors="strict"
        )
        yield from _of_request(_once(asked), expected=False)
    except (ValueError, _Ambiguous):
        yield _UNKNOWN
    if head.upgrade:  # its operations come later, unseen (graphql-ws)
        yield _UNKNOWN
    if head.method != "POST" and not head.body:
        return
    kind = _media_type(head)
    if not kind or not body.readable or not body.complete:
        yield _UNKNOWN
        return
    try:
        text = body.data.decode()
        if kind == _DOCUMENT:
            yield from _of_document(text)
            return
        told = json.loads(text, object_pairs_hook=_once)
        requests = told if isinstance(told, list) else [told]
        if not requests or len(requests) > _BATCH:
            raise _Ambiguous
        for request in requests:
            yield from _of_request(request, expected=True)
    except (ValueError, RecursionError, _Ambiguous):
        yield _UNKNOWN


def _media_type(head: RequestHead) -> str:
    """A type of body that is read, "" for any other."""
    values = [value for key, _, value in head.fields if key == b"content-type"]
    if len(values) != 1:
        return ""
    kind, _, rest = values[0].decode("latin-1").lower().partition(";")
    kind, rest = kind.strip(), rest.replace(" ", "").replace('"', "")
    known = kind in _JSON or kind == _DOCUMENT
    return kind if known and rest in ("", "charset=utf-8") else ""


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Raises _Ambiguous for a key that comes twice."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Ambiguous
        found[key] = value
    return found


def _of_request(request: object, *, expected: bool) -> tuple[Operation, ...]:
    """The operations of one request; `expected`: there must be some.

    Raises:
        _Ambiguous: it names its document by reference, or its keys can be read in two ways.
    """
    if not isinstance(request, Mapping):
        raise _Ambiguous
    for key in request:
        folded = key.casefold()
        if folded in _KEYS and key not in ("query", "operationName", "variables", "extensions"):
            raise _Ambiguous
    document = request.get("query")
    if any(key.casefold() in _REFERENCES for key in request) or not _own(request, document):
        raise _Ambiguous
    if document is None and not expected:
        return ()
    if not isinstance(document, str):
        raise _Ambiguous
    return _of_document(document)


def _own(request: Mapping[str, Any], document: object) -> bool:
    """Whether nothing but `document` can be meant: a hash that comes with it must be its own."""
    extensions = request.get("extensions")
    if isinstance(extensions, str):  # in a URL
        extensions = json.loads(extensions, object_pairs_hook=_once)
    if not extensions:
        return True
    persisted = extensions.get("persistedQuery") if isinstance(extensions, Mapping) else extensions
    if persisted is None:
        return True
    digest = persisted.get("sha256Hash") if isinstance(persisted, Mapping) else None
    return isinstance(document, str) and digest == hashlib.sha256(document.encode()).hexdigest()


@lru_cache(maxsize=64)
def _of_document(document: str) -> tuple[Operation, ...]:
    """Every operation in it: which one runs is not taken from the request."""
    # Imported with the first such request: it takes longer than all of the proxy.
    from graphql.error import GraphQLError
    from graphql.language import ast
    from graphql.language.parser import parse

    try:
        tree = parse(document, no_location=True, max_tokens=_TOKENS)
    except (GraphQLError, RecursionError):
        return (_UNKNOWN,)
    fragments = {
        node.name.value: node.selection_set
        for node in tree.definitions
        if isinstance(node, ast.FragmentDefinitionNode)
    }
    found: list[Operation] = []
    for node in tree.definitions:
        if isinstance(node, ast.OperationDefinitionNode):
            names: dict[str, None] = {}
            waiting, seen = [node.selection_set], set[str]()
            while waiting:
                for selection in waiting.pop().selections:
                    if isinstance(selection, ast.FieldNode):
                        names[selection.name.value] = None
                    elif isinstance(selection, ast.InlineFragmentNode):
                        waiting.append(selection.selection_set)
                    elif isinstance(selection, ast.FragmentSpreadNode):
                        name = selection.name.value
                        if name in fragments and name not in seen:
                            seen.add(name)
                            waiting.append(fragments[name])
            found.append((node.operation.value, tuple(names)))
        elif not isinstance(node, ast.FragmentDefinitionNode):
            return (_UNKNOWN,)  # definitions of types: not for running
    return tuple(found) or (_UNKNOWN,)
