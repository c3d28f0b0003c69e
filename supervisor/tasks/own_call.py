"""A command of the person's own under a task: `taskpass call -- CMD`.

It has a process tree and a holder of its own, and an authority bounded by the task's: the same
policy, what is left of its budgets, and nothing once the task is frozen, revoked or over. It is one
call, judged before anything of it runs, with its credentials for that call alone.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from supervisor.approvals.call_hash import call_hash
from supervisor.calls.announced import by_https
from supervisor.calls.children import limits_below
from supervisor.calls.questions import refusal
from supervisor.effects import effects_of
from supervisor.errors import Denied, Revoked
from supervisor.grants.budget import announced_changes
from supervisor.model import (
    Answer,
    Call,
    CallIdentity,
    Outcome,
    Scope,
    Task,
    ToolCall,
    ToolKind,
)
from supervisor.process.containment import within

if TYPE_CHECKING:
    from supervisor.core import Engine
    from supervisor.grants.book import Book, TaskEntry
    from supervisor.ports import PolicyEngine
    from supervisor.protocol.wire import StartTask

TOOL = "call"  # as records and screens name it


def under(book: Book, request: StartTask) -> StartTask:
    """The request as the task that it names allows it: in its workspace, contained as it is.

    Raises:
        NotFound, Revoked: there is no such task, or it may not act.
        Denied: nothing can run beside it.
    """
    above = book.require_live(request.under)
    task = above.task
    if above.above is not None:
        raise Denied(
            f"{above.place} has no processes of its own to run a command beside.",
            hint=f"Name the task whose agent it is: {above.top.place}.",
        )
    if task.overlay:
        raise Denied(
            "This task works on an overlay, which a command beside it would not see.",
            hint="Decide about its changes first: taskpass changes.",
        )
    cwd = os.path.realpath(request.cwd)
    return msgspec.structs.replace(
        request,
        cwd=cwd if within(cwd, os.path.realpath(task.workspace)) else task.cwd,
        profile="generic",
        interactive=False,
        contain=task.runtime.containment if task.runtime.tier.contained else "off",
        show=task.runtime.let_read,
        write=task.runtime.let_write,
        preset=task.preset,
        purpose=shlex.join(request.argv)[:60],
        overlay=False,
        record=False,
    )


def bounded(engine: Engine, name: str, task: Task) -> tuple[Task, PolicyEngine]:
    """`task` with no more than what the one called `name` has, and the policy of that.

    Raises:
        Revoked: that one is gone.
    """
    above = engine.book.require_live(name).task
    runtime = engine.desk.runtimes.get(name)
    if runtime is None:
        raise Revoked("The task is being started, or has ended.", hint="See `taskpass ps`.")
    bound = replace(
        task,
        parent=name,
        limits=limits_below(above, engine.clock()),
        needs=above.needs,
        unattended=above.unattended,
        overlay=False,
    )
    return bound, runtime.policy


async def open_own_call(engine: Engine, entry: TaskEntry, handle: str) -> None:
    """Judge the command, have it asked about where policy says so, and open its call.

    Raises:
        Denied, Revoked: nothing of it may run; on record.
        LedgerFailed: it is not on record.
    """
    assert entry.above is not None
    task = entry.task
    runtime = engine.desk.runtimes[entry.above.task.id]
    call_id, _, capability = handle.partition(":")
    tool_call = ToolCall(
        agent_call_id="process",
        tool=TOOL,
        kind=ToolKind.SHELL,
        arguments={"argv": list(task.argv)},
        cwd=task.cwd,
        command=shlex.join(task.argv),
    )
    engine.book.reserve_call(task.id)
    effects = by_https(effects_of(tool_call, runtime.place), engine.vault.specs())
    decision = engine.judge.call(entry, runtime, tool_call, effects)
    digest = call_hash(tool_call, profile=task.agent.profile)
    call = Call(
        id=call_id,
        task=task.id,
        epoch=entry.epoch,
        tool_call=tool_call,
        call_hash=digest,
        effects=tuple(effects),
        decision=decision,
        opened=engine.clock(),
        identity=CallIdentity.PROCESS,
    )
    approval = None
    if decision.outcome is Outcome.ASK:
        approval, _ = await engine.questions.about_call(entry, call, 0.0)
        assert approval is not None  # without a deadline there is no ticket
        engine.book.require_live(task.id, call.epoch)
        if approval.answer is not Answer.APPROVED:
            raise Denied(refusal(approval, decision))
        if call_hash(tool_call, profile=task.agent.profile) != digest:
            raise Denied("What was approved has changed meanwhile.", hint="Call it again.")
    elif decision.outcome is Outcome.DENY:
        await engine.records.call("call.denied", entry, call)
        raise Denied(decision.reason, hint=decision.hint)
    engine.book.reserve_changes(task.id, announced_changes(effects))
    await engine.records.call("call.opened", entry, call, approval)
    engine.book.require_live(task.id, call.epoch)
    entry.allowed += 1
    opened = engine.book.open_call(call, max_age=task.limits.max_call_age, capability=capability)
    opened.answered = approval is not None and approval.scope is Scope.ONCE
    engine.settlement.arm(opened)
