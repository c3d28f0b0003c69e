"""From a new home to the first brokered call with one question; and back, byte for byte."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.client_setup import SetupClient
from supervisor.errors import NotAttested
from tests.support.agents import RealAgent
from tests.support.gh import find_gh
from tests.support.github_server import GitHubServer, Token, github_for
from tests.support.homes import everything
from tests.support.live import PATIENCE, TASKPASS, ApiServer, Install
from tests.support.scripted_model import ScriptedModel, script
from tests.support.supervised import supervise
from tests.support.terminal import Terminal

TOKEN = "gho_4fz81kq90xvwpl27mncb4fz81kq90xvwpl27"
STRIPE = "sk_test_51H8f2KLkjh3498fjkdsfh349fhskdjfh"
HOSTS = f"""\
github.com:
    user: ana
    oauth_token: {TOKEN}
    git_protocol: https
"""
DOTENV = f"# shop\nSTRIPE_SECRET_KEY={STRIPE}\r\nexport DEBUG=1\n"


@pytest.fixture
def github(install: Install) -> Iterator[GitHubServer]:
    with github_for(install) as made:
        made.github.tokens[TOKEN] = Token("ana", personal=True)
        yield made


@pytest.fixture
def fresh(install: Install, github: GitHubServer) -> Install:
    """A home in which taskpass never ran: somebody is logged in with gh, and has a `.env`."""
    _never_ran(install)
    gh = Path(find_gh())
    install.environ["PATH"] = f"{gh.parent}:{install.environ['PATH']}"
    shutil.copy(gh, install.project / "gh")  # a task does not see where the person's may lie
    folder = install.home / ".config/gh"
    folder.mkdir()
    (folder / "hosts.yml").write_text(HOSTS)
    (folder / "hosts.yml").chmod(0o600)
    (install.home / ".netrc").write_text("machine api.heroku.com login ana password 4fz81kq90\n")
    dotenv = install.project / ".env"
    dotenv.write_bytes(DOTENV.encode())
    dotenv.chmod(0o640)
    os.utime(dotenv, ns=(1_700_000_000_000_000_001, 1_700_000_000_000_000_002))
    return install


def _never_ran(install: Install) -> None:
    shutil.rmtree(install.home / ".local")
    shutil.rmtree(install.home / ".cache")


def ran(install: Install, *words: str) -> Terminal:
    argv = [*TASKPASS, "run", "--", *words]
    return Terminal(argv, cwd=install.project, environ=install.environ, cols=80, rows=24)


async def answer(terminal: Terminal, key: str, pattern: str) -> None:
    """Press one key until the screen takes it: what is typed too early decides nothing."""
    for patience in (1, 1, 1, 30):
        terminal.press(key)
        with contextlib.suppress(AssertionError) if patience < 30 else contextlib.nullcontext():
            await terminal.shows(pattern, patience)
            return


async def test_one_question_leads_to_a_brokered_call_and_everything_can_be_taken_back(
    fresh: Install, github: GitHubServer
) -> None:
    before = everything(fresh.home)
    script = "./gh pr list -R ana/app; cat .env; read answer"
    async with ran(fresh, "sh", "-c", script) as terminal:
        await terminal.shows("b broker 2")
        shown = terminal.text()
        assert "gh · ana, OAuth token" in shown
        assert "STRIPE_SECRET_KEY" in shown
        assert "~/.netrc" in shown
        assert everything(fresh.home) == before, "nothing is changed before the key"
        await answer(terminal, "b", "Mend the login")
        assert "sk_test_" in (await terminal.shows(r"STRIPE_SECRET_KEY=\S+"))[0]
        assert not {TOKEN, STRIPE} & set(terminal.text().replace("=", " ").split())
        assert {header.split()[-1] for _, header in github.requests} == {TOKEN}
        assert fresh.records("approval.asked") == []
        refused = fresh.cli("uninstall")
        assert (refused.returncode, "running: task 1" in refused.stdout) == (2, True)
        assert "github at api.github.com (wire, within 0.1 s)" in refused.stdout
        assert "credentials that are forgotten: github, stripe-secret-key" in refused.stdout
        assert "Nobody can be asked here" in refused.stderr
        terminal.press("enter")
        assert await terminal.exit_code() == 0
    # What was lent is useless to a thief, and nothing of ours holds it in clear.
    assert STRIPE not in (fresh.project / ".env").read_text()
    for path in (fresh.home / ".local").rglob("*"):
        assert path.is_dir() or not {TOKEN, STRIPE} & _words(path), path
    # The screen does not come again.
    async with ran(fresh, "sh", "-c", "echo up; read answer") as terminal:
        await terminal.shows("^up")
        terminal.press("enter")
        assert await terminal.exit_code() == 0

    listed = fresh.cli("undo", "--list").stdout.splitlines()
    assert ["gh's log-in" in listed[0], "secret of" in listed[1]] == [True, True], listed
    undone = fresh.cli("undo")
    assert undone.returncode == 0, undone.stderr
    name = "project/.env"
    assert everything(fresh.project)[".env"] == before[name]
    assert "stripe" not in fresh.cli("credential", "list").stdout
    gone = fresh.cli("uninstall", "--yes", "--keep-config")
    assert gone.returncode == 0, gone.stderr
    assert "undone: gh's log-in at github.com is lent to tasks" in gone.stdout
    assert everything(fresh.home) == before


async def test_the_agent_of_the_first_run_works_with_gh(
    fresh: Install,
    github: GitHubServer,
    claude_code: RealAgent,
    scripted_model: ScriptedModel,
) -> None:
    claude = supervise(claude_code, fresh, scripted_model)
    prompt = script(claude.shell("./gh pr list -R ana/app"))
    argv = [*TASKPASS, "run", "--", *claude.agent.argv, prompt]
    async with Terminal(argv, cwd=fresh.project, environ=claude.environ, cols=100) as terminal:
        await terminal.shows(r"Claude Code \S+ \(key in the environment: its own log-in stays")
        await answer(terminal, "b", "DONE")
        terminal.press("ctrl+backslash", "x")
        assert await terminal.exit_code() != 0
    assert "Mend the login" in claude.last_result()
    assert {header.split()[-1] for _, header in github.requests} == {TOKEN}
    assert fresh.records("approval.asked") == []


def _words(path: Path) -> set[str]:
    text = path.read_bytes().decode("latin-1")
    return {secret for secret in (TOKEN, STRIPE) if secret in text}


async def test_not_now_changes_nothing_and_is_not_asked_again(fresh: Install) -> None:
    before = everything(fresh.home)
    await leave(fresh)
    assert everything(fresh.home) == before
    for _ in range(2):
        async with ran(fresh, "sh", "-c", "echo up; read answer") as terminal:
            await terminal.shows("b broker 2|^up")
            if "First run" in terminal.text():
                await answer(terminal, "s", "^up")
            terminal.press("enter")
            assert await terminal.exit_code() == 0
    now = everything(fresh.home, ".local", ".cache")
    assert now == {name: before[name] for name in now}
    assert "There is nothing to undo" in fresh.cli("undo", "--list").stdout
    await leave(fresh, "setup")


async def leave(install: Install, *words: str) -> None:
    """Open the screen by this command, and leave it without an answer."""
    async with Terminal(
        [*TASKPASS, *words], cwd=install.project, environ=install.environ, cols=80, rows=24
    ) as terminal:
        await terminal.shows("b broker 2")
        terminal.press("ctrl+c")
        assert await terminal.exit_code() == 130


def test_without_a_terminal_nothing_is_asked_and_one_line_is_told_once(install: Install) -> None:
    _never_ran(install)
    shutil.rmtree(install.home / ".config")
    before = everything(install.home)
    first, second = (install.cli("run", "--headless", "--", "true") for _ in range(2))
    assert first.stderr.count("\n") == 1
    assert "taskpass setup" in first.stderr
    assert (second.returncode, second.stderr) == (0, "")
    assert install.cli("setup").returncode == 2
    # Leaving ends what runs; the directories that were made on the way go as well.
    task = install.popen("run", "--headless", "--", "sh", "-c", "echo up; sleep 100")
    assert task.stdout is not None
    assert task.stdout.readline() == "up\n"
    gone = install.cli("uninstall", "--yes")
    assert gone.returncode == 0, gone.stderr
    assert "running: task 3 sh -c" in gone.stdout
    assert task.wait(PATIENCE) == 128 + signal.SIGKILL
    assert everything(install.home) == before


def test_what_was_changed_since_is_not_overwritten(install: Install) -> None:
    dotenv = install.project / ".env"
    dotenv.write_text(DOTENV)
    done = install.cli("import", ".env", "--yes")
    assert done.returncode == 0, done.stderr
    later = dotenv.read_text() + "MINE=1\n"
    dotenv.write_text(later)
    for words in (("undo",), ("uninstall", "--yes")):
        refused = install.cli(*words)
        assert refused.returncode == 3, refused
        assert f"{dotenv} was changed since" in refused.stderr
        assert "--copy DIR" in refused.stderr
    assert "stripe-secret-key" in install.cli("credential", "list").stdout
    folder = install.root / "old"
    folder.mkdir()
    assert install.cli("undo", "--copy", str(folder)).returncode == 0
    assert (folder / ".env.before-1").read_bytes() == DOTENV.encode()
    left = install.cli("uninstall", "--yes", "--leave-changed")
    assert left.returncode == 0, left.stderr
    assert "left as it is" in left.stdout
    assert dotenv.read_text() == later
    assert not (install.home / ".local").exists()


# ── What a project needs ────────────────────────────────────────────────────────────────────

NEEDS = """
[[needs]]
resource = "{host}/me"
verbs = ["write"]
lifetime = 30
why = "say hello"
"""
POST = 'curl -sS -m 10 -X POST -H "Authorization: Bearer $API_TOKEN" https://{host}/me'


async def test_a_projects_needs_are_accepted_once_and_asked_again_when_they_change(
    install: Install, api: ApiServer
) -> None:
    config = install.paths.config / "config.toml"
    install.configure("[approvals]\ntimeout = 1\n" + config.read_text())
    install.cli("stop")
    file = install.project / "taskpass.toml"
    file.write_text(NEEDS.format(host=api.host))
    call = ("run", "--headless", "--", "sh", "-c", POST.format(host=api.host))
    ignored = install.cli(*call)
    assert "1 needs of this project wait for you" in ignored.stderr
    assert api.accepted == []
    client = SetupClient()  # a program without a terminal may not say yes
    await client.connect()
    with pytest.raises(NotAttested):
        await client.answer_needs(await client.needs(str(install.project)), accept=True)
    await client.close()
    async with ran(install, "sh", "-c", "read answer") as terminal:  # asked before it starts
        shown = await terminal.shows(r"Type (\w\w) to accept")
        assert f"{api.host}/me  write, for 30 min: say hello" in terminal.text()
        terminal.type(shown[1])
        terminal.press("enter")
        await terminal.shows("read answer")
        terminal.press("enter")
        assert await terminal.exit_code() == 0
    used = install.cli(*call)
    assert (used.stdout, used.stderr) == ('{"hello": "ana"}', "")
    assert api.accepted == ["POST /me"]
    assert install.records("task.started")[-1]["needs"] == [
        f"{api.host}/me  write, for 30 min: say hello"
    ]
    file.write_text(NEEDS.format(host=api.host).replace("write", "delete"))
    assert "wait for you" in install.cli("run", "--headless", "--", "true").stderr
    assert [record["by"] != "" for record in install.records("needs.accepted")] == [True]
    assert install.cli("needs", "accept").returncode == 2  # there is no terminal
    assert install.cli("needs", "withdraw").returncode == 0
