"""Calls of an agent's own MCP servers: the agent's hook announces, the gateway carries out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from supervisor.calls.served import ServedCalls
from supervisor.effects.http import http_effect
from supervisor.errors import NotAttested
from supervisor.model import Process, ToolCall, ToolKind
from supervisor.ports import HookAnswer
from tests.support.core_fakes import ROOT, STAND_IN, World, an_effect

GATEWAY, SERVER = Process(70, 700), Process(71, 710)


def mcp(call: str, tool: str = "get_note", **arguments: Any) -> ToolCall:
    return ToolCall(call, f"mcp__notes__{tool}", ToolKind.MCP, arguments, "/w", alone=True)


async def announce(world: World, call: ToolCall) -> HookAnswer:
    """As the agent's hook does."""
    return await world.engine.open_call(world.task, replace(call, alone=False), ROOT)


@pytest.fixture
def world() -> World:
    made = World()
    made.family.parents |= {GATEWAY: ROOT, SERVER: GATEWAY}
    return made


async def test_a_server_has_its_calls_credential_for_as_long_as_it_carries_it_out(
    world: World,
) -> None:
    served = ServedCalls(world.engine)
    own, ways = f"agent:{world.task}", [SERVER, GATEWAY, ROOT]

    async def use() -> None:
        await world.engine.authorize_use(world.task, own, ways, an_effect(), [STAND_IN])

    hooked = mcp("a-1", name="x")
    assert (await announce(world, hooked)).allow
    with pytest.raises(NotAttested):  # nobody carries it out yet
        await use()
    assert (await served.open_call(world.task, mcp("g-1", name="x"), GATEWAY)).allow
    await use()
    await served.settle_call(world.task, "g-1", "ok")
    with pytest.raises(NotAttested):
        await use()
    assert len(world.ledger.read(kinds=["call.opened"])) == 1  # one call, one decision
    (intent,) = world.ledger.read(kinds=["use.intent"])
    assert intent["call"] == world.ledger.read(kinds=["call.opened"])[0]["call"]


async def test_a_request_that_carries_an_announced_call_to_its_server_is_that_call(
    world: World,
) -> None:
    """It was judged as the call: as a POST to an address it would be asked about once more."""
    served = ServedCalls(world.engine)
    assert (await announce(world, mcp("a-1", name="x"))).allow
    carrying = replace(mcp("g-1", name="x"), url="https://api.example/mcp")
    assert (await served.open_call(world.task, carrying, GATEWAY)).allow
    sent = http_effect("https://api.example/mcp", "POST")
    await world.engine.authorize_use(
        world.task, f"agent:{world.task}", [GATEWAY, ROOT], sent, [STAND_IN]
    )
    (intent,) = world.ledger.read(kinds=["use.intent"])
    assert intent["effect"] == "mcp notes.get_note"


@pytest.mark.parametrize(
    "other", [mcp("g-1", name="y"), mcp("g-1", "save_note", name="x"), mcp("g-1")]
)
async def test_what_no_hook_announced_reaches_no_server(world: World, other: ToolCall) -> None:
    assert (await announce(world, mcp("a-1", name="x"))).allow
    answer = await ServedCalls(world.engine).open_call(world.task, other, GATEWAY)
    assert not answer.allow
    assert "was not announced" in answer.reason
    (incident,) = world.ledger.read(kinds=["incident.unannounced_mcp_call"])
    assert incident["detail"] == {"tool": other.tool}


async def test_one_announcement_is_carried_out_once(world: World) -> None:
    served = ServedCalls(world.engine)
    assert (await announce(world, mcp("a-1", name="x"))).allow
    assert (await served.open_call(world.task, mcp("g-1", name="x"), GATEWAY)).allow
    assert not (await served.open_call(world.task, mcp("g-2", name="x"), GATEWAY)).allow


async def test_a_bound_process_is_no_gateway(world: World) -> None:
    """A tool's shell is a child of the agent too."""
    handle = await world.handle()
    assert world.engine.book.call_by_handle(world.task, handle).call.root is not None
    shell = world.engine.book.call_by_handle(world.task, handle).call.root
    assert (await announce(world, mcp("a-1", name="x"))).allow
    answer = await ServedCalls(world.engine).open_call(world.task, mcp("g-1", name="x"), shell)
    assert not answer.allow
    assert world.ledger.read(kinds=["incident.forged_hook"])


async def test_listing_is_a_call_of_its_own_and_no_sign_of_work(world: World) -> None:
    served = ServedCalls(world.engine)
    before = world.engine.book.task(world.task).activity
    assert (await served.open_call(world.task, mcp("g-1", "@tools/list"), GATEWAY)).allow
    assert world.engine.book.task(world.task).activity is before
    (call,) = world.engine.book.open_calls(world.task)
    assert not call.call.tool_call.alone  # the agent's tools run beside it
    await served.settle_call(world.task, "g-1", "ok")
    assert not world.engine.book.open_calls(world.task)


async def test_a_tool_called_like_a_method_is_a_tool() -> None:
    assert mcp("g", "@tools/list").method
    assert not mcp("g", "get__@note").method
