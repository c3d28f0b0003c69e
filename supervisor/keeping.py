"""Answers for good: the rule that would be kept, what it would have decided, and keeping it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from supervisor.core import Engine
from supervisor.errors import Denied, NotFound
from supervisor.policy.backtest import KINDS, Report, backtest
from supervisor.policy.engine import CedarEngine
from supervisor.policy.in_force import Policies
from supervisor.policy.rules_file import Rule, append, propose
from supervisor.policy.source import Layer, PolicySource

_RECORDS = 5000  # of the newest, that a back-test looks at


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an answer for good would write, and what would not have been asked with it."""

    rule: Rule
    text: str  # the rule as policies
    report: Report


@dataclass(slots=True)
class Keeper:
    """Keeps a person's answers in their own `rules.toml`, for every task that starts later."""

    engine: Engine
    policies: Policies
    path: Path

    async def propose(self, approval: str) -> Proposal:
        """The narrowest rule that would answer this question, judged over past calls.

        Raises:
            NotFound: the question is not open.
            Denied: nothing of the kind is kept for good.
        """
        request = self.engine.approvals.pending(approval)
        if request is None:
            raise NotFound("This question is not open any more.", hint="See `taskpass history`.")
        rule = propose(request, self.engine.approvals.about(approval))
        if rule is None:
            raise Denied(
                "This is not kept for good: it could be anything the next time, or risks too much.",
                hint="Approve it once, or for this task.",
            )
        runtime = self.engine.desk.runtimes.get(request.task)
        before = runtime.policy if runtime else None
        if not isinstance(before, CedarEngine):
            raise NotFound("The task that asks has ended.")
        text = rule.text("kept")
        records = self.engine.ledger.latest(_RECORDS, kinds=KINDS)
        added = PolicySource("the new rule", text, Layer.USER)
        after = CedarEngine(sorted((*before.sources, added), key=lambda source: source.layer))
        report = await asyncio.to_thread(backtest, records, before, after)
        return Proposal(rule, text, report)

    async def keep(self, approval: str, by: str) -> Rule:
        """Write the rule that `propose` shows. On record first: a rule has its reason.

        Raises:
            NotFound, Denied: as `propose`.
            LedgerFailed, PolicyError, ConfigError: nothing was written.
        """
        proposal = await self.propose(approval)
        if not await asyncio.to_thread(self.policies.as_accepted):
            raise Denied(
                "Your policy files were changed outside taskpass, and you have not accepted that.",
                hint="Look at the change first: taskpass policy accept.",
            )
        await self.engine.ledger.append(
            "rule.kept",
            {"by": by, "approval": approval, "rule": self.engine.records.redact(proposal.text)},
        )
        await asyncio.to_thread(append, self.path, proposal.rule, by, self.engine.clock())
        self.policies.adopt()
        return proposal.rule
