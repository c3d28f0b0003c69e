"""The history's filter line: `task:1 decision:ask,deny host:api.example.com -kind:use.* words`.

A field matches any of its values, a value with `*` anything there, and a minus in front what does
not match. Words have to stand somewhere in the record; a phrase is put in quotes. `since` and
`until` take a span back from now (`30m`, `2h`, `3d`), a time of today (`14:02`) or a day
(`2026-11-23`). Pure.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from supervisor.errors import UsageError
from supervisor.review import words

# field → what of a record it looks at; the others are looked at in a way of their own
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "task": ("task", "top"),  # a subagent's records are its agent's too
    "kind": ("kind",),
    "call": ("call",),
    "lease": ("lease", "leases"),
    "approval": ("approval",),
    "credential": ("credential",),
    "rule": ("policies",),
    "tool": ("tool",),
    "user": ("user",),
    "agent": ("agent",),
    "seq": ("seq",),
    "hash": ("hash",),
}
FIELDS: Final = ("task", "decision", "kind", "host", *sorted({*_KEYS} - {"task", "kind"}),
                 "since", "until")  # fmt: skip
_UNSEEN: Final = frozenset({"prev", "hash", "v"})
_TERM: Final = re.compile(r'(-?)(?:([A-Za-z]+):)?("[^"]*"?|\S*)')
_SPAN: Final = re.compile(r"(\d+)([smhdw])")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


@dataclass(frozen=True, slots=True)
class Term:
    """One condition on a field. `values`: lower case, any of them; may hold `*`."""

    field: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def exact(self) -> tuple[str, ...]:
        """The values, where an index can find them."""
        return () if self.negated or any("*" in value for value in self.values) else self.values


@dataclass(frozen=True, slots=True)
class Query:
    """What a record must match: every term and every word, within the time."""

    terms: tuple[Term, ...] = ()
    words: tuple[str, ...] = ()
    without: tuple[str, ...] = ()  # words that may not be there
    since: float = 0.0  # POSIX seconds
    until: float = 0.0  # 0: any time

    def exactly(self, field: str) -> tuple[str, ...]:
        """The only values that `field` may have, () where any may match."""
        return next((t.exact for t in self.terms if t.field == field and t.exact), ())

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record passes."""
        at = record.get("time", 0.0)
        if at < self.since or (self.until and at >= self.until):
            return False
        if not all(_has(term, record) is not term.negated for term in self.terms):
            return False
        if not (self.words or self.without):
            return True
        said = _said(record)
        return all(word in said for word in self.words) and not any(
            word in said for word in self.without
        )


def parse(
    source: str, now: float | None = None, task_of: Callable[[str], str] = lambda shown: shown
) -> Query:
    """Read a filter line.

    Args:
        now: POSIX seconds that spans count back from; the clock's by default.
        task_of: the id of a task by the number that is shown, or what it was given.

    Raises:
        UsageError: a field we do not have, or a time that is none; the hint says what there is.
    """
    now = time.time() if now is None else now
    terms: list[Term] = []
    wanted: list[str] = []
    without: list[str] = []
    times = {"since": 0.0, "until": 0.0}
    for minus, field, rest in _TERM.findall(source):
        text, field = rest.strip('"'), field.casefold()
        if not field:
            if text:
                (without if minus else wanted).append(text.casefold())
        elif field in times:
            times[field] = _moment(text, now) if text else 0.0
        elif field not in FIELDS:
            raise UsageError(
                f"There is no field “{field}”.", hint="Use " + ", ".join(FIELDS) + " or words."
            )
        else:
            values = [part for part in text.split(",") if part]
            if field == "task":
                values = [task_of(value) for value in values]
            if values:
                terms.append(Term(field, tuple(v.casefold() for v in values), bool(minus)))
    return Query(tuple(terms), tuple(wanted), tuple(without), times["since"], times["until"])


def _has(term: Term, record: Mapping[str, Any]) -> bool:
    if term.field == "decision":
        return _any(words.decision(record), term.values)
    if term.field == "host":
        said = _said(record)
        return any(host in said for host in term.values)
    found = (record.get(key) for key in _KEYS[term.field])
    if term.field == "hash":  # by its beginning, as hashes are told
        return any(str(each).startswith(term.values) for each in found)
    if term.field in ("user", "agent"):
        return any(value in str(each).casefold() for each in found for value in term.values)
    return any(_any(text, term.values) for each in found for text in words.texts(each))


def _any(text: str, values: tuple[str, ...]) -> bool:
    folded = text.casefold()
    return any(fnmatchcase(folded, v) if "*" in v else folded == v for v in values)


def _said(record: Mapping[str, Any]) -> str:
    told = (value for key, value in record.items() if key not in _UNSEEN)
    return "\n".join(text for value in told for text in words.texts(value)).casefold()


def _moment(text: str, now: float) -> float:
    if match := _SPAN.fullmatch(text):
        return now - int(match[1]) * _SECONDS[match[2]]
    today = time.strftime("%Y-%m-%d ", time.localtime(now))
    for source in (text, today + text):
        for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"):
            with contextlib.suppress(ValueError, OverflowError):
                return time.mktime(time.strptime(source, form))
    raise UsageError(
        f"“{text}” is not a time.", hint="Say 30m, 2h or 3d ago, or 14:02, or 2026-11-23."
    )
