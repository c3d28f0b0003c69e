"""Real gh, in a task: it works with stand-ins, and nothing real is where the task could read it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from tests.support.fake_github import app_key
from tests.support.gh import put_on_path
from tests.support.git_server import password_of
from tests.support.github_server import GitHubServer, Token, github_for
from tests.support.live import Install, Person
from tests.support.scripted_agent import running
from tests.support.secret_scan import Scan

TOKEN = "ghp_4fz81kq90xvwpl27mncb4fz81kq90xvwpl27"


@pytest.fixture
def server(install: Install) -> Iterator[GitHubServer]:
    with github_for(install) as made:
        made.github.tokens[TOKEN] = Token("ana", personal=True)
        yield made


@pytest.fixture
def tools(install: Install) -> str:
    """A directory with gh in it, on the person's PATH; what `--show` lets tasks see."""
    return put_on_path(install)


def _add(install: Install, *more: str) -> None:
    added = install.cli(
        "credential", "add", "github", "--host", "api.github.com", "--host", "github.com",
        *more, stdin=TOKEN + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr


def test_in_an_agent_gh_reads_without_a_question_and_asks_before_it_writes(
    install: Install, server: GitHubServer, tools: str
) -> None:
    _add(install)
    with running(install, "--show", tools) as agent:
        listed = agent.run("gh pr list -R ana/app")
        assert "Mend the login" in listed
        assert "First of pulls" in agent.run("gh api repos/ana/app/pulls --jq '.[].title'")
        (config,) = (install.root / "run/taskpass/tasks").glob("*/agent/gh")
        assert "http_unix_socket" in (config / "config.yml").read_text()
        stand_in = (config / "hosts.yml").read_text().partition('oauth_token: "')[2][:40]
        assert install.records("approval.asked") == []
        # Another supervisor takes the task over, and its socket.
        os.kill(install.daemon_pid(), signal.SIGKILL)
        assert install.cli("ps").returncode == 0
        assert "Mend the login" in agent.run("gh pr list -R ana/app")
        begun = agent.begin("gh api -X POST repos/ana/app/issues -f title=x")
        assert not begun.allowed
    assert install.records("approval.asked")
    assert server.github.done == []
    assert {header for _, header in server.requests} == {f"token {TOKEN}"}
    assert stand_in.startswith("ghp_")
    assert stand_in != TOKEN
    effects = [record["effect"] for record in install.records("use.intent")]
    assert any(effect.startswith("POST api.github.com/graphql query") for effect in effects)


def test_a_write_is_asked_about_once_with_its_command(
    install: Install, server: GitHubServer, tools: str
) -> None:
    _add(install)
    with Person(install) as person, running(install, "--show", tools) as agent:
        person.answers("gh api", approve=True)
        agent.run("gh api -X POST repos/ana/app/issues -f title=once")
        assert len(install.records("approval.asked")) == 1
        assert server.github.done == ["issue once"]
        # A second request of the same form was not announced: it asks, and nobody says yes.
        person.answers("sh -c", approve=True)
        person.answers("POST", approve=False)
        agent.run("sh -c 'gh api -X POST repos/ana/app/issues -f title=\"$0\"' hidden || true")
    assert server.github.done == ["issue once"]
    answers = [one["answer"] for one in install.records("approval.answered")]
    assert answers == ["approved", "approved", "denied"]
    uses = [one for one in install.records("use.intent") if one["effect"].startswith("POST")]
    assert [one["outcome"] for one in uses] == ["ask"], "the record says that it was asked about"


def test_uncontained_and_at_an_enterprise_server(
    install: Install, server: GitHubServer, tools: str
) -> None:
    _add(install, "--host", server.host, "--option", "forge=github")
    script = f"gh pr list -R {server.host}/ana/app; gh pr list -R ana/app"
    done = install.cli("run", "--headless", "--contain", "off", "--", "sh", "-c", script)
    assert done.stdout.count("Mend the login") == 2, done
    asked = [path for path, header in server.requests if header == f"token {TOKEN}"]
    assert asked == ["POST /api/graphql", "POST /graphql"]


def test_a_github_app_serves_git_and_gh_and_its_tokens_die_with_the_call(
    install: Install, server: GitHubServer, tools: str
) -> None:
    added = install.cli(
        "credential", "add", "app", "--issuer", "github-app",
        "--host", "api.github.com", "--host", "github.com",
        "--option", "app=123456", "--option", "installation=4711",
        "--option", "repositories=app",
        "--option", "permissions=contents=write,pull_requests=read",
        stdin=app_key()[0],
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    script = (
        "git clone -q git@github.com:ana/app.git app && cd app && gh pr list && "
        "git -c user.name=a -c user.email=b commit -q --allow-empty -m more && "
        "git push -q origin HEAD:refs/heads/topic"
    )
    with Person(install) as person:
        person.answers("", approve=True)
        done = install.cli("run", "--headless", "--show", tools, "--", "sh", "-c", script)
    assert done.returncode == 0, done
    assert "Mend the login" in done.stdout
    assert server.tip("ana/app", "refs/heads/topic")
    permissions = [asked["permissions"] for asked in server.github.asked]
    assert {"contents": "read"} in permissions
    assert {"contents": "write"} in permissions
    assert {"contents": "read", "pull_requests": "read"} in permissions  # GraphQL, reading
    assert all(asked["repositories"] == ["app"] for asked in server.github.asked)
    # The provider itself takes them no more.
    assert server.github.live() == {}
    made = {token for _, header in server.requests if (token := _carried(header))}
    assert len(made) == len(server.github.asked)
    for secret in (*made, app_key()[0].splitlines()[1]):
        scan = Scan(secret.encode())
        scan.text(done.stdout + done.stderr, "what the task printed")
        scan.tree(install.root)
        assert scan.findings == []
    ended = [path for path, _ in server.requests if path == "DELETE /installation/token"]
    assert len(ended) == len(server.github.asked)


def _carried(header: str) -> str:
    """The installation token in an Authorization header, "" for none."""
    scheme, _, value = header.partition(" ")
    token = password_of(header) if scheme == "Basic" else value
    return token if token.startswith("ghs_") else ""


def test_in_tier_b_git_and_gh_go_by_the_proxy(install: Install, tools: str) -> None:
    with github_for(install, '[containment]\ntier = "B"\n') as server:
        server.github.tokens[TOKEN] = Token("ana", personal=True)
        _add(install)
        script = "git clone -q git@github.com:ana/app.git app && cd app && gh pr list"
        done = install.cli("run", "--headless", "--show", tools, "--", "sh", "-c", script)
        assert "Mend the login" in done.stdout, done
    (started,) = install.records("task.started")
    assert started["tier"] == "B"
