"""Says in lines why a decision is what it is."""

from __future__ import annotations

from collections.abc import Sequence

from supervisor.policy.engine import Verdict, shown


def explain(verdicts: Sequence[Verdict]) -> list[str]:
    """One line per effect with its outcome, then one per policy that decided it."""
    lines: list[str] = []
    for verdict in verdicts:
        lines.append(f"{verdict.outcome.value:5}  {shown(verdict.effect)}")
        for policy in verdict.policies:
            words = policy.ask if policy.ask is not None else policy.description
            lines.append(f"       {policy.id}  {words}  ({policy.location})")
            if policy.hint:
                lines.append(f"       → {policy.hint}")
        if verdict.error:
            lines.append(f"       error: {verdict.error}")
        elif not verdict.policies:
            lines.append("       no rule allows it")
    return lines
