"""`kill -9` of the supervisor at every stage of the way of a call.

Whatever it was doing: nothing leaves without its intent on record, no record it acknowledged is
lost, the agent lives on and its next call is answered by the next supervisor, every lease is
void, and what was revoked stays revoked.
"""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import threading
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest

from supervisor.client import AsyncClient
from supervisor.ledger.files import open_reader
from supervisor.ledger.record import decode
from supervisor.protocol import wire
from tests.support.failing_daemon import Agent, FailingDaemon, deaths, stages
from tests.support.live import ApiServer, Install, Person, pending, wait_for

CURL = 'curl -sS -m 20 -H "Authorization: Bearer $API_TOKEN"'


@dataclass(frozen=True)
class Death:
    """One way to die: the stage, which agent, and what leads there."""

    stage: str
    agent: str
    command: str
    then: str = "call"  # what happens besides: "call", "leave", "revoke", "launch"

    def __str__(self) -> str:
        return f"{self.stage}-{self.agent}-{self.command.split()[0]}"


def _get(path: str) -> str:
    return f"{CURL} https://@HOST@/{path}"


_FETCH = _get("first")
_DELETE = f"{CURL} -X DELETE https://@HOST@/first"
_STREAM = f"{CURL} -N -o /dev/null https://@HOST@/stream"

DEATHS = [
    *(
        Death(f"start.{stage}", agent, "launch", "launch")
        for stage in ("spawned", "adopted")
        for agent in ("hooked", "plain")
    ),
    Death("open.decided", "hooked", _FETCH),
    Death("open.answered", "hooked", _FETCH),
    Death("open.recorded", "hooked", _FETCH),
    Death("ask.waiting", "hooked", "git push origin topic"),
    Death("ask.waiting", "hooked", _DELETE),
    Death("ask.waiting", "plain", _DELETE),
    Death("bind.bound", "hooked", _FETCH),
    *(
        Death(f"use.{stage}", agent, _FETCH)
        for stage in ("attested", "decided", "intent", "minted", "delivered")
        for agent in ("hooked", "plain")
    ),
    Death("settle.cut", "hooked", _FETCH),
    Death("settle.recorded", "hooked", _FETCH),
    Death("settle.cut", "plain", _FETCH, "leave"),
    Death("settle.recorded", "plain", _FETCH, "leave"),
    *(
        Death(f"revoke.{stage}", agent, _STREAM, "revoke")
        for stage in ("refused", "tombstone")
        for agent in ("hooked", "plain")
    ),
]
# Both agents die alike at most stages: the long form tries all of them with both.
SHORT = [
    death
    for death in DEATHS
    if death.agent == "hooked"
    or death.stage
    in ("start.adopted", "ask.waiting", "use.intent", "settle.cut", "revoke.tombstone")
]
# Where an intent is on record and the end of its lease is not.
_POSSIBLY_LIVE = ("use.intent", "use.minted", "use.delivered", "settle.cut", "revoke.refused")
# The first request may be answered only where its whole call is over, or a stream is open.
_ANSWERED = ("settle.", "revoke.")


def test_no_stage_is_forgotten() -> None:
    assert {death.stage for death in SHORT} == {death.stage for death in DEATHS} == set(stages())


def _rounds(launches: bool) -> list[Any]:
    """Each death once, and in the long form twenty times with both agents."""
    once = [pytest.param(death, 1, id=str(death)) for death in SHORT]
    long = [pytest.mark.full, pytest.mark.timeout(900)]
    often = [pytest.param(death, 20, id=f"{death}-20", marks=long) for death in DEATHS]
    return [each for each in once + often if (each.values[0].then == "launch") is launches]


@pytest.mark.parametrize(("death", "times"), _rounds(launches=True))
def test_killed_while_a_task_starts(
    death: Death, times: int, install: Install, api: ApiServer
) -> None:
    """Who started it hears of the failure; nothing of it runs or is left."""
    tasks = install.paths.runtime / "tasks"
    for _ in range(times):
        install.cli("stop")
        supervisor = FailingDaemon.start(install, at=death.stage)
        agent = Agent.start(install, death.agent, ready=False)
        supervisor.wait()
        deaths[death.stage] += 1
        assert agent.run.wait(30) == 125
        said = agent.said
        assert said.startswith("taskpass: "), said
        assert len(said.splitlines()) == 1, said
        assert install.cli("ps").returncode == 0
        wait_for(lambda: not list(tasks.iterdir()), "the task's folder to go")
        assert agent.pids() == []
        assert "READY" not in agent.output
        kinds = [r["kind"] for r in _ledger(install) if r["kind"].startswith("task.")]
        assert kinds[-2:] == ["task.started", "task.failed"]
        _check_ledger(install, supervisor, api)


@pytest.mark.parametrize(("death", "times"), _rounds(launches=False))
def test_killed_at(death: Death, times: int, install: Install, api: ApiServer) -> None:
    for _ in range(times):
        died = _die(death, install, api)
        assert died.again.returncode == 0, died.again.stderr
        possibly_live = death.stage in _POSSIBLY_LIVE
        assert died.leases & died.told == (died.leases if possibly_live else set())
        assert died.leases or not possibly_live
        assert died.accepted == [] or death.stage.startswith(_ANSWERED)
        _comes_to_its_end(died, install, api)
        open_ = {lease.id for lease in _snapshot().leases if lease.state == "open"}
        assert not died.leases & open_
        _check_ledger(install, died.supervisor, api)
        if died.agent.run.poll() is None:
            died.agent.leave()
            assert died.agent.run.wait(30) == 0


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["hooked", "plain"])
def test_killed_at_any_moment(kind: str, install: Install, api: ApiServer) -> None:
    """The stages are where we thought of looking; this looks everywhere else."""
    for _ in range(30):
        install.cli("stop")
        api.seen.clear()
        supervisor = FailingDaemon.start(install)
        agent = Agent.start(install, kind)
        dying = threading.Timer(random.uniform(0.0, 0.6), supervisor.process.kill)
        dying.start()
        tried = 0
        while supervisor.process.poll() is None:
            tried += 1
            agent.type(_get(f"any/{tried}").replace("@HOST@", api.host))
            agent.expect(tried)
        supervisor.wait()
        deaths["any moment"] += 1
        assert install.cli("ps").returncode == 0
        _goes_on(api, agent, tried + 1)
        _check_ledger(install, supervisor, api)
        agent.leave()
        assert agent.run.wait(30) == 0


def test_what_was_frozen_stays_frozen(install: Install, api: ApiServer) -> None:
    install.cli("stop")
    supervisor = FailingDaemon.start(install)
    agent = Agent.start(install, "hooked")
    assert install.cli("freeze", "1").returncode == 0
    supervisor.kill()
    (task,) = _tasks(install)
    assert task["state"] == "frozen"
    agent.type(_get("frozen").replace("@HOST@", api.host))
    assert agent.pids()
    assert install.cli("resume", "1").returncode == 0
    agent.expect(1)
    _goes_on(api, agent, 2)


@pytest.mark.parametrize("kind", ["hooked", "plain"])
def test_a_revoked_grant_stays_revoked(kind: str, install: Install, api: ApiServer) -> None:
    install.cli("stop")
    supervisor = FailingDaemon.start(install)
    agent = Agent.start(install, kind)
    _goes_on(api, agent, 1)
    (grant,) = _snapshot().grants

    async def revoke() -> None:
        client = AsyncClient()
        await client.connect()
        await client.revoke_grant(grant.id)
        await client.close()

    asyncio.run(revoke())
    supervisor.kill()
    assert len(_tasks(install)) == 1
    agent.type(_get("third").replace("@HOST@", api.host))
    agent.expect(2)
    assert "revoked" in agent.said
    assert api.accepted == ["GET /second"]


def _tasks(install: Install) -> list[dict[str, Any]]:
    done = install.cli("ps", "--json")
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["tasks"]
    return found


@dataclass
class Died:
    """What there is after a supervisor's death, and the start of the next one.

    Attributes:
        again: of the client that came first, and so started it.
        leases: that the dead one had begun.
        told: those that the next one takes for possibly live.
        accepted: requests that the API had accepted by then.
    """

    death: Death
    supervisor: FailingDaemon
    agent: Agent
    revoking: subprocess.Popen[str] | None
    again: subprocess.CompletedProcess[str]
    leases: set[str]
    told: set[str]
    accepted: list[str]


def _die(death: Death, install: Install, api: ApiServer) -> Died:
    install.cli("stop")  # whoever took the credential in
    api.seen.clear()
    supervisor = FailingDaemon.start(install, at=death.stage)
    agent = Agent.start(install, death.agent)
    agent.type(death.command.replace("@HOST@", api.host))
    revoking = None
    if death.then == "revoke":
        wait_for(lambda: api.accepted, "the stream to begin")
        revoking = install.popen("revoke", "1")
    elif death.then == "leave":
        agent.expect(1)
        agent.leave()
    supervisor.wait()
    deaths[death.stage] += 1
    again = install.cli("ps")
    records = _ledger(install)
    started = [record for record in records if record["kind"] == "daemon.started"]
    since = started[-2]["seq"]
    leases = {r["lease"] for r in records if r["kind"] == "use.intent" and r["seq"] > since}
    told = {lease["lease"] for lease in started[-1]["possibly_live"]}
    return Died(death, supervisor, agent, revoking, again, leases, told, list(api.accepted))


def _comes_to_its_end(died: Died, install: Install, api: ApiServer) -> None:
    """What was under way goes on, is asked again, or stays revoked."""
    agent = died.agent
    match died.death.stage, died.death.then:
        case "revoke.tombstone", _:
            _stays_revoked(install, agent)
        case "revoke.refused", _:
            _can_be_repeated(install, agent, died.revoking)
        case _, "leave":
            assert agent.run.wait(30) == 0
        case "ask.waiting", _:
            assert agent.pids()
            _asks_again(died.death, install, api, agent)
            _goes_on(api, agent, 3)
        case _:
            assert agent.pids()
            agent.expect(1)
            _goes_on(api, agent, 2)
    if died.revoking is not None:
        died.revoking.communicate(timeout=30)


def _goes_on(api: ApiServer, agent: Agent, count: int) -> None:
    """The next call is judged by the next supervisor, and gets its credential."""
    agent.type(_get("second").replace("@HOST@", api.host))
    assert agent.expect(count) == "0", agent.said
    assert "hello" in agent.said
    assert api.accepted[-1] == "GET /second"


def _asks_again(death: Death, install: Install, api: ApiServer, agent: Agent) -> None:
    """What nobody had answered was not done; asked again, a person's yes counts."""
    assert agent.expect(1) != "0", agent.said
    assert pending(install) == []
    agent.type(death.command.replace("@HOST@", api.host))
    (asked,) = wait_for(lambda: pending(install), "the question to be put again")
    assert api.accepted == []
    with Person(install) as person:
        person.answers(asked.title[:10])
        agent.expect(2)
    if death.command is _DELETE:
        assert api.accepted == ["DELETE /first"]


def _stays_revoked(install: Install, agent: Agent) -> None:
    agent.gone()
    agent.run.wait(30)
    (task,) = _snapshot().tasks
    assert task.state == "revoked"


def _can_be_repeated(install: Install, agent: Agent, revoking: Any) -> None:
    """It was not acknowledged, and says so; the lease it cut stays cut."""
    said, _ = revoking.communicate(timeout=30)
    assert revoking.returncode == 125, said
    assert "Traceback" not in said
    assert agent.expect(1) != "0", "the stream went on"
    assert agent.pids()
    repeated = install.cli("revoke", "1")
    assert repeated.returncode == 0, repeated.stderr
    agent.gone()
    agent.run.wait(30)


def _snapshot() -> wire.Snapshot:
    async def ask() -> wire.Snapshot:
        client = AsyncClient()
        await client.connect()
        try:
            return await client.snapshot()
        finally:
            await client.close()

    return asyncio.run(ask())


def _ledger(install: Install) -> list[dict[str, Any]]:
    """Every record on the disk, whoever serves."""
    with closing(open_reader(install.paths.ledger)) as reader:
        rows = reader.execute("SELECT canonical, hash FROM records ORDER BY seq").fetchall()
    return [decode(canonical, digest) for canonical, digest in rows]


def _check_ledger(install: Install, supervisor: FailingDaemon, api: ApiServer) -> None:
    records = _ledger(install)
    kept = {(record["seq"], record["hash"]) for record in records}
    assert supervisor.acknowledged <= kept, "an acknowledged record is lost"
    intents = [record for record in records if record["kind"] == "use.intent"]
    assert len(api.accepted) <= len(intents), "a use without its intent on record"
    verified = install.cli("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_revoked_subagent_stays_revoked(install: Install) -> None:
    """By its name alone: its agent lives on, and so do its other subagents."""
    supervisor = FailingDaemon.start(install)
    agent = Agent.start(install, "hooked")
    agent.type("@a1 true")
    assert agent.expect(1) == "0", agent.said
    assert install.cli("revoke", "1.1").returncode == 0
    supervisor.kill()
    assert "revoked" in install.cli("ps").stdout  # asked of the next one
    agent.type("@a1 true")
    assert agent.expect(2) == "denied"
    assert "This subagent's access was revoked" in agent.said
    for command in ("@a2 true", "true"):
        agent.type(command)
    assert (agent.expect(3), agent.expect(4)) == ("0", "0"), agent.said
    agent.leave()
