"""Every known way around the hooks of Claude Code and Codex, tried with the real agents.

Each ends without a credential and with a record, in one of four ways:

- the start is refused, because its words would take the hooks away;
- the call runs without having been announced: it has no call to use, and its requests are refused;
- the hooks hold, whatever settings say: the call is announced, and policy refuses it;
- what an open call starts besides stays within that call, and ends with it.

What becomes of a hook that fails is in `test_hooks_that_fail.py`.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from profiles.codex.adapter import native_binary
from tests.support.agents import RealAgent
from tests.support.live import TASKPASS, ApiServer, Install, Person, until
from tests.support.scripted_model import ScriptedModel, call, script
from tests.support.supervised import Supervised, supervise
from tests.support.terminal import Terminal
from tests.support.wrapped_agents import wrapped


def use(api: ApiServer) -> str:
    """A command that gets a credential where it runs under a call."""
    bearer = '-H "Authorization: Bearer $API_TOKEN"'
    return f"touch ran; curl -sS -m 10 --noproxy '' {bearer} https://{api.host}/me"


def refused(api: ApiServer) -> str:
    """As `use`, and policy refuses it once it is announced."""
    return f"{use(api)}; sudo -n true"


async def ends_without_a_credential(supervised: Supervised, api: ApiServer) -> None:
    """It ran, asked for the API, and was refused on record as nobody's request."""
    assert (supervised.install.project / "ran").exists()
    assert api.seen == []
    asked = f"GET {api.host}/me"
    uses = [each for each in await supervised.records("use.denied") if each["effect"] == asked]
    assert {each["code"] for each in uses} == {"not_attested"}
    assert await supervised.records("call.opened", "use.intent") == []


# ── Words that would take the hooks away are refused ────────────────────────────────────────

REFUSED = {
    "claude_code": [
        ["--bare", "-p", "x"], ["--safe-mode", "-p", "x"], ["--bg", "x"],
        ["-p", "x", "--settings", '{"disableAllHooks": true}'],
        ["-p", "x", "--settings", '{"hooks": {"PreToolUse": [{"hooks": "none"}]}}'],
    ],
    "codex": [
        ["exec", "--disable", "hooks", "x"], ["exec", "--disable=hooks", "x"],
        ["exec", "--ignore-user-config", "x"], ["exec", "-c", "features.hooks=false", "x"],
        ["exec", "-c", "hooks.PreToolUse=[]", "x"], ["app-server"], ["--remote", "ws://x", "x"],
    ],
}  # fmt: skip


@pytest.mark.parametrize("which", REFUSED)
async def test_words_that_would_take_the_hooks_away_are_refused_and_on_record(
    request: pytest.FixtureRequest, install: Install, scripted_model: ScriptedModel, which: str
) -> None:
    agent: RealAgent = request.getfixturevalue(which)
    supervised = supervise(agent, install, scripted_model)
    install.environ |= supervised.environ
    for words in REFUSED[which]:
        done = install.cli("run", "--headless", "--", *agent.argv, *words)
        assert done.returncode in (2, 125), (words, done.stderr)
        assert done.stderr.startswith("taskpass: "), words
    kept = [each["preview"] for each in install.records("task.refused")]
    assert len(kept) == len(REFUSED[which])
    for words, preview in zip(REFUSED[which], kept, strict=True):
        assert all(word in preview for word in words if not word.startswith("{"))
    assert install.records("task.started") == []
    assert scripted_model.requests == []


# ── A call that was not announced has nothing ───────────────────────────────────────────────

# The wrapper does what the refusal above cannot see. Claude Code's own questions would stand in
# the way of the attack.
_CLAUDE = "export IS_SANDBOX=1; exec {program} --dangerously-skip-permissions"
_CODEX = 'exec {program} "$@"'
_PROVIDER = (
    "-c model=scripted -c model_provider=s -c model_providers.s.name=s"
    " -c model_providers.s.wire_api=responses"
    " -c model_providers.s.env_key=SCRIPTED_KEY -c model_providers.s.base_url={model}/v1"
)
UNANNOUNCED = {
    "claude --bare": f'{_CLAUDE} --bare "$@"',
    "codex --disable hooks": f"{_CODEX} --disable hooks",
    "claude --safe-mode": f'{_CLAUDE} --safe-mode "$@"',
    "claude --settings of its own": f'{_CLAUDE} "$@" --settings {{}}',
    "claude CLAUDE_CODE_SIMPLE": f'export CLAUDE_CODE_SIMPLE=1; {_CLAUDE} "$@"',
    "codex features.hooks": f"{_CODEX} -c features.hooks=false",
    "codex --ignore-user-config": f"{_CODEX} --ignore-user-config {_PROVIDER}",
    "codex untrusted hooks": (
        'cp -r "$CODEX_HOME" other; sed -i /trusted_hash/d other/config.toml;'
        f' CODEX_HOME="$PWD/other" {_CODEX}'
    ),
}


def fast(names: dict[str, str], count: int) -> list[Any]:
    """All of them by name; the first `count` always, the rest in the long form."""
    return [
        pytest.param(name, id=name, marks=[pytest.mark.full] if number >= count else [])
        for number, name in enumerate(names)
    ]


def agent_of(request: pytest.FixtureRequest, name: str) -> RealAgent:
    agent: RealAgent = request.getfixturevalue(
        "claude_code" if name.startswith("claude") else "codex"
    )
    return agent


async def behind_a_wrapper(
    request: pytest.FixtureRequest, install: Install, model: ScriptedModel, name: str
) -> Supervised:
    words = UNANNOUNCED[name].replace("{model}", model.url)
    behind = wrapped(install.root / "wrapped", agent_of(request, name), words)
    return supervise(behind, install, model)


@pytest.fixture
def without_tier_a(request: pytest.FixtureRequest, install: Install) -> tuple[str, ...]:
    """The words by which a task sees the machine's own settings; in tier A it sees ours.

    Uncontained, Codex has a sandbox of its own.
    """
    if request.node.callspec.params["name"].startswith("claude"):
        return ("--contain", "off")
    install.settings = '[containment]\ntier = "B"\n'
    install.configure("")
    return ()


@pytest.mark.parametrize("name", fast(UNANNOUNCED, 2))
async def test_a_call_that_was_not_announced_gets_no_credential(
    request: pytest.FixtureRequest, without_tier_a: tuple[str, ...], install: Install,
    api: ApiServer, scripted_model: ScriptedModel, name: str,
) -> None:  # fmt: skip
    supervised = await behind_a_wrapper(request, install, scripted_model, name)
    output = await supervised.run(supervised.shell(use(api)), options=without_tier_a)
    assert scripted_model.requests, output
    await ends_without_a_credential(supervised, api)


@pytest.mark.parametrize("name", fast(dict.fromkeys(UNANNOUNCED, ""), 2))
async def test_in_tier_a_the_machines_own_settings_are_ours_and_nothing_drops_them(
    request: pytest.FixtureRequest, install: Install, api: ApiServer,
    scripted_model: ScriptedModel, name: str,
) -> None:  # fmt: skip
    supervised = await behind_a_wrapper(request, install, scripted_model, name)
    output = await supervised.run(supervised.shell(refused(api)))
    assert scripted_model.requests, output
    (denied,) = await supervised.records("call.denied")
    assert "sudo" in denied["preview"]
    assert not (install.project / "ran").exists()
    assert api.seen == []


# ── The hooks hold, whatever settings say ───────────────────────────────────────────────────


def settings(place: str, text: str | dict[str, Any]) -> Callable[[Install], None]:
    """A settings file, below the home or the project."""

    def write(install: Install) -> None:
        file = Path(place.format(home=install.home, project=install.project))
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as opened:
            opened.write(text if isinstance(text, str) else json.dumps(text))

    return write


_USER, _PROJECT = "{home}/.claude/settings.json", "{project}/.claude/settings.json"
_NO_HOOKS = {"disableAllHooks": True, "permissions": {"defaultMode": "bypassPermissions"}}
_PREFIX = {"env": {"CLAUDE_CODE_SHELL_PREFIX": "/usr/bin/env", "CLAUDE_CODE_SIMPLE": "1"}}
_MALFORMED = {"hooks": {"PreToolUse": [{"matcher": 3, "hooks": "none"}]}, "disableAllHooks": True}
# name → settings, and words before the prompt
HELD: dict[str, tuple[Callable[[Install], None], tuple[str, ...]]] = {
    "claude disableAllHooks of the user": (settings(_USER, _NO_HOOKS), ()),
    "codex --yolo": (lambda install: None, ("--dangerously-bypass-approvals-and-sandbox",)),
    "claude disableAllHooks of the project": (settings(_PROJECT, _NO_HOOKS), ()),
    "claude disableAllHooks, local": (
        settings("{project}/.claude/settings.local.json", _NO_HOOKS), (),
    ),
    "claude malformed PreToolUse of the project": (settings(_PROJECT, _MALFORMED), ()),
    "claude malformed PreToolUse of the user": (settings(_USER, _MALFORMED), ()),
    "claude CLAUDE_CODE_SHELL_PREFIX": (settings(_PROJECT, _PREFIX), ()),
    "claude skip permissions": (lambda install: None, ("--dangerously-skip-permissions",)),
    "codex features of the project": (
        settings("{project}/.codex/config.toml", "[features]\nhooks = false\n"), (),
    ),
    "codex hooks of the user": (
        settings("{home}/.codex/config.toml", "[[hooks.PreToolUse]]\nhooks = []\n"), (),
    ),
    "codex bypass hook trust": (lambda install: None, ("--dangerously-bypass-hook-trust",)),
}  # fmt: skip


@pytest.mark.parametrize("name", fast(dict.fromkeys(HELD, ""), 2))
async def test_the_hooks_hold_whatever_settings_say(
    request: pytest.FixtureRequest, install: Install, api: ApiServer,
    scripted_model: ScriptedModel, name: str,
) -> None:  # fmt: skip
    agent = agent_of(request, name)
    prepare, words = HELD[name]
    options = wrapped_options(install, agent, words)
    supervised = supervise(options, install, scripted_model)
    install.environ["IS_SANDBOX"] = "1"
    prepare(install)
    output = await supervised.run(supervised.shell(refused(api)))
    assert scripted_model.requests, output
    (denied,) = await supervised.records("call.denied")
    assert "sudo" in denied["preview"]
    assert not (install.project / "ran").exists()
    assert api.seen == []


def wrapped_options(install: Install, agent: RealAgent, words: tuple[str, ...]) -> RealAgent:
    """The agent with further words, as the person would type them."""
    return RealAgent(agent.label, (*agent.argv, *words), agent.version, agent.node_bin)


async def test_settings_written_in_mid_session_change_nothing(
    claude_code: RealAgent, install: Install, api: ApiServer, scripted_model: ScriptedModel
) -> None:
    """By the agent itself they are refused; what somebody outside writes meanwhile is no use."""
    supervised = supervise(claude_code, install, scripted_model)
    text = shlex.quote(json.dumps(_NO_HOOKS))
    files = [
        Path(place.format(home=install.home, project=install.project))
        for place in (_USER, _PROJECT, "{project}/.claude/settings.local.json")
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
        file.write_text(json.dumps(_NO_HOOKS))
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


# Each has a log-in of its own here.
NESTED = {
    "claude -p in a call": "timeout -s KILL 4 {program} -p {script} < /dev/null; true",
    "codex exec in a call": "timeout -s KILL 4 {program} exec --skip-git-repo-check {script}; true",
    "claude --bg in a call": "{program} --bg {script}; sleep 4",
}


@pytest.mark.parametrize("name", fast(NESTED, 0))
async def test_an_agent_that_a_call_starts_is_part_of_that_call(
    request: pytest.FixtureRequest, install: Install, api: ApiServer,
    scripted_model: ScriptedModel, name: str,
) -> None:  # fmt: skip
    """Its hooks are not ours, and need not be: no model for it, and what it asks is that call's."""
    agent = agent_of(request, name)
    supervised = supervise(agent, install, scripted_model)
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
