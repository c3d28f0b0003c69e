"""Every known way around the hooks of the real agents, tried with them (`bypass_rows`).

Each ends without a credential and with a record, in one of five ways:

- the start is refused, because its words or settings would take the hooks away;
- the call runs without having been announced: it has no call to use, and its requests are refused;
- the hooks hold, whatever settings say: the call is announced, and policy refuses it;
- whatever else is asked on the way, what was judged is what runs;
- what an open call starts besides stays within that call, and ends with it.

What becomes of a hook that fails is in `test_hooks_that_fail.py`.
"""

from __future__ import annotations

import asyncio
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from profiles.codex.adapter import native_binary
from tests.support.agents import RealAgent, cache_dir
from tests.support.bypass_rows import (
    CHANGING,
    HELD,
    NO_HOOKS,
    PROJECT,
    REFUSED,
    REFUSED_SETTINGS,
    UNANNOUNCED,
    USER,
    Row,
    label_of,
    rows,
)
from tests.support.bypasses import ends_without_a_credential, is_refused_as_announced, refused, use
from tests.support.every_agent import ALWAYS, WAYS, agents, marks
from tests.support.live import TASKPASS, ApiServer, Install, Person, until
from tests.support.scripted_model import ScriptedModel, call, script
from tests.support.supervised import Supervised, supervise
from tests.support.terminal import Terminal
from tests.support.wrapped_agents import wrapped


def start(install: Install, model: ScriptedModel, name: str, row: Row) -> Supervised:
    """This row's agent, as the row would have it started."""
    agent = WAYS[label_of(name)].agent()
    if row.words:
        words = row.words.replace("{model}", model.url)
        agent = wrapped(install.root / "wrapped", agent, words)
    agent = replace(agent, argv=(*agent.argv, *row.options))
    install.environ["IS_SANDBOX"] = "1"
    supervised = supervise(agent, install, model)
    row.prepare(install)
    return supervised


async def tried(
    install: Install, model: ScriptedModel, name: str, row: Row, command: str,
    options: tuple[str, ...] = (),
) -> tuple[Supervised, str]:  # fmt: skip
    """This row's agent, once it was told to run a command, and what it printed."""
    supervised = start(install, model, name, row)
    return supervised, await supervised.run(supervised.shell(command), options=options)


# ── Words that would take the hooks away are refused ────────────────────────────────────────


@pytest.mark.parametrize("label", agents(REFUSED))
async def test_words_that_would_take_the_hooks_away_are_refused_and_on_record(
    install: Install, scripted_model: ScriptedModel, label: str
) -> None:
    supervised = supervise(WAYS[label].agent(), install, scripted_model)
    install.environ |= supervised.environ
    for words in REFUSED[label]:
        done = install.cli("run", "--headless", "--", *supervised.agent.argv, *words)
        assert done.returncode in (2, 125), (words, done.stderr)
        assert done.stderr.startswith("taskpass: "), words
    kept = [each["preview"] for each in install.records("task.refused")]
    assert len(kept) == len(REFUSED[label])
    for words, preview in zip(REFUSED[label], kept, strict=True):
        assert all(word in preview for word in words if not word.startswith("{"))
    assert install.records("task.started") == []
    assert scripted_model.requests == []


@pytest.mark.parametrize("name", rows(REFUSED_SETTINGS))
async def test_settings_that_would_take_the_hooks_away_are_refused_and_on_record(
    install: Install, scripted_model: ScriptedModel, name: str
) -> None:
    row = Row(prepare=REFUSED_SETTINGS[name])
    supervised, output = await tried(install, scripted_model, name, row, "touch ran")
    assert "announce" in output or "change a call" in output
    assert f"{install.project}/." in output
    assert len(await supervised.records("task.refused")) == 1
    assert await supervised.records("task.started") == []
    assert scripted_model.requests == []


# ── A call that was not announced has nothing ───────────────────────────────────────────────


# Behind a wrapper they lie elsewhere than their profile shows their task.
SHOWN = ("--show", str(cache_dir()))
# Ways that the machine's own settings hold against, which are ours in tier A.
MANAGED = [name for name in UNANNOUNCED if label_of(name) in ALWAYS or name == "qwen QWEN_HOME"]


@pytest.fixture
def without_tier_a(request: pytest.FixtureRequest, install: Install) -> tuple[str, ...]:
    """The words by which a task sees the machine's own settings; in tier A it sees ours.

    Uncontained, Codex has a sandbox of its own.
    """
    name = request.node.callspec.params["name"]
    if name.startswith("claude"):
        return ("--contain", "off")
    if name in MANAGED:
        install.settings = '[containment]\ntier = "B"\n'
        install.configure("")
    return () if label_of(name) in ALWAYS else SHOWN


@pytest.mark.parametrize("name", rows(UNANNOUNCED, 2))
async def test_a_call_that_was_not_announced_gets_no_credential(
    without_tier_a: tuple[str, ...], install: Install, api: ApiServer,
    scripted_model: ScriptedModel, name: str,
) -> None:  # fmt: skip
    row = UNANNOUNCED[name]
    supervised, output = await tried(install, scripted_model, name, row, use(api), without_tier_a)
    assert scripted_model.requests, output
    await ends_without_a_credential(supervised, api)


@pytest.mark.parametrize("name", rows(MANAGED, 2))
async def test_in_tier_a_the_machines_own_settings_are_ours_and_nothing_drops_them(
    install: Install, api: ApiServer, scripted_model: ScriptedModel, name: str
) -> None:
    row, options = UNANNOUNCED[name], () if label_of(name) in ALWAYS else SHOWN
    supervised, output = await tried(install, scripted_model, name, row, refused(api), options)
    assert scripted_model.requests, output
    await is_refused_as_announced(supervised, api)


# ── The hooks hold, whatever settings say ───────────────────────────────────────────────────


@pytest.mark.parametrize("name", rows(HELD, 2))
async def test_the_hooks_hold_whatever_settings_say(
    install: Install, api: ApiServer, scripted_model: ScriptedModel, name: str
) -> None:
    supervised, output = await tried(install, scripted_model, name, HELD[name], refused(api))
    assert scripted_model.requests, output
    await is_refused_as_announced(supervised, api)


@pytest.mark.parametrize("name", rows(CHANGING))
async def test_what_was_judged_is_what_runs(
    install: Install, scripted_model: ScriptedModel, name: str
) -> None:
    row = Row(prepare=CHANGING[name])
    supervised, output = await tried(install, scripted_model, name, row, "touch judged")
    assert scripted_model.requests, output
    (opened,) = await supervised.records("call.opened")
    ran = [name for name in ("judged", "changed") if (install.project / name).exists()]
    assert [opened["preview"]] == [f"touch {name}" for name in ran], output


async def test_settings_written_in_mid_session_change_nothing(
    claude_code: RealAgent, install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    """By the agent itself they are refused; what somebody outside writes meanwhile is no use."""
    supervised = supervise(claude_code, install, scripted_model)
    text = shlex.quote(json.dumps(NO_HOOKS))
    files = [
        Path(place.format(home=install.home, project=install.project))
        for place in (USER, PROJECT, "{project}/.claude/settings.local.json")
    ]
    told = install.project / "told"
    running = await supervised.start(
        *(supervised.shell(f"echo {text} > {file}") for file in files),
        supervised.shell("touch begun; until test -e told; do sleep 0.05; done"),
        supervised.shell(refused(api)),
    )
    await until((install.project / "begun").exists, "the call in the middle")
    for file in files:
        assert "disableAllHooks" not in (file.read_text() if file.is_file() else "")
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(NO_HOOKS))
    told.touch()
    await supervised.end(running)
    *writes, last = [each["preview"] for each in await supervised.records("call.denied")]
    assert len(writes) == len(files)
    assert last == refused(api)
    assert not (install.project / "ran").exists()
    assert api.seen == []


# ── What a call starts besides stays within it ──────────────────────────────────────────────


async def test_what_is_written_into_a_live_shell_of_codex_stays_within_its_call(
    codex: RealAgent, install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    """No hook tells of it; its requests are asked about as uses of the call that opened it."""
    supervised = supervise(codex, install, scripted_model)
    await supervised.run(
        call("exec_command", cmd="exec bash", yield_time_ms=250, tty=True),
        call("write_stdin", session_id="@@session ID (\\d+)@@", chars=f"{use(api)}\n",
             yield_time_ms=1500),
    )  # fmt: skip
    assert (install.project / "ran").exists()
    assert api.seen == []
    (opened,) = await supervised.records("call.opened")
    (asked,) = await supervised.records("approval.asked")
    (settled,) = await supervised.records("call.settled")
    (answered,) = await supervised.records("approval.answered")
    assert opened["preview"] == "exec bash"
    assert asked["title"].startswith(f"GET {api.host}/me")
    assert asked["call"] == settled["call"] == opened["call"]
    assert answered["answer"] == "expired"  # it ended with its call


@pytest.mark.parametrize("label", [pytest.param("openclaw", marks=marks("openclaw"))])
async def test_what_is_written_into_a_live_shell_of_openclaw_is_asked_about(
    install: Install, scripted_model: ScriptedModel, label: str
) -> None:
    """Announced as a tool of its own, which nobody answers for here."""
    install.configure("[approvals]\ntimeout = 2\n")
    supervised = supervise(WAYS[label].agent(), install, scripted_model)
    output = await supervised.run(
        call("exec", command="exec bash", background=True, pty=True),
        call("process", action="write", sessionId="@@session (\\S+?)[,)]@@", data="touch ran\n"),
    )
    (opened,) = await supervised.records("call.opened")
    assert opened["preview"] == "exec bash", output
    (asked,) = await supervised.records("approval.asked")
    assert "process.write" in asked["title"]
    assert not (install.project / "ran").exists()


# Each has a log-in of its own here.
NESTED = {
    "claude -p in a call": "timeout -s KILL 4 {program} -p {script} < /dev/null; true",
    "codex exec in a call": "timeout -s KILL 4 {program} exec --skip-git-repo-check {script}; true",
    "claude --bg in a call": "{program} --bg {script}; sleep 4",
}


@pytest.mark.parametrize("name", rows(NESTED))
async def test_an_agent_that_a_call_starts_is_part_of_that_call(
    install: Install, api: ApiServer, scripted_model: ScriptedModel, name: str
) -> None:
    """Its hooks are not ours, and need not be: no model for it, and what it asks is that call's."""
    supervised = start(install, scripted_model, name, Row())
    agent = supervised.agent
    program = shlex.quote(native_binary(agent.argv[0]))
    errand = shlex.quote(script(supervised.shell(use(api))))
    words = NESTED[name].replace("{script}", errand).replace("{program}", program)
    login = f"ANTHROPIC_BASE_URL={scripted_model.url} ANTHROPIC_AUTH_TOKEN=x SCRIPTED_KEY=x"
    home = f"CODEX_HOME={install.home}/.codex"
    with Person(install) as person:
        person.answers("", approve=False)  # whatever it asks for
        await supervised.run(supervised.shell(f"export {login} {home} IS_SANDBOX=1; {words}"))
    (opened,) = await supervised.records("call.opened")
    assert program in opened["preview"]
    assert not (install.project / "ran").exists()
    assert api.seen == []
    asked = await supervised.records("approval.asked", "use.denied")
    assert {each["call"] for each in asked} <= {opened["call"], "agent"}
    assert await supervised.records("use.intent") == []


# ── What the person types past the model ────────────────────────────────────────────────────


@pytest.mark.full
async def test_a_command_the_person_types_into_claude_code_gets_no_credential(
    claude_code: RealAgent, install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    """`!cmd` is not announced: `taskpass call -- CMD` is for that."""
    supervised = supervise(claude_code, install, scripted_model)
    # Short, for the terminal wraps what is typed.
    (install.project / "ask.sh").write_text(use(api))
    words = ["run", "--", *claude_code.argv]
    async with Terminal(
        [*TASKPASS, *words], cwd=install.project, environ=supervised.environ, cols=120
    ) as terminal:
        await terminal.shows("❯|auto mode|\\? for shortcuts")
        terminal.type("!")
        await terminal.shows("! for|shell mode|bash mode|!")
        terminal.type("sh ask.sh")
        await terminal.shows("sh ask.sh")
        terminal.press("enter")
        await until((install.project / "ran").exists, "the command")
        await supervised.recorded("use.denied")
    await ends_without_a_credential(supervised, api)


@pytest.mark.full
async def test_a_file_that_the_person_mentions_is_not_given_away_where_it_is_masked(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel
) -> None:
    """`@file` is not announced: what is kept from the task is kept from that, too."""
    (install.home / ".netrc").write_text("machine api.example login ana password 4fz81kq90xv\n")
    (install.project / "plain.txt").write_text("water the plants\n")
    supervised = supervise(claude_code, install, scripted_model)
    prompt = f"@{install.home}/.netrc @plain.txt {script('Seen.')}"
    install.environ |= supervised.environ
    words = ("run", "--headless", "--", *claude_code.argv, "-p", prompt)
    output = await asyncio.to_thread(install.cli, *words)
    told = json.dumps([request.body for request in scripted_model.requests])
    assert "water the plants" in told, output
    assert "4fz81kq90xv" not in told
