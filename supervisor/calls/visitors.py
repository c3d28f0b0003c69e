"""A remote MCP client that wants in: policy may refuse it, and only a person lets it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from supervisor.calls.mcp import question
from supervisor.errors import Denied
from supervisor.intake.reports import Visitor
from supervisor.model import Answer, Decision, Effect, Outcome, Risk, Verb

if TYPE_CHECKING:
    from supervisor.core import Engine

_POLICY = "mcp/connect"  # as the policy that asks is called on screens and in records
_TOOL = "connect"


@dataclass(frozen=True, slots=True)
class Visitors:
    """See `intake.reports.Doorkeeper`."""

    engine: Engine

    async def admits(self, task: str, visitor: Visitor) -> bool:
        engine = self.engine
        entry = engine.book.require_live(task)
        scopes = " ".join(visitor.scopes)
        effect = Effect(
            Verb.MCP,
            f"taskpass.{_TOOL} {visitor.client} {scopes}",
            {
                "server": "taskpass",
                "tool": _TOOL,
                "reads": False,
                "browser": False,
                "arguments": f"\nserver={visitor.server}\nclient={visitor.client}\n",
            },
        )
        runtime = engine.desk.runtimes[task]
        judged = runtime.policy.decide((effect,), engine.judge.situation(entry, runtime))
        if judged.outcome is Outcome.DENY:
            raise Denied(judged.reason, hint=judged.hint)
        # Even where policy would let it in: whoever finds the address could ask.
        decision = Decision(
            Outcome.ASK,
            f"A remote client wants to use the MCP server {visitor.server}.",
            (_POLICY,),
            risk=Risk.MEDIUM,
            about=(effect,),
        )
        call = question(entry, f"mcp__taskpass__{_TOOL}", _words(visitor), decision, engine.clock())
        approval, _ = await engine.questions.about_call(entry, call, 0.0)
        granted = approval is not None and approval.answer is Answer.APPROVED
        await engine.records.write(
            "mcp.connected" if granted else "mcp.turned_away",
            entry,
            server=visitor.server,
            client=visitor.client,
            redirect=visitor.redirect,
            scopes=list(visitor.scopes),
            approval=approval.id if approval else "",
        )
        return granted


def _words(visitor: Visitor) -> str:
    """What a person is shown, one fact a line; what the client claims is on lines of its own."""
    return "\n".join(
        [
            f"Let a remote client use {visitor.server} ({' '.join(visitor.scopes)})?",
            f"code: {visitor.code} (the page that you opened must show the same)",
            f"answer goes to: {_line(visitor.redirect)}",
            f"client: {_line(visitor.client)}",
            f"calls itself: {_line(visitor.name)}",
        ]
    )


def _line(text: str) -> str:
    return " ".join(text.split())
