"""Installation tokens of a GitHub App, against GitHub's documented API."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import trustme

from supervisor.errors import Denied, IssuerFailed, UsageError
from supervisor.issuers.github_app import GitHubAppIssuer
from supervisor.model import CredentialSpec, Effect, KillMode, Verb
from supervisor.oauth.http import Http
from supervisor.paths import Paths
from supervisor.ports import Issuer, Minted, Secret
from supervisor.vault.store import FileVault, open_vault
from tests.contract.issuer_contract import IssuerContract
from tests.support.credentials import mint_context
from tests.support.fake_github import FakeGitHub, app_key
from tests.support.faulty_upstream import GARBAGE, Fault, FaultyUpstream

HOST = "api.example.com"


@dataclass
class App:
    """The issuer, and the GitHub it asks."""

    vault: FileVault
    upstream: FaultyUpstream
    github: FakeGitHub
    issuer: GitHubAppIssuer
    tls: ssl.SSLContext

    def spec(self, **options: str) -> CredentialSpec:
        base = {"app": "123456", "installation": "4711", "api": self.upstream.url}
        told = {key: value for key, value in (base | options).items() if value}
        return CredentialSpec("app", "github-app", (HOST, "github.com"), options=told)

    async def mint(
        self, path: str, method: str = "GET", *, lease: str = "l-1", spec: object = None,
        **more: str,
    ) -> Minted:  # fmt: skip
        effect = Effect(Verb.HTTP, HOST, {"method": method, "path": path, **more})
        used = spec if isinstance(spec, CredentialSpec) else self.spec()
        return await self.issuer.mint(used, replace(mint_context(effect=effect), lease=lease))


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    vault = open_vault(Paths(tmp_path, tmp_path, tmp_path, tmp_path), keyring=lambda state: None)
    await vault.add(CredentialSpec("app", "github-app", (HOST,)), Secret(app_key()[0]))
    authority = trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    github = FakeGitHub()
    async with FaultyUpstream(github.answer, tls=serving, host="localhost") as upstream:
        github.clock = upstream.clock
        issuer = GitHubAppIssuer(vault, lambda: Http(lambda: trusting))
        yield App(vault, upstream, github, issuer, trusting)
        await issuer.close()


class TestGitHubApp(IssuerContract):
    @pytest.fixture
    def issuer(self, app: App) -> Issuer:
        return app.issuer

    @pytest.fixture
    def spec(self, app: App) -> CredentialSpec:
        return app.spec()


@pytest.mark.parametrize(
    ("method", "path", "permissions"),
    [
        ("GET", "/repos/ana/app", {"metadata": "read"}),
        ("GET", "/repos/ana/app/pulls", {"pull_requests": "read"}),
        ("POST", "/repos/ana/app/issues", {"issues": "write"}),
        ("GET", "/api/v3/repos/ana/app/contents/README", {"contents": "read"}),
        ("GET", "/ana/app.git/info/refs", {"contents": "read"}),
        ("POST", "/ana/app.git/git-upload-pack", {"contents": "write"}),
        ("POST", "/ana/app/git-receive-pack", {"contents": "write"}),
    ],
)
async def test_it_is_for_one_repository_and_what_the_request_needs(
    app: App, method: str, path: str, permissions: Mapping[str, str]
) -> None:
    if path.endswith("git-upload-pack"):
        permissions = {"contents": "read"}
    minted = await app.mint(path, method)
    assert app.github.asked == [{"repositories": ["app"], "permissions": permissions}]
    assert minted.secret.value in app.github.live()
    assert 3590 < minted.expires - app.upstream.clock() <= 3600


async def test_a_push_may_write_from_its_first_request_on(app: App) -> None:
    await app.mint("/ana/app.git/info/refs", service="git-receive-pack")
    assert app.github.asked[0]["permissions"] == {"contents": "write"}


async def test_git_lfs_writes_unless_it_only_downloads(app: App) -> None:
    path = "/ana/app.git/info/lfs/objects/batch"
    await app.mint(path, "POST", lfs="download")
    await app.mint(path, "POST", lfs="upload")
    await app.mint(path, "POST")
    assert [asked["permissions"]["contents"] for asked in app.github.asked] == ["read", "write"]


async def test_within_a_lease_the_same_need_is_met_by_the_same_token(app: App) -> None:
    first = await app.mint("/repos/ana/app/pulls")
    assert await app.mint("/repos/ana/app/pulls") == first
    assert await app.mint("/repos/ana/app/pulls", lease="l-2") != first
    assert await app.mint("/repos/ana/lib/pulls") != first
    await app.issuer.revoke(app.spec(), first.revocation)
    assert await app.mint("/repos/ana/app/pulls") != first


async def test_after_its_end_github_itself_answers_401(app: App) -> None:
    minted = await app.mint("/repos/ana/app")
    assert await app.issuer.works(app.spec(), minted.revocation) is True
    await app.issuer.revoke(app.spec(), minted.revocation)
    assert await app.issuer.works(app.spec(), minted.revocation) is False
    assert app.github.live() == {}
    assert app.issuer.kill_mode is KillMode.UPSTREAM


@pytest.mark.parametrize(
    ("options", "path", "method"),
    [
        ({"permissions": "contents=read"}, "/repos/ana/app/contents/x", "PUT"),
        ({"permissions": "contents=read"}, "/repos/ana/app/issues", "GET"),
        ({"repositories": "lib"}, "/repos/ana/app", "GET"),
        ({"owner": "somebody"}, "/repos/ana/app", "GET"),
        ({}, "/repos/ana/app/hooks", "GET"),  # which the App itself may not
        ({}, "/repos/ana/other", "GET"),
        ({}, "/repos/somebody/app", "GET"),  # the name is one of the installation's
        ({"installation": ""}, "/user", "GET"),
        ({"installation": ""}, "/repos/ana/other", "GET"),
    ],
)
async def test_what_it_is_not_for_is_refused_and_nothing_is_left(
    app: App, options: Mapping[str, str], path: str, method: str
) -> None:
    with pytest.raises(Denied) as refusal:
        await app.mint(path, method, spec=app.spec(**options))
    assert refusal.value.hint
    assert app.github.live() == {}


async def test_the_installation_is_found_by_the_repository(app: App) -> None:
    spec = app.spec(installation="")
    await app.mint("/repos/ana/app", spec=spec)
    await app.mint("/repos/ana/app/pulls", spec=spec)
    looked = [asked for asked in app.upstream.asked if asked.path.endswith("/installation")]
    assert len(looked) == 1


async def test_graphql_reads_with_what_may_be_read_and_changes_with_the_rest(app: App) -> None:
    spec = app.spec(permissions="issues=write,contents=read", repositories="app")
    await app.mint("/graphql", "POST", spec=spec, graphql="query")
    await app.mint("/graphql", "POST", spec=spec, graphql="mutation")
    assert [asked["permissions"] for asked in app.github.asked] == [
        {"issues": "read", "contents": "read"},
        {"issues": "write", "contents": "read"},
    ]
    assert app.github.asked[0]["repositories"] == ["app"]


@pytest.mark.parametrize("off", [-300.0, 300.0])
async def test_a_clock_that_is_off_is_put_right_by_githubs(app: App, off: float) -> None:
    def clock() -> float:
        return time.time() + off

    app.issuer = GitHubAppIssuer(app.vault, lambda: Http(lambda: app.tls), clock)
    minted = await app.mint("/repos/ana/app")
    assert 3590 < minted.expires - clock() <= 3602
    await app.issuer.close()


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.SERVER_ERROR, Fault.CUT])
async def test_what_goes_wrong_is_one_clear_sentence(app: App, fault: Fault) -> None:
    app.issuer = GitHubAppIssuer(app.vault, lambda: Http(lambda: app.tls, 0.5))
    app.upstream.fail(fault, times=-1)
    with pytest.raises(IssuerFailed) as failure:
        await app.mint("/repos/ana/app")
    assert failure.value.unclear
    assert "localhost" in failure.value.message
    await app.issuer.close()


@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
async def test_of_garbage_nothing_that_ends_is_made(app: App, body: bytes) -> None:
    """What has no end in sight the engine does not give (`minting`)."""
    app.upstream.fail(Fault.GARBAGE, body=body)
    outcome = await asyncio.gather(app.mint("/graphql", "POST"), return_exceptions=True)
    match outcome:
        case [IssuerFailed() as failure]:
            assert failure.unclear
        case [Minted() as minted]:
            assert minted.expires == 0.0
        case _:
            pytest.fail(repr(outcome))


async def test_an_end_that_github_does_not_confirm_is_told(app: App) -> None:
    minted = await app.mint("/repos/ana/app")
    app.upstream.fail(Fault.SERVER_ERROR)
    with pytest.raises(IssuerFailed):
        await app.issuer.revoke(app.spec(), minted.revocation)
    await app.issuer.revoke(app.spec(), minted.revocation)
    assert app.github.live() == {}


@pytest.mark.parametrize(
    "options",
    [
        {"app": ""},
        {"api": "http://api.github.com"},
        {"api": "https://ana:x@api.github.com"},
        {"permissions": "contents"},
        {"permissions": "contents=all"},
        {"permissions": "contents=read,contents=write"},
    ],
)
async def test_options_that_cannot_work_are_refused_when_it_is_added(
    app: App, options: Mapping[str, str]
) -> None:
    with pytest.raises(UsageError) as refusal:
        await app.issuer.prepare(app.spec(**options))
    assert refusal.value.hint


async def test_a_key_that_is_none_is_named_and_not_shown(app: App) -> None:
    await app.vault.remove("app")
    await app.vault.add(CredentialSpec("app", "github-app", (HOST,)), Secret("no key at all"))
    with pytest.raises(IssuerFailed) as failure:
        await app.mint("/repos/ana/app")
    assert not failure.value.unclear
    assert "no key at all" not in str(failure.value)
    assert "credential rotate" in failure.value.hint
    assert app.upstream.asked == []
