"""The history of a session as a report that a person reads: Markdown. Pure.

Commands and reasons were written by agents: in the report they are code, and end no table, open
no link and start no markup.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from supervisor.ledger.signing import fingerprint
from supervisor.review import words
from supervisor.review.figures import KINDS, figures

_LONGEST: Final = 120  # characters of a text in a table
_MOST: Final = 500  # rows of a table
_TROUBLE: Final = frozenset({"incident", "unconfirmed", "irrevocable", "lost"})


class Report:
    """Collects records, oldest first; then gives the lines."""

    def __init__(self) -> None:
        self._tasks: dict[str, Mapping[str, Any]] = {}
        self._ends: dict[str, str] = {}
        self._questions: list[Mapping[str, Any]] = []
        self._counted: list[Mapping[str, Any]] = []
        self._refused: list[Mapping[str, Any]] = []
        self._trouble: list[Mapping[str, Any]] = []
        self._revoked: list[Mapping[str, Any]] = []
        self._lent: Counter[tuple[str, str]] = Counter()
        self._records = 0

    def add(self, record: Mapping[str, Any]) -> None:
        self._records += 1
        kind, task = str(record["kind"]), str(record.get("task") or "")
        decision = words.decision(record)
        if kind == "task.started":
            self._tasks[task] = record
        elif kind in ("task.ended", "task.lost", "task.revoked", "task.failed"):
            self._ends[task] = kind.partition(".")[2]
        if kind in KINDS:
            self._counted.append(record)
        if kind.startswith("approval."):
            self._questions.append(record)
        elif decision == "deny":
            self._refused.append(record)
        if decision in _TROUBLE:
            self._trouble.append(record)
        if kind in ("task.revoked", "grant.revoked", "task.frozen", "lease.revoked"):
            self._revoked.append(record)
        if kind == "use.intent" and record.get("credential"):
            self._lent[str(record["credential"]), str(record.get("effect") or "")] += 1

    def lines(self, query: str, made: float, chain: str, key: bytes) -> Iterator[str]:
        """The report. `chain`, `key`: as in `exporting.Origin`."""
        yield "# taskpass: what agents did"
        yield ""
        yield f"- made: {_time(made)}"
        yield f"- records: {self._records}" + (f", filter {_code(query)}" if query else "")
        yield f"- chain of records: {chain}"
        yield f"- signed by: {fingerprint(key)} (check with `taskpass verify FILE`)"
        yield from self._of_tasks()
        yield from self._of_figures()
        yield from _table(
            "Questions and answers", ("time", "task", "what", "answer"), self._questions,
            "Nobody was asked.",
        )  # fmt: skip
        yield from _table(
            "Refused", ("time", "task", "what", "why"), self._refused, "Nothing was refused."
        )
        yield "\n## Credentials lent\n"
        if not self._lent:
            yield "None."
        else:
            yield "| credential | for | uses |\n|---|---|---|"
            for (name, effect), count in self._lent.most_common(_MOST):
                yield f"| {_code(name)} | {_code(effect)} | {count} |"
        yield from _table(
            "Frozen and revoked", ("time", "task", "what", "state"), self._revoked, "Nothing was."
        )
        yield from _table(
            "Incidents", ("time", "task", "what", "state"), self._trouble, "There were none."
        )
        yield ""

    def _of_tasks(self) -> Iterator[str]:
        yield "\n## Tasks\n"
        if not self._tasks:
            yield "No task began among these records."
            return
        yield "| task | began | purpose | user | agent | runtime | end |"
        yield "|---|---|---|---|---|---|---|"
        for task, began in self._tasks.items():
            runtime = f"{began.get('runtime', '')}, tier {began.get('tier', '')}"
            if job := began.get("job"):
                runtime += f", {job['system']}: {job['repository']} {job['ref']}"
            cells = (
                _code(task), _time(began["time"]), _code(began.get("purpose")),
                _code(began.get("user")), _code(began.get("agent")), _code(runtime),
                self._ends.get(task, "not among these records"),
            )  # fmt: skip
            yield f"| {' | '.join(cells)} |"

    def _of_figures(self) -> Iterator[str]:
        told = figures(self._counted)
        yield "\n## How it was asked and answered\n"
        yield f"- calls: {told.calls}, of which a person was asked about {told.asked}"
        yield f"- prompts per 100 calls: {told.per_100_calls:.1f}"
        yield (
            f"- approved {told.approved}, denied {told.denied}, not answered in time "
            f"{told.expired}, withdrawn {told.withdrawn}"
        )
        yield f"- time to approve: half within {told.approve_p50:.1f} s, 95 % within {told.approve_p95:.1f} s"  # noqa: E501
        yield f"- rubber stamps: {told.rubber_stamps:.0%}"


def _table(
    title: str, columns: tuple[str, ...], records: list[Mapping[str, Any]], none: str
) -> Iterator[str]:
    yield f"\n## {title}\n"
    if not records:
        yield none
        return
    yield f"| {' | '.join(columns)} |"
    yield "|---" * len(columns) + "|"
    for record in records[:_MOST]:
        told = words.decision(record)
        last = _code(record.get("reason")) if columns[-1] == "why" else told
        cells = (_time(record["time"]), _code(record.get("task")),
                 _code(words.sentence(record)), last)  # fmt: skip
        yield f"| {' | '.join(cells)} |"
    if len(records) > _MOST:
        yield f"\n{len(records) - _MOST} more are in the other formats."


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _code(value: Any) -> str:
    """A text of an agent's as code in a table's cell."""
    text = "".join(each if each.isprintable() else "·" for each in str(value or ""))
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 1] + "…"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "&#124;"),
                              ("`", "&#96;"), ("[", "&#91;"), ("]", "&#93;"), ("*", "&#42;"),
                              ("_", "&#95;"), ("\\", "&#92;")):  # fmt: skip
        text = text.replace(character, entity)
    return f"<code>{text}</code>" if text else ""
