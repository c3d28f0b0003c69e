"""The way of a call when a stage of it fails: each in turn, and nothing is released."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from supervisor.errors import (
    Denied,
    LedgerFailed,
    NotAttested,
    Revoked,
    TaskpassError,
    VaultLocked,
)
from supervisor.model import (
    ToolKind,
    Verb,
)
from tests.support.core_fakes import (
    CHILD,
    ROOT,
    World,
    a_shell_call,
)
from tests.support.core_steps import ASK


@pytest.fixture
async def world() -> World:
    return World()


async def test_no_call_without_its_record(world: World) -> None:
    world.ledger.fails = {"call.opened"}
    call = replace(a_shell_call(), kind=ToolKind.READ)
    assert not (await world.engine.open_call(world.task, call, ROOT)).allow
    assert world.engine.book.open_calls(world.task) == []


async def test_no_shell_command_runs_without_its_record(world: World) -> None:
    world.ledger.fails = {"call.opened"}
    answer = await world.open()
    handle = answer.rewritten["command"].split("\n")[0]
    assert not await world.engine.bind_call(world.task, handle, [CHILD, ROOT])
    assert world.engine.book.open_calls(world.task) == []
    # The next one is told why, until a record succeeds again.
    refused = await world.open()
    assert not refused.allow
    assert "The disk is full." in refused.reason
    world.ledger.fails = set()
    await world.handle()


async def binding_behind(world: World, durable: asyncio.Event) -> asyncio.Task[bool]:
    """A shell command that would bind, while its record is not `durable` yet."""
    world.ledger.during["call.opened"] = durable.wait
    answer = await world.open()
    handle = answer.rewritten["command"].split("\n")[0]
    binding = asyncio.create_task(world.engine.bind_call(world.task, handle, [CHILD, ROOT]))
    await world.settle_background()
    return binding


async def test_a_shell_command_waits_for_its_record(world: World) -> None:
    durable = asyncio.Event()
    binding = await binding_behind(world, durable)
    assert not binding.done()
    durable.set()
    assert await binding


async def test_a_call_revoked_while_it_is_recorded_does_not_run(world: World) -> None:
    durable = asyncio.Event()
    binding = await binding_behind(world, durable)
    await world.lifecycle.revoke(world.task, "test")
    durable.set()
    assert not await binding


async def test_no_question_without_its_record(world: World) -> None:
    world.policy.answers[Verb.RUN] = ASK
    world.ledger.fails = {"approval.asked"}
    assert not (await world.open()).allow


async def test_a_full_disk_refuses_everything(world: World) -> None:
    handle = await world.handle()
    world.ledger.fails = {"*"}
    with pytest.raises(LedgerFailed):
        await world.use(handle)
    assert not await world.runs()
    assert not (await world.open()).allow
    assert world.issuer.minted == []


async def test_no_credential_without_its_intent(world: World) -> None:
    handle = await world.handle()
    world.ledger.fails = {"use.intent"}
    with pytest.raises(LedgerFailed):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_what_was_minted_is_on_record_before_it_leaves(world: World) -> None:
    world.issuer.revocation = "handle-of-it"
    world.ledger.fails = {"use.minted"}
    handle = await world.handle()
    with pytest.raises(LedgerFailed):
        await world.use(handle)
    world.exits[CHILD]()
    await world.settle_background()
    assert world.issuer.revoked == ["handle-of-it"]


@pytest.mark.parametrize(
    "error", [VaultLocked("The keyring is locked."), Denied("Too wide."), RuntimeError("a bug")]
)
async def test_an_issuer_that_fails(world: World, error: Exception) -> None:
    handle = await world.handle()
    world.issuer.error = error
    with pytest.raises(TaskpassError):
        await world.use(handle)


async def test_a_policy_that_breaks(world: World) -> None:
    handle = await world.handle()
    world.policy.error = RuntimeError("a bug")
    assert not (await world.open()).allow
    with pytest.raises(Denied):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_a_vault_that_breaks(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    handle = await world.handle()

    def broken(task: str, text: str) -> str:
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.vault, "resolve", broken)
    with pytest.raises(Denied):
        await world.use(handle)
    assert world.issuer.minted == []


async def test_the_process_is_gone_when_its_credential_is_ready(world: World) -> None:
    handle = await world.handle()
    world.issuer.during = world.family.parents.clear
    with pytest.raises(NotAttested):
        await world.use(handle)


async def test_the_call_ends_while_its_credential_is_made(world: World) -> None:
    """What came out of the issuer too late is ended there, not forgotten."""
    world.issuer.revocation = "handle-of-it"
    handle = await world.handle()

    async def end() -> None:
        world.exits[CHILD]()
        await world.settle_background()

    world.issuer.during = end
    with pytest.raises((NotAttested, Revoked)):
        await world.use(handle)
    await world.settle_background()
    assert world.issuer.revoked == ["handle-of-it"]
