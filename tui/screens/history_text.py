"""What the history says: titles, details, proofs, figures. Pure: Rich text out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.cells import cell_len
from rich.text import Text

from supervisor.protocol import wire
from supervisor.protocol.review import FiguresView, ProofView, ReplayView, TimelineView
from tui import palette, records
from tui.text import clip, hang, moment, one_line, plural, table, time_of_day, visible

_BARS: Final = " ▁▂▃▄▅▆▇█"
_HASTE: Final = 3  # seconds, as `review.figures` has it
_STANDING: Final = {"verified": ("✓ verified", palette.GREEN), "broken": ("✕ BROKEN", palette.RED)}
_OUTCOME: Final = {"allow": palette.GREEN, "ask": palette.AMBER, "deny": palette.RED}
_LEASE: Final = 12  # columns of it
_ROOM_FOR_LEASE: Final = 84
_NAMES, _SHARE = 14, 0.4  # columns of a record's names at least, and their share at most


def heading(width: int) -> Text:
    """The names of the columns, as `row` has them."""
    text = Text(" ", palette.MUTED, no_wrap=True)
    for name, cells in _columns(width):
        text.append(name.ljust(cells + 1))
    return text


def _columns(width: int) -> list[tuple[str, int]]:
    lease = _LEASE if width >= _ROOM_FOR_LEASE else 0
    taken = 11 + 18 + 11 + lease + (5 if lease else 4)
    columns = [("time", 11), ("task", 18), ("what", max(12, width - taken)), ("decision", 11)]
    return columns + ([("lease", _LEASE)] if lease else [])


def row(line: records.Line, name: str, now: float, width: int) -> Text:
    """One record in `width` cells. `name`: its task's number and purpose."""
    values = {
        "time": (moment(line.time, now), palette.MUTED),
        "task": (name, palette.TEXT),
        "what": (line.sentence, palette.TEXT if line.notable else palette.MUTED),
        "decision": (line.decision or "·", line.colour),
        "lease": (line.lease, palette.MUTED),
    }
    text = Text(no_wrap=True)
    for column, cells in _columns(width):
        value, style = values[column]
        cell = Text(clip(value, cells), style)
        cell.append(" " * (cells + 1 - cell.cell_len))
        text.append_text(cell)
    return text


def chain(state: wire.VerifyView) -> Text:
    """Whether the whole chain is good."""
    if not state.ok:
        return Text(
            f" CHAIN BROKEN: {clip(state.message, 70)} ", f"bold {palette.INK} on {palette.RED}"
        )
    text = Text("chain ok ✓", f"bold {palette.GREEN}")
    about = f"  {plural(state.records, 'record')}, {plural(state.checkpoints, 'checkpoint')}"
    return text.append(about, palette.MUTED)


def detail(
    record: Mapping[str, Any],
    proof: ProofView | None,
    replayed: ReplayView | None,
    now: float,
    width: int,
) -> Text:
    """All of a record: what backs it, what today's policy says, and then its fields."""
    fields = [
        (one_line(name), visible(value) if value else Text("–", palette.MUTED))
        for name, value in records.fields(record)
    ]
    longest = max(cell_len(name) for name, _ in fields)
    indent = min(max(_NAMES, longest + 1), int(width * _SHARE))
    text = Text()
    if proof is None:
        text.append("proof: checking…\n", palette.MUTED)
    else:
        words, style = _STANDING.get(proof.standing, (f"· {proof.standing}", palette.MUTED))
        rows = [("proof", Text(words, f"bold {style}")), ("", Text(proof.message, palette.MUTED))]
        if proof.head is not None:
            at = moment(proof.head.time, now)
            rows.append(
                ("checkpoint", Text(f"{proof.head.number} at record {proof.head.seq}, {at}"))
            )
            rows.append(("signature", Text(proof.head.signature[:16] + "…", palette.MUTED)))
        rows.append(("signed by", Text(proof.key)))
        text.append_text(table(rows, width, indent)).append("\n")
    if replayed is not None:
        text.append("\n").append_text(_replay(replayed, width, indent)).append("\n")
    text.append("\n")
    return text.append_text(table(fields, width, indent))


def _replay(told: ReplayView, width: int, indent: int) -> Text:
    if not told.now:
        rows = [("today", Text("cannot be judged again", palette.AMBER)),
                ("", visible(told.problem, palette.MUTED))]  # fmt: skip
        return table(rows, width, indent)
    answer = "the same answer" if told.same else "ANOTHER ANSWER"
    rows = [
        ("today", Text(answer, f"bold {palette.GREEN if told.same else palette.AMBER}")),
        ("then", _decided(told.then, told.then_rules)),
        ("now", _decided(told.now, told.now_rules)),
        ("", visible(told.now_reason, palette.MUTED)),
    ]
    if told.now_hint:
        rows.append(("instead", visible(told.now_hint, palette.MUTED)))
    if told.policy_changed:
        rows.append(("policy", Text("has changed since", palette.MUTED)))
    return table(rows, width, indent)


def _decided(outcome: str, rules: Sequence[str]) -> Text:
    text = Text(outcome if outcome == "allow" else outcome.upper(), _OUTCOME.get(outcome, ""))
    return text.append("  " + (one_line(", ".join(rules)) or "no rule"), palette.TEXT)


def over_time(told: TimelineView, width: int) -> Text:
    """When the records were, in three lines."""
    if not told.records:
        return Text(" nothing to draw", palette.MUTED)
    rows = (("records", told.records, palette.TEAL), ("asked", told.asked, palette.AMBER),
            ("refused", told.refused, palette.RED))  # fmt: skip
    start, end = time_of_day(told.start)[:5], time_of_day(told.end)[:5]
    lines = []
    for number, (name, counts, style) in enumerate(rows):
        line = Text(f" {name:<8} {start if not number else '':<5} ", palette.MUTED, no_wrap=True)
        line.append(bars(counts, max(10, width - 32)), style)
        line.append(f" {end if not number else '':<5} {sum(counts):>7}", palette.MUTED)
        lines.append(line)
    if sum(told.incidents):
        lines[-1].append(f"  {plural(sum(told.incidents), 'incident')}", palette.RED)
    return Text("\n").join(lines)


def bars(counts: Sequence[int], cells: int) -> str:
    """Counts as bars in at most so many cells; what is there at all shows."""
    share = max(1, -(-len(counts) // max(1, cells)))
    summed = [sum(counts[at : at + share]) for at in range(0, len(counts), share)]
    most = max(summed, default=0) or 1
    return "".join(_BARS[-(-count * (len(_BARS) - 1) // most)] for count in summed)


def figures(told: FiguresView, width: int) -> Text:
    """How well questions are answered."""
    seconds = f"half within {told.approve_p50:.1f} s, 95 % within {told.approve_p95:.1f} s"
    hasty = f"{told.rubber_stamps:.0%} of approvals came within {_HASTE} s"
    rows = [
        ("calls", Text(str(told.calls))),
        ("questions", Text(f"{told.asked}, {told.high_risk} of high risk")),
        ("per 100 calls", Text(f"{told.per_100_calls:.1f}", f"bold {palette.TEXT}")),
        ("approved", Text(str(told.approved), palette.GREEN)),
        ("denied", Text(str(told.denied), palette.RED)),
        ("no answer", Text(f"{told.expired} in time, {told.withdrawn} withdrawn")),
        ("waiting", Text(str(told.waiting))),
        ("to approve", Text(seconds if told.approved else "nothing was approved")),
        ("rubber stamps", Text(hasty, palette.AMBER if told.rubber_stamps > 0.5 else "")),
    ]
    text = table(rows, width, 15)
    if not told.asked:
        text.append(
            "\n\nNobody was asked anything yet. These figures begin with the first question.",
            palette.MUTED,
        )
        return text
    text.append(f"\n\n{'asked':>5} {'yes':>4} {'no':>4} {'hasty':>5} {'p50':>7}  rule",
                palette.MUTED)  # fmt: skip
    for rule in told.by_rule:
        text.append(f"\n{rule.asked:>5} {rule.approved:>4} {rule.denied:>4} {rule.hasty:>5} "
                    f"{f'{rule.p50:.1f}s' if rule.approved else '–':>7}  ")  # fmt: skip
        text.append(clip(rule.rule, max(8, width - 34)), palette.TEXT)
    words = (
        "\nA rule that is always agreed to asks too much; one that never is should deny. A yes "
        f"within {_HASTE} s has hardly been read."
    )
    for line in hang("", Text(words.strip(), palette.MUTED), width, 0):
        text.append("\n").append_text(line)
    return text
