"""A day's work of the real Claude Code in one session, each system with its own credential.

Git and GitHub, an API behind OAuth, and one whose key was in the project's `.env`: the agent sees
stand-ins only, each use is on record with who, what, where and why, and nothing is left alive.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.support.agents import RealAgent
from tests.support.fake_github import Token
from tests.support.gh import put_on_path
from tests.support.github_server import GitHubServer, github_for
from tests.support.live import ApiServer, Install, Person
from tests.support.oidc_provider import OidcProvider
from tests.support.scripted_model import ScriptedModel
from tests.support.signing_in import SigningIn
from tests.support.supervised import supervise

GITHUB_TOKEN = "ghp_4fz81kq90xvwpl27mncb4fz81kq90xvwpl27"
ACME = "real-4fz81kq90xvwpl27mncb"
CALL = 'curl -sS -m 20 -H "Authorization: Bearer ${variable}" {url}'


@pytest.fixture
def github(
    install: Install, oidc_provider: OidcProvider, acme: ApiServer
) -> Iterator[GitHubServer]:
    """GitHub, and an install that trusts it, the company's provider and Acme."""
    with github_for(install) as server:
        server.github.tokens[GITHUB_TOKEN] = Token("ana", personal=True)
        others = (oidc_provider.authority, acme.certificate_authority)
        with (install.root / "roots.pem").open("ab") as roots:
            for authority in others:
                roots.write(authority.cert_pem.bytes())
        yield server


@pytest.fixture
def acme() -> ApiServer:
    server = ApiServer(token=ACME)
    server.start()
    return server


def sign_in(install: Install, company: OidcProvider) -> None:
    """The person signs in once; agents of this install get tokens by exchange."""
    company.let_act(json.loads(install.cli("credential", "jwks").stdout))
    signing = SigningIn(
        install, "credential", "signin", "crm", "--issuer", company.issuer, "--host", company.host,
        "--env", "CRM_TOKEN", "--client-id", "taskpass", "--exchange",
    )  # fmt: skip
    asyncio.run(company.browse(signing.page()))
    code, said = signing.end()
    assert code == 0, said


def import_env(install: Install, acme: ApiServer) -> str:
    """The project's `.env` is imported; the stand-in that it keeps."""
    env = install.project / ".env"
    env.write_text(f"ACME_TOKEN={ACME}\n")
    done = install.cli("import", ".env", f"--bind=ACME_TOKEN={acme.host}", "--yes")
    assert done.returncode == 0, done.stderr
    assert ACME not in env.read_text()
    return env.read_text().strip().partition("=")[2]


async def test_a_day_in_one_session(
    claude_code: RealAgent,
    install: Install,
    scripted_model: ScriptedModel,
    github: GitHubServer,
    oidc_provider: OidcProvider,
    acme: ApiServer,
) -> None:
    tools = put_on_path(install)
    agent = supervise(claude_code, install, scripted_model)
    added = install.cli(
        "credential", "add", "github", "--host", "api.github.com", "--host", "github.com",
        stdin=GITHUB_TOKEN + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    await asyncio.to_thread(sign_in, install, oidc_provider)
    stand_in = import_env(install, acme)
    first = github.tip("ana/app", "refs/heads/main")
    commit = "git -c user.name=Ana -c user.email=a@b.example commit -q --allow-empty"
    with Person(install) as person:
        person.answers("git push origin topic", approve=True)
        person.answers("gh api -X POST", approve=False)
        output = await agent.run(
            agent.shell("git clone -q https://github.com/ana/app.git app && echo cloned"),
            agent.shell(f"cd app && git checkout -q -b topic && {commit} -m more && echo made"),
            agent.shell("git push origin topic && echo pushed"),
            agent.shell("git push --force origin topic:main"),
            agent.shell("gh pr list -R ana/app"),
            agent.shell("gh api -X POST repos/ana/app/issues -f title=x"),
            agent.shell(CALL.format(variable="CRM_TOKEN", url=f"{oidc_provider.api}/customers")),
            agent.shell(CALL.format(variable="ACME_TOKEN", url=f"https://{acme.host}/me")),
            "That was all.",
            options=("--show", tools),
        )
    told = "\n".join(scripted_model.last.results.values()) + output
    for words in ("cloned", "made", "pushed", "Mend the login", '"hello":"ana"', '"hello": "ana"'):
        assert words in told, (words, told)
    assert "This overwrites or removes a protected branch." in told
    assert github.tip("ana/app", "refs/heads/topic")
    assert github.tip("ana/app", "refs/heads/main") == first
    assert github.github.done == []
    assert acme.accepted

    records = await agent.records()
    asked = [r["title"].splitlines()[0] for r in records if r["kind"] == "approval.asked"]
    assert asked == [
        "git push origin topic && echo pushed",
        "gh api -X POST repos/ana/app/issues -f title=x",
    ]
    uses = [record for record in records if record["kind"] == "use.intent"]
    assert {use["credential"] for use in uses} == {"github", "crm", "acme-token"}
    for use in uses:
        assert use["user"]
        assert use["agent"].startswith("claude-code 2.1.330")
        assert use["runtime"]
        assert use["task"]
        assert use["until"] > use["time"]
    for secret in (GITHUB_TOKEN, ACME):
        assert secret not in json.dumps(records) + told

    # The provider takes the exchanged token no more, and the file is of no use to a thief.
    (seen,) = [each for each in oidc_provider.seen() if each["request"].endswith("/customers")]
    assert seen["sub"] == "ana"
    assert oidc_provider.api_status(seen["bearer"]) == 401
    assert "who are you" in await asyncio.to_thread(steal, stand_in, acme)


def steal(stand_in: str, acme: ApiServer) -> str:
    """What a program outside every task gets with the stand-in of the file."""
    header = f"Authorization: Bearer {stand_in}"
    done = subprocess.run(
        ["curl", "-sSk", "-H", header, f"https://{acme.host}/me"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout
