"""Real agents at work: whose access is whose, and what lies about afterwards."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from supervisor.client import AsyncClient
from supervisor.model import Lease, LeaseState
from supervisor.protocol import wire
from tests.support.live import PATIENCE, ApiServer, until
from tests.support.scripted_model import STALL, call, parallel, script
from tests.support.supervised import MODEL_KEY, PERSONS_TOKEN, Supervised

# Something the agent does while the test looks around.
WAIT = "until test -e go; do sleep 0.05; done"


def curl(api: ApiServer, path: str) -> str:
    return f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}{path}'


def side_by_side(supervised: Supervised, *commands: str) -> list[dict[str, Any]]:
    """A step in which the agent runs these commands at the same time."""
    if not supervised.is_claude:
        return parallel(*map(supervised.shell, commands))
    # Of its own calls it runs only what it knows to be read-only at once; subagents always.
    return parallel(
        *(
            call("Agent", description=f"part {number}", subagent_type="general-purpose",
                 prompt=script(supervised.shell(command)))
            for number, command in enumerate(commands)
        )
    )  # fmt: skip


async def two_live_leases(client: AsyncClient) -> list[Lease]:
    """Wait until two leases are live at once."""
    leases: dict[str, Lease] = {}
    async with asyncio.timeout(PATIENCE):
        async for event in client.events():
            if isinstance(event, wire.LeaseChanged):
                leases[event.lease.id] = event.lease
                live = [lease for lease in leases.values() if lease.state is LeaseState.OPEN]
                if len(live) == 2:
                    return live
    raise AssertionError("the supervisor went away")


async def test_two_calls_at_once_have_two_identities_and_two_leases(
    supervised: Supervised, api: ApiServer, client: AsyncClient
) -> None:
    commands = [f"{curl(api, path)}; {WAIT}" for path in ("/one", "/two")]
    watching = asyncio.create_task(two_live_leases(client))
    process = await supervised.start(side_by_side(supervised, *commands))
    leases = await watching
    (supervised.install.project / "go").touch()
    output = await supervised.end(process)
    assert sorted(api.accepted) == ["GET /one", "GET /two"], output
    first, second = leases
    assert first.call != second.call
    opened = {call["call"]: call for call in await supervised.records("call.opened")}
    announced = [opened[lease.call] for lease in leases]
    assert len({call["agent_call_id"] for call in announced}) == 2
    assert {call["identity"] for call in announced} == {"call"}
    if supervised.is_claude:  # two subagents, each with what was granted to it
        assert len({call["subagent"] for call in announced} - {""}) == 2
        assert (first.task, first.grant) != (second.task, second.grant)
    else:  # one authority, used by two calls
        assert first.grant == second.grant
    used = {use["call"]: use["lease"] for use in await supervised.records("use.intent")}
    assert used == {lease.call: lease.id for lease in leases}
    assert not (await client.snapshot()).leases


def files_with(root: Path, text: str) -> list[str]:
    """Files below `root` that hold `text`; some may go while we look."""
    found = []
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            try:
                if path.is_file() and text.encode() in path.read_bytes():
                    found.append(str(path))
            except OSError:
                continue
    return found


async def test_what_the_agent_keeps_of_its_session_holds_no_secret(
    supervised: Supervised, api: ApiServer
) -> None:
    """Transcripts and rollouts hold all that it saw: stand-ins, and handles that are dead."""
    process = await supervised.start(
        supervised.shell(f"{curl(api, '/me')} -v --trace-ascii trace; echo marker-$((40 + 2))"),
        supervised.shell("printenv"),
        supervised.shell(WAIT),
    )
    await until(lambda: len(supervised.model.requests) == 3, "the last call")
    root = supervised.install.root
    own = "projects" if supervised.is_claude else "sessions"
    await until(lambda: any(own in name for name in files_with(root, "marker-42")), "its record")
    leaked = files_with(root, api.token)
    (supervised.install.project / "go").touch()
    output = await supervised.end(process)
    assert api.accepted == ["GET /me"], output
    assert leaked + files_with(root, api.token) == []
    for request in supervised.model.requests:
        assert api.token not in json.dumps(request.body)


async def test_the_persons_settings_stay_as_they_are(supervised: Supervised) -> None:
    home, project = supervised.install.home, supervised.install.project
    (home / ".claude" / "settings.json").write_text('{"includeCoAuthoredBy": false}')
    (project / ".claude").mkdir()
    (project / ".claude" / "settings.json").write_text('{"permissions": {"allow": []}}')
    settings = [
        home / ".claude" / "settings.json", project / ".claude" / "settings.json",
        home / ".codex" / "config.toml", home / ".codex" / "auth.json",
    ]  # fmt: skip
    before = [file.read_bytes() for file in settings]
    output = await supervised.run(supervised.shell("echo work > made"))
    assert (project / "made").exists(), output
    assert [file.read_bytes() for file in settings] == before
    assert "PreToolUse" not in (home / ".claude.json").read_text()


async def test_the_models_key_is_the_agents_alone(supervised: Supervised) -> None:
    model = supervised.model
    output = await supervised.run(
        supervised.shell("printenv; echo end-$((40 + 2))"),
        supervised.shell(f"curl -sS -m 5 {model.url}/v1/models; echo end-$((40 + 3))"),
    )
    assert model.requests, output
    assert model.last.headers["Authorization"] == f"Bearer {MODEL_KEY}"
    environment, models = model.last.results.values()
    assert "end-42" in environment, output
    assert MODEL_KEY not in environment
    assert PERSONS_TOKEN not in environment
    # A tool does not get through to the model either.
    assert "end-43" in models
    assert "scripted" not in models


async def test_revoke_cuts_the_way_to_the_model(supervised: Supervised) -> None:
    model = supervised.model
    process = await supervised.start(supervised.shell("true"), STALL)
    await until(lambda: model.stalled, "an answer of the model to begin")
    assert not model.cut
    said = len(model.requests)
    (task,) = await supervised.records("task.started")
    done = await asyncio.to_thread(supervised.install.cli, "revoke", task["task"])
    assert done.returncode == 0, done.stderr
    await until(lambda: model.cut, "the cut")
    await supervised.end(process)
    assert process.returncode != 0
    assert len(model.requests) == said
    (killed,) = await supervised.recorded("task.killed")
    assert killed["processes_left"] == 0


def in_background(supervised: Supervised, command: str) -> dict[str, Any]:
    """A call that is reported done while its command goes on."""
    if supervised.is_claude:
        return call("Bash", command=command, description="as told", run_in_background=True)
    return call("exec_command", cmd=command, yield_time_ms=250)


async def test_a_background_command_keeps_its_access_for_as_long_as_it_lives(
    supervised: Supervised, api: ApiServer
) -> None:
    """The agent reports it done before its shell has begun, or while it waits."""
    output = await supervised.run(
        in_background(
            supervised, f"until test -e go; do sleep 0.05; done; {curl(api, '/me')} > got"
        ),
        supervised.shell("touch go; until test -s got; do sleep 0.05; done; cat got"),
    )
    assert supervised.model.requests, output
    assert "hello" in supervised.last_result(), output
    assert api.accepted == ["GET /me"]
    (use,) = await supervised.records("use.intent")
    settled = {one["call"]: one for one in await supervised.records("call.settled")}
    assert settled[use["call"]]["outcome"] == "exited"
    assert settled[use["call"]]["leases"] == [use["lease"]]
