"""A credential works below the tool call it was given for, and nowhere else.

Each attack holds the live handle of another call, taken from /proc, or one of its own that is no
longer live. The API must not see the credential, and the refusal must be on record.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.client import AsyncClient
from tests.support.live import ApiServer, Install, wait_for
from tests.support.scripted_agent import Begun, ScriptedAgent, running
from tests.support.supervised import Supervised

REFUSED = (" 403", " 407", " 000")  # by the proxy, or without an answer
OUTSIDE = "outside the tool call"
NOT_OPEN = "does not belong to an open tool call"


# In tier B uses are attested as without containment: the long form tries it all there too.
@pytest.fixture(params=["A", pytest.param("B", marks=pytest.mark.full), "uncontained"])
def tier(request: pytest.FixtureRequest, install: Install) -> str:
    """The best that the person's configuration allows, from the first supervisor on."""
    install.settings = f'[containment]\ntier = "{request.param}"\n'
    return str(request.param)


@pytest.fixture
def agent(tier: str, install: Install, api: ApiServer) -> Iterator[ScriptedAgent]:
    """Plays Claude Code, in each tier and without containment."""
    with running(install) as started:
        assert [task["tier"] for task in install.records("task.started")] == [tier]
        yield started


def _contain(how: str) -> tuple[str, ...]:
    return () if how == "contained" else ("--contain", "off")


def me(api: ApiServer) -> str:
    return f"https://{api.host}/me"


def mid_call(agent: ScriptedAgent, api: ApiServer) -> Begun:
    """A call that has used its credential and will again after "go"."""
    call = agent.begin(f"./thief between {me(api)}")
    assert call.allowed, call.reason
    agent.heard("ready")
    assert api.accepted == ["GET /me"], agent.output(call)
    return call


def still_good(agent: ScriptedAgent, call: Begun, api: ApiServer) -> None:
    """The robbed call itself goes on, and was the only one to get anything."""
    agent.say("go")
    code, output = agent.finish(call)
    assert code == 0, output
    assert output.count(" 200") == 2, output
    assert api.accepted == ["GET /me", "GET /me"]
    assert [verdict for _, _, verdict in api.seen] == ["ok", "ok"]


def assert_refused(output: str) -> None:
    assert output.strip().splitlines()[-1].endswith(REFUSED), output


def recorded(install: Install, kind: str) -> list[dict[str, Any]]:
    """What the proxy tells of is written while it answers: it may come after the answer."""
    return wait_for(lambda: install.records(kind), f"{kind} on record")


def refusals(install: Install, reason: str) -> list[dict[str, Any]]:
    return [r for r in install.records("use.denied") if reason in r["reason"]]


def test_a_call_uses_its_credential_and_its_lease_ends_with_it(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    assert agent.run(f"./thief ask {me(api)}") == 'ask: {"hello": "ana"} 200\n'
    assert api.seen == [("GET /me", f"Bearer {api.token}", "ok")]
    kinds = ("call.opened", "use.intent", "use.delivered", "call.settled")
    wait_for(lambda: install.records("call.settled"), "the call to settle")
    way = install.records(*kinds)
    assert sorted(r["kind"] for r in way) == sorted(kinds)
    assert {r["task"] for r in way} == {agent.task}
    intent = next(r for r in way if r["kind"] == "use.intent")
    settled = next(r for r in way if r["kind"] == "call.settled")
    assert settled["leases"] == [intent["lease"]]


def test_the_handle_of_a_settled_call_is_worth_nothing(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    first = agent.begin(f"./thief ask {me(api)}")
    agent.finish(first)
    wait_for(lambda: install.records("call.settled"), "the call to settle")
    assert_refused(agent.run(f"./thief ask {me(api)} {first.handle}"))
    assert len(api.seen) == 1
    (refusal,) = refusals(install, NOT_OPEN)
    assert refusal["call"] == first.handle.partition(":")[0]


def test_a_sibling_call_with_the_live_handle(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    robbed = mid_call(agent, api)
    # By the address, which is this test's alone: without containment all of the machine is seen.
    assert_refused(agent.run(f"./thief steal {me(api)} {me(api)}"))
    (refusal,) = refusals(install, OUTSIDE)
    assert refusal["call"] == robbed.handle.partition(":")[0]
    still_good(agent, robbed, api)


def test_a_sibling_under_the_name_of_the_call_it_robs(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    """It takes its shell's place, with the other call's handle in its command line."""
    robbed = mid_call(agent, api)
    name = f"TASKPASS-BIND-{robbed.handle}"
    assert_refused(agent.run(f"exec ./thief become {name} ask {me(api)} {robbed.handle}"))
    assert "bind: no" in agent.run(f"exec ./thief become {name} bind {robbed.handle}")
    assert len(refusals(install, OUTSIDE)) == 1
    assert len(install.records("incident.bind_refused")) == 1
    still_good(agent, robbed, api)


def test_an_orphan_of_a_sibling_with_the_live_handle(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    robbed = mid_call(agent, api)
    left = agent.begin(f"./thief orphan try ask {me(api)} {robbed.handle}")
    assert agent.finish(left) == (0, "orphan: left\n")
    agent.say("try")
    wait_for(lambda: "ask:" in agent.output(left), "the orphan's attempt")
    assert_refused(agent.output(left))
    recorded(install, "incident.unattested")
    still_good(agent, robbed, api)


def test_an_orphan_with_the_handle_of_its_own_call(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    """What a call leaves behind has left its lease behind, even before the call has ended."""
    call = agent.begin(f"./thief orphan try ask {me(api)}; ./thief between {me(api)}")
    agent.heard("ready")
    agent.say("try")
    wait_for(lambda: agent.output(call).count("ask:") == 2, "the orphan's attempt")
    assert_refused(agent.output(call))
    agent.say("go")
    agent.finish(call)
    assert api.accepted == ["GET /me", "GET /me"]
    recorded(install, "incident.unattested")


def test_what_a_call_left_behind_gets_nothing_after_it(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    left = agent.begin(f"./thief ask {me(api)}; ./thief after late ask {me(api)} &")
    agent.finish(left)
    wait_for(lambda: install.records("call.settled"), "the call to settle")
    agent.say("late")
    wait_for(lambda: agent.output(left).count("ask:") == 2, "the late attempt")
    assert_refused(agent.output(left))
    assert len(api.seen) == 1
    recorded(install, "incident.unattested")


def test_a_child_of_the_agent_that_no_call_announced(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    """As an MCP server is: it inherits a stand-in, and can read handles."""
    robbed = mid_call(agent, api)
    server = agent.start("./thief", "ask", me(api), robbed.handle)
    assert_refused(agent.finish(server)[1])
    bind = agent.start("./thief", "bind", robbed.handle)
    assert agent.finish(bind)[1] == "bind: no\n"
    assert len(refusals(install, OUTSIDE)) == 1
    assert len(install.records("incident.bind_refused")) == 1
    still_good(agent, robbed, api)


def test_a_sibling_call_answers_the_bind_first(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    victim = agent.announce(f"./thief ask {me(api)}")
    assert agent.run(f"exec ./thief bind {victim.handle}") == "bind: no\n"
    assert agent.run(f"./thief bind {victim.handle}") == "bind: no\n"
    assert len(install.records("incident.bind_refused")) == 2
    agent.start_announced(victim)
    assert agent.finish(victim) == (0, 'ask: {"hello": "ana"} 200\n')
    assert len(api.seen) == 1


def test_an_old_child_of_the_agent_answers_the_bind_first(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    """An MCP server that was there before the call cannot be the call's shell."""
    server = agent.start("./thief", "after", "now", "bind_from", "handle", me(api))
    victim = agent.announce(f"./thief ask {me(api)}")
    (agent.folder / "handle").write_text(victim.handle)
    agent.say("now")
    _, output = agent.finish(server)
    assert "bind: no" in output, output
    assert_refused(output)
    assert install.records("incident.bind_refused")
    agent.start_announced(victim)
    assert agent.finish(victim) == (0, 'ask: {"hello": "ana"} 200\n')
    assert len(api.seen) == 1


def test_a_call_cannot_make_itself_a_child_of_the_agent(install: Install, api: ApiServer) -> None:
    """CLONE_PARENT would give a tool a process that no call has used yet."""
    with running(install) as agent:
        output = agent.run("exec ./thief adopted now ask x")
        assert "Operation not permitted" in output
    assert api.seen == []


def test_another_task_with_the_live_handle(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    robbed = mid_call(agent, api)
    port = _proxy_port(robbed)
    for how in ("contained", "uncontained"):
        with running(install, *_contain(how), name=f"other-{how}") as other:
            assert_refused(other.run(f"./thief ask {me(api)} {robbed.handle}"))
            assert other.run(f"exec ./thief bind {robbed.handle}") == "bind: no\n"
            # At the robbed task's own listener, where it can be reached at all.
            assert_refused(other.run(f"./thief ask {me(api)} {robbed.handle} {port}"))
            task = other.task
        mine = [r for r in install.records("use.denied") if r["task"] == task]
        assert NOT_OPEN in mine[0]["reason"], how
        assert any(r["task"] == task for r in install.records("incident.bind_refused"))
    still_good(agent, robbed, api)


def test_another_task_at_the_listener_of_the_robbed_one(install: Install, api: ApiServer) -> None:
    """Without containment listeners are on the machine's loopback: the connection tells."""
    with running(install, *_contain("uncontained")) as agent:
        robbed = mid_call(agent, api)
        port = _proxy_port(robbed)
        with running(install, *_contain("uncontained"), name="other") as other:
            assert_refused(other.run(f"./thief ask {me(api)} {robbed.handle} {port}"))
        incidents = recorded(install, "incident.unattested")
        first = install.records("task.started")[0]
        assert [r["task"] for r in incidents] == [first["task"]]
        still_good(agent, robbed, api)


def _proxy_port(call: Begun) -> str:
    binding = call.rewritten
    if binding.startswith(". "):  # in a container it is a file
        binding = Path(shlex.split(binding)[1]).read_text()
    return binding.split("/dev/tcp/127.0.0.1/")[1].split(";")[0]


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"], ids=["port", "name"])
def test_another_host_gets_nothing(
    agent: ScriptedAgent, api: ApiServer, install: Install, name: str
) -> None:
    other = ApiServer(token=api.token, certificate_authority=api.certificate_authority)
    other.start()
    place = f"{name}:{other.port if name == 'localhost' else api.port}"
    try:
        assert_refused(agent.run(f"./thief ask https://{place}/me"))
    finally:
        other.stop()
    assert other.seen == []
    assert api.seen == []
    (sung,) = install.records("incident.misplaced_surrogate")
    assert sung["detail"]["resource"] == place


def test_a_revoked_grant_is_refused_within_the_same_call(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    call = mid_call(agent, api)
    revoked = asyncio.run(revoke_grants())
    assert len(revoked) == 1
    agent.say("go")
    assert_refused(agent.finish(call)[1])
    assert_refused(agent.run(f"./thief ask {me(api)}"))
    assert len(api.seen) == 1
    assert [r["code"] for r in install.records("use.denied")] == ["revoked", "revoked"]
    (record,) = install.records("grant.revoked")
    assert record["grant"] == revoked[0]


async def revoke_grants() -> list[str]:
    client = AsyncClient()
    await client.connect()
    try:
        grants = [grant.id for grant in (await client.snapshot()).grants]
        for grant in grants:
            await client.revoke_grant(grant)
        return grants
    finally:
        await client.close()


def test_nothing_is_used_after_a_task_is_revoked(
    agent: ScriptedAgent, api: ApiServer, install: Install
) -> None:
    """A call that asks as fast as it can, and an orphan that waits for the moment."""
    left = agent.begin(f"./thief orphan ready ask {me(api)}")
    agent.finish(left)
    call = agent.begin(f"./thief without_end {me(api)}")
    assert call.allowed, call.reason
    wait_for(lambda: len(api.accepted) > 3, "some requests")
    revoked = install.cli("revoke", agent.task)
    seen = len(api.seen)
    assert revoked.returncode == 0, revoked.stderr
    assert agent.process
    assert agent.process.wait(timeout=30) != 0
    agent.say("ready")
    wait_for(lambda: install.records("task.killed"), "the tree to be killed")
    assert len(api.seen) == seen
    (killed,) = install.records("task.killed")
    assert killed["processes_left"] == 0
    records = install.records()
    tombstone = next(r["seq"] for r in records if r["kind"] == "task.revoked")
    assert not [r for r in records if r["kind"] == "use.intent" and r["seq"] > tombstone]


async def test_a_real_agent_replays_the_handle_of_its_last_call(
    supervised: Supervised, api: ApiServer
) -> None:
    curl = 'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" -w " %{http_code}"'
    output = await supervised.run(
        supervised.shell(f"echo $HTTPS_PROXY > kept; {curl} https://{api.host}/me"),
        supervised.shell(f'{curl} -x "$(cat kept)" https://{api.host}/me'),
    )
    assert "403" in supervised.last_result(), output
    assert api.accepted == ["GET /me"]
    assert len(api.seen) == 1
    assert len(refusals(supervised.install, NOT_OPEN)) == 1
