"""The history's filter line: `task:1 decision:ask,deny host:api.example.com text`. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from supervisor.errors import UsageError
from tui import records

FIELDS: Final = ("task", "decision", "kind", "host", "call", "lease")


@dataclass(frozen=True, slots=True)
class Query:
    """What a record must match: every field (any of its values) and every word."""

    fields: tuple[tuple[str, frozenset[str]], ...] = ()
    words: tuple[str, ...] = ()

    def matches(self, record: Mapping[str, Any], number: Callable[[str], str]) -> bool:
        """Whether a record passes. `number` gives the shown number of a task id."""
        if not self.fields and not self.words:
            return True
        line = records.line(record)
        whole = json.dumps(record, ensure_ascii=False, default=str).casefold()
        return all(word in whole for word in self.words) and all(
            _has(name, wanted, record, line, number) for name, wanted in self.fields
        )


def parse(source: str) -> Query:
    """Read a filter line.

    Raises:
        UsageError: a field we do not have; the hint names those we have.
    """
    fields: list[tuple[str, frozenset[str]]] = []
    words: list[str] = []
    for term in source.split():
        name, colon, values = term.partition(":")
        if not colon or not name.isalpha():
            words.append(term.casefold())
        elif name.casefold() not in FIELDS:
            raise UsageError(
                f"There is no field “{name}”.", hint="Use " + ", ".join(FIELDS) + " or plain words."
            )
        else:
            wanted = frozenset(part.casefold() for part in values.split(",") if part)
            if wanted:
                fields.append((name.casefold(), wanted))
    return Query(tuple(fields), tuple(words))


def _has(
    name: str,
    wanted: frozenset[str],
    record: Mapping[str, Any],
    line: records.Line,
    number: Callable[[str], str],
) -> bool:
    match name:
        case "task":
            return bool(wanted & {line.task.casefold(), number(line.task)})
        case "decision":
            return line.decision.casefold() in wanted
        case "kind":
            return line.kind.casefold() in wanted
        case "host":
            whole = json.dumps(record, default=str).casefold()
            return any(host in whole for host in wanted)
        case _:
            return str(record.get(name, "")).casefold() in wanted
