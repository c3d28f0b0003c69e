"""Policy files: where each policy begins, what its annotations say, and what is wrong with it.

Cedar's errors carry no position, so a file is cut into its policies here and each is checked
alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from typing import Any

import cedarpy

from supervisor.errors import PolicyError
from supervisor.model import Risk


class Layer(IntEnum):
    """Who wrote it. A later layer decides whether what it permits asks."""

    PRESET = 0
    USER = 1
    PROJECT = 2  # may only tighten: forbid, or permit with @ask
    ACCEPTED = 3  # written here, from what the person accepted of the project's needs


@dataclass(frozen=True, slots=True)
class PolicySource:
    """One file of policies."""

    name: str  # as shown in messages
    text: str
    layer: Layer


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy, checked."""

    id: str
    layer: Layer
    permits: bool
    ask: str | None  # text of @ask (or Keycard's @itl); None: it does not ask
    risk: Risk
    description: str
    hint: str
    location: str  # "file:line"
    body: dict[str, Any] = field(hash=False, compare=False, repr=False)  # Cedar's JSON form


# A misspelt @ask would allow what it should ask about, so no other annotation is taken.
_ANNOTATION = re.compile(r"id|description|hint|ask|itl|risk|(?:not_)?match\d*")
_TOKEN = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\])*"|;|[^\s/";]+|/""", re.DOTALL)


def pieces(text: str) -> Iterator[tuple[int, str]]:
    """Each policy's offset and text, its `;` included. Strings and comments are respected."""
    start = -1
    for token in _TOKEN.finditer(text):
        if token[0].startswith("//"):
            continue
        if start < 0:
            start = token.start()
        if token[0] == ";":
            yield start, text[start : token.end()]
            start = -1
    if start >= 0:
        yield start, text[start:]


def spoken(text: str) -> str:
    """What a policy says, whatever blanks and comments stand in it."""
    return " ".join(token for token in _TOKEN.findall(text) if not token.startswith("//"))


@lru_cache(maxsize=32)  # one preset is in many engines
def load(source: PolicySource, schema: cedarpy.Schema) -> tuple[Policy, ...]:
    """Check every policy of one file. What it returns is shared: nobody changes a `body`.

    Raises:
        PolicyError: naming file, line and column of the first that does not parse, does not
            fit the schema, or may not stand in its layer.
    """
    return tuple(policy for _, _, policy in load_each(source, schema))


def load_each(source: PolicySource, schema: cedarpy.Schema) -> Iterator[tuple[int, str, Policy]]:
    """As `load`, each policy after its offset in the file and its text."""
    for offset, text in pieces(source.text):
        yield offset, text, _policy(source, offset, text, schema)


def _policy(source: PolicySource, offset: int, text: str, schema: cedarpy.Schema) -> Policy:
    result = cedarpy.validate_policies(text, schema)
    if not result.validation_passed:
        message = result.errors[0].error if result.errors else "it does not validate"
        raise _error(source, offset, text, message)
    try:
        document = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        raise _error(source, offset, text, str(error)) from error
    static = list(document["staticPolicies"].values())
    if len(static) != 1 or document["templates"]:
        raise _error(source, offset, text, "templates (?principal, ?resource) are not used here")
    body: dict[str, Any] = static[0]
    notes: dict[str, str] = {k: v or "" for k, v in body.get("annotations", {}).items()}
    for name in notes:
        if not _ANNOTATION.fullmatch(name):
            raise _error(source, offset, text, f"there is no annotation `{name}`")
    line, _ = _line_column(source.text, offset)
    permits = body["effect"] == "permit"
    ask = notes.get("ask", notes.get("itl"))
    if ask is not None and not permits:
        raise _error(source, offset, text, "a forbid refuses and cannot @ask; ask on a permit")
    if source.layer is Layer.PROJECT and permits and ask is None:
        raise _error(
            source, offset, text, "a project may only tighten: write forbid, or permit with @ask"
        )
    default = Risk.LOW if ask is None else Risk.MEDIUM
    try:
        risk = Risk(notes.get("risk", default))
    except ValueError:
        raise _error(
            source, offset, text, f'@risk("{notes["risk"]}") is not low, medium or high'
        ) from None
    return Policy(
        id=notes.get("id") or f"{source.name}:{line}",
        layer=source.layer,
        permits=permits,
        ask=ask,
        risk=risk,
        description=notes.get("description", ""),
        hint=notes.get("hint", ""),
        body=body,
        location=f"{source.name}:{line}",
    )


def _error(source: PolicySource, offset: int, text: str, message: str) -> PolicyError:
    """Place the error at the name that Cedar's message quotes, else at the policy's start."""
    message = re.sub(r"^Policy parse error: ", "", message)
    message = re.sub(r"^(\[\w+\] )?for policy `\w+`, ", "", message)
    at = 0
    if message.startswith("unexpected end"):
        at = len(text.rstrip())
    else:
        quoted = re.findall(r"`([^`]+)`", message) + re.findall(r": (\w+)$", message)
        for name in quoted:
            found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)
            if found:
                at = found.start()
                break
    line, column = _line_column(source.text, offset + at)
    return PolicyError(
        f"{source.name}:{line}:{column}: {message}.",
        hint="schema.cedarschema lists every name a policy may use.",
    )


def _line_column(text: str, offset: int) -> tuple[int, int]:
    """Both from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
