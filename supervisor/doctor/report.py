"""What the doctor found, and how it is said. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import groupby
from typing import Any

_WIDTH = 15  # of the column with areas


class State(StrEnum):
    """What a finding means for the person."""

    OK = "ok"
    NOTE = "note"  # worth knowing; nothing has to be done
    PROBLEM = "problem"  # something that taskpass promises does not hold here


_SIGN = {State.OK: "✓", State.NOTE: "·", State.PROBLEM: "!"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        area: what it is about, one word: findings of an area stand together.
        next: what to do about it, "" where nothing has to be done.
    """

    area: str
    state: State
    what: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Tried:
    """One path of one agent, or of the machine: what had to happen, and what did.

    Attributes:
        who: the agent, "" for the machine.
        path: "shell", "file", "MCP", "background", "subagent"; of the machine "proxy".
    """

    who: str
    path: str
    expected: str
    seen: str
    proven: bool
    next: str = ""


def healthy(findings: Sequence[Finding]) -> bool:
    return all(finding.state is not State.PROBLEM for finding in findings)


def as_text(findings: Sequence[Finding]) -> str:
    """One screen: areas in their order, each problem with its next step below it."""
    lines = []
    for area, group in groupby(findings, lambda finding: finding.area):
        label = area
        for finding in group:
            lines.append(f"{label:<{_WIDTH}}{_SIGN[finding.state]} {finding.what}")
            if finding.next:
                lines.append(f"{'':<{_WIDTH}}  → {finding.next}")
            label = ""
    problems = sum(finding.state is State.PROBLEM for finding in findings)
    verdict = "Nothing is wrong."
    if problems:
        verdict = f"{problems} problem{'s' if problems > 1 else ''}, marked with !"
    return "\n".join([*lines, "", verdict, ""])


def as_json(findings: Sequence[Finding], tried: Sequence[Tried] = ()) -> dict[str, Any]:
    """`schema_version`, `ok`, the findings as they are, and each `path` that was tried."""
    return {
        "schema_version": 1,
        "ok": healthy(findings),
        "findings": [asdict(finding) for finding in findings],
        "paths": [asdict(each) for each in tried],
    }
