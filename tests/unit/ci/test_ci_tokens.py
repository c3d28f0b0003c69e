"""A job has an identity when its CI system's token says so, and never by an altered one."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest

from supervisor.ci.systems import named
from supervisor.ci.verify import verified
from supervisor.errors import Denied
from supervisor.model import Job
from tests.support.ci_provider import AUDIENCE, ORGANIZATION, CiProvider, with_hmac

# Made once: an RSA key takes a while.
_OTHER = CiProvider("gitlab")
Alter = Callable[[CiProvider], str]


def _now() -> int:
    return int(time.time())


def _unsigned(provider: CiProvider) -> str:
    return jwt.encode(provider.claims(), None, "none", headers={"kid": provider.kid})


def _tampered(provider: CiProvider) -> str:
    head, _, signature = provider.token().split(".")
    body = json.dumps(provider.claims(ref="refs/heads/other", repository_id="1"))
    return f"{head}.{base64.urlsafe_b64encode(body.encode()).decode().rstrip('=')}.{signature}"


# What is altered in every system's token.
ALTERED: dict[str, Alter] = {
    "another issuer": lambda p: p.token(p.claims(iss="https://ci.evil.example")),
    "another issuer's name before it": lambda p: p.token(p.claims(iss=f"{p.issuer}.evil.example")),
    "another audience": lambda p: p.token(p.claims(aud="sts.amazonaws.com")),
    "no audience": lambda p: p.token(p.claims(aud=None)),
    "expired": lambda p: p.token(p.claims(exp=_now() - 60, iat=_now() - 600)),
    "not valid yet": lambda p: p.token(p.claims(nbf=_now() + 600, iat=_now() + 600)),
    "no end": lambda p: p.token(p.claims(exp=None)),
    "not signed": _unsigned,
    "signed with the public key": with_hmac,
    "an unknown key": lambda p: p.token(kid="key-9"),
    "no key named": lambda p: p.token(kid=""),
    "somebody else's key": lambda p: jwt.encode(
        p.claims(), _OTHER.key, "RS256", headers={"kid": p.kid}
    ),
    "claims changed behind the signature": _tampered,
    "no token at all": lambda p: "not.a.token",
}


class CiSystemContract:
    """What holds for each system. `identity`: the claim that tells repositories apart."""

    system = ""
    identity = ""

    @pytest.fixture(scope="class")
    def provider(self) -> CiProvider:
        return CiProvider(self.system)

    async def job(self, provider: CiProvider, token: str) -> Job:
        return await verified(token, named(self.system), provider.keys, audience=AUDIENCE)

    async def test_a_valid_token_is_taken(self, provider: CiProvider) -> None:
        job = await self.job(provider, provider.token())
        assert job.system == self.system
        assert job.issuer == provider.issuer
        assert "acme/shop" in job.repository
        assert job.repository_id not in ("", job.repository)
        assert provider.asked[-1].startswith(provider.issuer)

    @pytest.mark.parametrize("how", ALTERED)
    async def test_an_altered_one_is_refused(self, provider: CiProvider, how: str) -> None:
        with pytest.raises(Denied) as refused:
            await self.job(provider, ALTERED[how](provider))
        assert "so this job has no identity" in str(refused.value)

    async def test_keys_are_fetched_from_nobody_else(self, provider: CiProvider) -> None:
        asked = len(provider.asked)
        with pytest.raises(Denied):
            await self.job(provider, ALTERED["another issuer"](provider))
        assert len(provider.asked) == asked

    async def test_one_without_what_tells_repositories_apart(self, provider: CiProvider) -> None:
        for missing in (None, "", True, ["22"]):
            claims = provider.claims(**{self.identity: missing})
            with pytest.raises(Denied, match="tells jobs apart"):
                await self.job(provider, provider.token(claims))


class TestGitHubActions(CiSystemContract):
    system, identity = "github-actions", "repository_id"

    async def test_who_and_where(self, provider: CiProvider) -> None:
        job = await self.job(provider, provider.token())
        assert (job.repository_id, job.run, job.runner) == ("7110042", "9001/2", "github-hosted")
        assert job.protected

    async def test_a_strangers_pull_request_with_the_repositorys_rights(
        self, provider: CiProvider
    ) -> None:
        claims = provider.claims(event_name="pull_request_target")
        with pytest.raises(Denied, match="pull_request_target"):
            await self.job(provider, provider.token(claims))

    async def test_another_issuer_by_configuration(self) -> None:
        own = CiProvider(self.system, issuer="https://ghes.acme.example/_services/token")
        with pytest.raises(Denied, match="another issuer"):
            await self.job(own, own.token())
        job = await verified(
            own.token(), named(self.system), own.keys, audience=AUDIENCE, issuer=own.issuer
        )
        assert job.issuer == own.issuer


class TestGitLab(CiSystemContract):
    system, identity = "gitlab", "project_id"

    async def test_a_forks_merge_request_in_the_project(self, provider: CiProvider) -> None:
        claims = provider.claims(project_id="23", job_project_id="22")
        with pytest.raises(Denied, match="fork"):
            await self.job(provider, provider.token(claims))


class TestCircleCI(CiSystemContract):
    system, identity = "circleci", "circleci_project-id"

    @pytest.mark.parametrize("said", [True, None, "false", 0])
    async def test_run_again_with_ssh(self, provider: CiProvider, said: Any) -> None:
        claims = provider.claims(**{"circleci_ssh-rerun": said})
        with pytest.raises(Denied, match="SSH"):
            await self.job(provider, provider.token(claims))

    async def test_the_audience_of_its_own_variable(self, provider: CiProvider) -> None:
        await self.job(provider, provider.token(provider.claims(aud=ORGANIZATION)))
        with pytest.raises(Denied, match="audience"):
            await self.job(provider, provider.token(provider.claims(aud=ORGANIZATION[:-1] + "2")))

    @pytest.mark.parametrize("behind", ["", "a/b", "../x", "?x=", "%2e"])
    async def test_an_organization_that_leads_elsewhere(
        self, provider: CiProvider, behind: str
    ) -> None:
        claims = provider.claims(iss=f"https://oidc.circleci.com/org/{behind}")
        with pytest.raises(Denied, match="another issuer"):
            await self.job(provider, provider.token(claims))


class TestBuildkite(CiSystemContract):
    system, identity = "buildkite", "pipeline_id"
