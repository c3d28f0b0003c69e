"""A job of one CI system, with its provider played over TLS."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator

import pytest

from tests.support.ci_provider import CiServer
from tests.support.live import ApiServer, Install

SECRETS = {
    "GITHUB_TOKEN": "ghs_runner0token0vx82kq",
    "ACTIONS_RUNTIME_TOKEN": "runtime-token-9q2xk7vm",
    "CI_JOB_TOKEN": "glcbt-64_runner0job0token",
    "CI_REGISTRY_PASSWORD": "registry-password-77xq",
    "CIRCLE_OIDC_TOKEN": "circle-default-token-1x9q",
    "BUILDKITE_AGENT_ACCESS_TOKEN": "bkaj_agent0access0token",
}
MARKERS = {
    "github-actions": "GITHUB_ACTIONS",
    "gitlab": "GITLAB_CI",
    "circleci": "CIRCLECI",
    "buildkite": "BUILDKITE",
}


class CiJob:
    """A job: its variables, its summary, and its provider."""

    def __init__(self, install: Install, api: ApiServer, system: str) -> None:
        self.install = install
        self.server = CiServer(system, api.certificate_authority)
        self.summary = install.root / "summary.md"
        self.configure()
        install.environ |= {"CI": "true", MARKERS[system]: "true", **SECRETS}
        self._give_token(system)

    def configure(self, more: str = "") -> None:
        roots = self.install.root / "roots.pem"
        self.install.configure(
            f'[network]\nextra_roots = "{roots}"\n[ci]\nissuer = "{self.server.configured}"\n{more}'
        )
        self.install.cli("stop")  # the next supervisor has read it

    def _give_token(self, system: str) -> None:
        environ, server = self.install.environ, self.server
        if system == "github-actions":
            environ["ACTIONS_ID_TOKEN_REQUEST_URL"] = f"{server.url}/token?api-version=2.0"
            environ["ACTIONS_ID_TOKEN_REQUEST_TOKEN"] = server.bearer
            environ["GITHUB_STEP_SUMMARY"] = str(self.summary)
        elif system == "gitlab":
            environ["TASKPASS_ID_TOKEN"] = server.token()
        elif system == "circleci":
            environ["CIRCLE_OIDC_TOKEN_V2"] = server.token()
        else:
            self._agent(server.token())

    def _agent(self, token: str) -> None:
        """What `buildkite-agent` does here: print a token when asked for with these words."""
        program = self.install.root / "bin" / "buildkite-agent"
        program.parent.mkdir(exist_ok=True)
        program.write_text(
            "#!/bin/sh\n"
            'test "$*" = "oidc request-token --audience taskpass --claim organization_id'
            ' --claim pipeline_id" || exit 1\n'
            f"echo {token}\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.install.environ["PATH"] = f"{program.parent}:{self.install.environ['PATH']}"

    def changed(self, **claims: object) -> None:
        """Its token says something else."""
        self.server.changes = claims
        self._give_token(self.server.provider.system)


@pytest.fixture
def job(install: Install, api: ApiServer) -> Iterator[Callable[[str], CiJob]]:
    made: list[CiJob] = []

    def make(system: str) -> CiJob:
        made.append(CiJob(install, api, system))
        return made[-1]

    yield make
    for each in made:
        each.server.close()
