"""A task, a situation and a shell call, for tests of effects, policy and approvals."""

from __future__ import annotations

from supervisor.effects import effects_of
from supervisor.effects.files import Place
from supervisor.model import (
    Agent,
    ApprovalRequest,
    CallIdentity,
    Effect,
    Evidence,
    Limits,
    Risk,
    Runtime,
    Task,
    Tier,
    ToolCall,
    ToolKind,
    User,
)
from supervisor.ports import Situation


def shell(command: str, cwd: str) -> ToolCall:
    return ToolCall("x", "Bash", ToolKind.SHELL, {"command": command}, cwd, command=command)


def shell_effects(command: str, workspace: str, home: str = "/home/ana") -> tuple[Effect, ...]:
    return effects_of(shell(command, workspace), Place.of(workspace, home))


def situation(workspace: str, tier: Tier = Tier.A, credential: str = "") -> Situation:
    task = Task(
        id="t-1",
        session="s-1",
        purpose="flaky checkout",
        cwd=workspace,
        argv=("claude",),
        user=User(1000, "ana", "laptop"),
        agent=Agent("claude-code", "/usr/bin/claude", "sha256:0", "2.1", CallIdentity.CALL),
        runtime=Runtime("laptop", Evidence.OS, tier),
        limits=Limits(),
        created=0.0,
    )
    return Situation(task, CallIdentity.CALL, workspace, credential=credential)


def question(
    id: str = "a-1",
    *,
    task: str = "t-1",
    epoch: int = 1,
    call_hash: str = "sha256:1",
    risk: Risk = Risk.MEDIUM,
    effects: tuple[Effect, ...] = (),
    asking: tuple[str, ...] = ("standard/http.send",),
    credential: str = "",
    created: float = 0.0,
    expires: float = 300.0,
) -> ApprovalRequest:
    return ApprovalRequest(
        id=id,
        task=task,
        epoch=epoch,
        call="c-1",
        call_hash=call_hash,
        title="POST",
        effects=effects,
        asking=asking,
        reason="sends data",
        risk=risk,
        created=created,
        expires=expires,
        credential=credential,
    )
