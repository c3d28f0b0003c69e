"""A task and a call, as issuers and the vault are given them."""

from __future__ import annotations

from supervisor.model import (
    Agent,
    CallIdentity,
    Effect,
    Evidence,
    Limits,
    Runtime,
    Task,
    Tier,
    User,
    Verb,
)
from supervisor.ports import MintContext

GET_USER = Effect(Verb.HTTP, "api.example.com", {"method": "GET", "path": "/user"})


def mint_context(
    *, effect: Effect = GET_USER, approval: str = "", parent: str = "", call: str = "c-1"
) -> MintContext:
    task = Task(
        id="t-1",
        session="s-1",
        purpose="fix the login",
        cwd="/home/ana/src",
        argv=("claude",),
        user=User(1000, "ana", "host"),
        agent=Agent("claude-code", "/usr/bin/claude", "sha256:00", "2.1", CallIdentity.CALL),
        runtime=Runtime("laptop", Evidence.OS, Tier.A, sandbox_profile="sha256:11"),
        limits=Limits(),
        created=1000.0,
        parent=parent,
    )
    return MintContext(
        task=task,
        epoch=3,
        call=call,
        call_hash="sha256:22",
        lease="l-1",
        effect=effect,
        approval=approval,
        policy_digest="sha256:33",
    )
