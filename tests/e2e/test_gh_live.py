"""Real gh, in a task: it works with stand-ins, and nothing real is where the task could read it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.fake_github import app_key
from tests.support.gh import find_gh
from tests.support.github_server import GitHubServer, Token, github_for
from tests.support.live import Install, Person

TOKEN = "ghp_4fz81kq90xvwpl27mncb4fz81kq90xvwpl27"


@pytest.fixture
def server(install: Install) -> Iterator[GitHubServer]:
    with github_for(install) as made:
        made.github.tokens[TOKEN] = Token("ana", personal=True)
        yield made


@pytest.fixture
def gh(install: Install) -> str:
    """gh, where the task sees it."""
    program = Path(find_gh())
    target = install.project / "gh"
    target.write_bytes(program.read_bytes())
    target.chmod(0o755)
    return "./gh"


@pytest.mark.parametrize("contain", ["standard", "off"])
def test_gh_reads_with_a_stand_in_over_its_socket(
    install: Install, server: GitHubServer, gh: str, contain: str
) -> None:
    added = install.cli(
        "credential", "add", "github", "--host", "api.github.com", "--host", "github.com",
        stdin=TOKEN + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    script = (
        f"{gh} pr list -R ana/app; {gh} api repos/ana/app/pulls --jq '.[].title'; "
        f"{gh} auth token; cat $GH_CONFIG_DIR/config.yml"
    )
    done = install.cli("run", "--headless", "--contain", contain, "--", "sh", "-c", script)
    assert "Mend the login" in done.stdout, done
    assert "First of pulls" in done.stdout
    assert "http_unix_socket" in done.stdout
    assert TOKEN not in done.stdout + done.stderr
    assert {header for _, header in server.requests} == {f"token {TOKEN}"}
    effects = [record["effect"] for record in install.records("use.intent")]
    assert any(effect.startswith("POST api.github.com/graphql") for effect in effects)
    assert install.records("approval.asked") == []
    # What writes is asked about; the stand-in elsewhere is worth nothing.
    refused = install.cli(
        "run", "--headless", "--contain", contain, "--",
        "sh", "-c", f"{gh} api -X POST repos/ana/app/issues -f title=x; {gh} auth token",
    )  # fmt: skip
    assert "x" not in server.github.done
    assert install.records("approval.asked")
    stand_in = refused.stdout.split()[-1]
    assert stand_in.startswith("ghp_")
    assert stand_in != TOKEN


def test_a_github_app_serves_git_and_gh_and_its_tokens_die_with_the_call(
    install: Install, server: GitHubServer, gh: str
) -> None:
    added = install.cli(
        "credential", "add", "app", "--issuer", "github-app",
        "--host", "api.github.com", "--host", "github.com",
        "--option", "app=123456", "--option", "installation=4711",
        "--option", f"api=https://{server.host}", "--option", "repositories=app",
        "--option", "permissions=contents=write,pull_requests=read",
        stdin=app_key()[0],
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    script = (
        f"git clone -q https://github.com/ana/app.git app && cd app && .{gh} pr list -R ana/app && "
        "git -c user.name=a -c user.email=b commit -q --allow-empty -m more && "
        "git push -q origin HEAD:refs/heads/topic"
    )
    with Person(install) as person:
        person.answers("", approve=True)
        done = install.cli("run", "--headless", "--", "sh", "-c", script)
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
    ended = [path for path, _ in server.requests if path == "DELETE /installation/token"]
    assert len(ended) == len(server.github.asked)
