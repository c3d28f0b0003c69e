"""Steps that tests of the core share: what is decided, and a person who answers."""

from __future__ import annotations

from supervisor.model import (
    Answer,
    Decision,
    Outcome,
    Scope,
)
from tests.support.core_fakes import (
    World,
)
from tests.support.live import until

ALLOW = Decision(Outcome.ALLOW, "ordinary", ("ok",))
ASK = Decision(Outcome.ASK, "sensitive", ("ask-it",))
DENY = Decision(Outcome.DENY, "Not in this house.", ("no",), hint="Use the other door.")


async def answer(world: World, given: Answer) -> None:
    (pending,) = world.engine.approvals.all_pending()
    await world.engine.approvals.answer(
        pending.id, answer=given, scope=Scope.ONCE, by="ana", code=pending.code
    )


async def asked(world: World) -> None:
    await until(world.engine.approvals.all_pending, "the question")
