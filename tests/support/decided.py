"""What was decided about calls, from the history; and the table of it that people read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.model import Outcome

# Every announced call leaves one of these; what asks is a question first.
_KINDS = ("call.opened", "call.denied", "approval.asked")
_SIGNS = {Outcome.ALLOW: "allow", Outcome.ASK: "ASK", Outcome.DENY: "DENY"}
_LEGEND = """
(cat), (curl): by this program in the agent's shell, since it has no tool of its own for that.
–: it has no tool for that, or is not started there, and its manifest says so.
*: asks, but this runtime cannot hand it over: refused with the option that would let it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """One decision, as it is on record.

    Attributes:
        policies: that made it.
        effects: of the call, in words.
        reached: False where its container has no way to carry it out, so that nobody is asked.
    """

    outcome: Outcome
    policies: tuple[str, ...]
    effects: tuple[str, ...]
    reached: bool = True

    @property
    def text(self) -> str:
        return _SIGNS[self.outcome] + ("" if self.reached else "*")


def decisions(records: Iterable[Mapping[str, Any]], task: str) -> list[Decided]:
    """Of all calls that one task announced, in its order."""
    return [
        _decided(record)
        for record in records
        if record.get("task") == task and record["kind"] in _KINDS and not _of_nobody(record)
    ]


def _decided(record: Mapping[str, Any]) -> Decided:
    outcome = "ask" if record["kind"] == "approval.asked" else record["outcome"]
    return Decided(
        Outcome(record.get("decided", outcome)),
        tuple(record["policies"]),
        tuple(record["effects"]),
        reached="decided" not in record,
    )


def _of_nobody(record: Mapping[str, Any]) -> bool:
    """Whether it is no call that the agent announced: what the gateway asks its server for itself,
    and the one call for all uses of an agent whose uses belong to a process."""
    return "__@" in str(record.get("tool", "")) or record.get("agent_call_id") == "process"


@dataclass(frozen=True, slots=True)
class Cell:
    """One call of one agent in one runtime. `decided` is None where it has no tool for it."""

    decided: Decided | None
    carrier: str = ""  # the program in a shell that stands in for a tool

    @property
    def text(self) -> str:
        by = f" ({self.carrier})" if self.carrier else ""
        return self.decided.text + by if self.decided else "–"

    @property
    def effects(self) -> tuple[str, ...]:
        """What it does, but for running the program that stands in."""
        found = self.decided.effects if self.decided else ()
        return tuple(each for each in found if each != f"run {self.carrier}")


# By runtime, then by agent: its sixty cells in order.
Matrix = Mapping[str, Mapping[str, Sequence[Cell]]]


def table(names: Sequence[str], matrix: Matrix) -> str:
    """Calls as lines, agents as columns. Where runtimes differ a cell has all of theirs."""
    agents = list(next(iter(matrix.values())))
    lines = [("", *agents)]
    for row, name in enumerate(names):
        found = [
            dict.fromkeys(cells[agent][row].text for cells in matrix.values()) for agent in agents
        ]
        lines.append((name, *(" | ".join(texts) for texts in found)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join(padded) + _LEGEND


def differences(names: Sequence[str], matrix: Matrix) -> list[str]:
    """What is not the same of each call in all cells, in words.

    A stand-in in a shell is judged for running its program as well: then more policies may have
    decided, never others.
    """
    found = []
    for row, name in enumerate(names):
        cells = {
            f"{agent} ({runtime})": columns[agent][row]
            for runtime, columns in matrix.items()
            for agent in columns
            if columns[agent][row].decided
        }
        where, first = next(each for each in cells.items() if not each[1].carrier)
        for other, cell in cells.items():
            told, wanted = cell.decided, first.decided
            assert told is not None
            assert wanted is not None
            policies = set(told.policies)
            same = (
                policies >= set(wanted.policies)
                if cell.carrier
                else told.policies == wanted.policies
            )
            if told.outcome is not wanted.outcome or not same or cell.effects != first.effects:
                found.append(f"{name}: {where} {wanted}, {other} {told}")
    return found
