"""The four systems: how each is known, where its token is, and what its claims mean. Pure.

Sources: docs.github.com "OpenID Connect reference"; docs.gitlab.com "ID tokens"; circleci.com
"OpenID Connect tokens in jobs"; buildkite.com "buildkite-agent oidc".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor.errors import Denied
from supervisor.model import Job

Claims = Mapping[str, Any]
Environ = Mapping[str, str]
AUDIENCE = "taskpass"
OWN_VARIABLE = "TASKPASS_ID_TOKEN"  # where a job puts a token that it asked for by itself


@dataclass(frozen=True, slots=True)
class System:
    """One system.

    Attributes:
        marker: variable that its jobs have, "true".
        issuer: whose tokens are taken, unless the configuration names another.
        keys: where the provider's keys are, below the issuer.
        job: what the claims say. Raises Denied: a job that gets nothing, or claims that lack
            what identifies it.
        stranger: whether a job was started for somebody else's copy of the repository, as far as
            the job's own variables tell.
        secrets: variables of the runner's that no agent gets, shell-style.
        without: what to do where a job has no token.
        by_organization: the issuer has the organization's id behind it, and so has each its own;
            the token that a job is given is for the organization.
    """

    name: str
    title: str
    marker: str
    issuer: str
    keys: str
    job: Callable[[Claims], Job]
    stranger: Callable[[Environ], bool]
    secrets: tuple[str, ...]
    without: str
    by_organization: bool = False


def text(claims: Claims, name: str) -> str:
    """A claim that identifies the job. Raises Denied: it is missing, or no text or number."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value):
        raise Denied(
            f"The job's token has no {name}, which tells jobs apart.",
            hint="Ask the CI system for a token with it; see the documentation of taskpass exec.",
        )
    said = str(value)
    if not said.isprintable() or len(said) > _LONGEST:
        raise Denied(f"The job's token has a {name} that cannot be.")
    return said


_LONGEST = 500  # characters of a claim


def _github(claims: Claims) -> Job:
    if claims.get("event_name") == "pull_request_target":
        # It runs for what a stranger proposes, with the rights of the repository itself.
        raise Denied(
            "A job for pull_request_target gets no credentials: it works on a stranger's code.",
            hint="Run on pull_request, push or workflow_dispatch instead.",
        )
    return Job(
        system="github-actions",
        issuer=text(claims, "iss"),
        repository_id=text(claims, "repository_id"),
        repository=text(claims, "repository"),
        ref=text(claims, "ref"),
        run=f"{text(claims, 'run_id')}/{text(claims, 'run_attempt')}",
        runner=text(claims, "runner_environment"),
        protected=claims.get("ref_protected") == "true",
    )


def _gitlab(claims: Claims) -> Job:
    project = text(claims, "project_id")
    # Of a fork's merge request that runs in the target project, project_id is the fork's, and
    # this, in newer versions, the target's.
    if claims.get("job_project_id", project) != claims["project_id"]:
        raise Denied(
            "A pipeline for a fork's merge request gets no credentials.",
            hint="Run it in the project's own branch.",
        )
    return Job(
        system="gitlab",
        issuer=text(claims, "iss"),
        repository_id=project,
        repository=text(claims, "project_path"),
        ref=f"{text(claims, 'ref_type')}/{text(claims, 'ref')}",
        run=f"{text(claims, 'pipeline_id')}/{text(claims, 'job_id')}",
        runner=str(claims.get("runner_environment", "")),
        protected=claims.get("ref_protected") == "true",
    )


def _circleci(claims: Claims) -> Job:
    if claims.get("oidc.circleci.com/ssh-rerun") is not False:
        raise Denied(
            "A job that was run again with SSH gets no credentials: somebody can be in it.",
            hint="Run it again without SSH.",
        )
    project = text(claims, "oidc.circleci.com/project-id")
    return Job(
        system="circleci",
        issuer=text(claims, "iss"),
        repository_id=project,
        repository=str(claims.get("oidc.circleci.com/vcs-origin", project))[:_LONGEST],
        ref=str(claims.get("oidc.circleci.com/vcs-ref", ""))[:_LONGEST],
        run="",  # not in the token
    )


def _buildkite(claims: Claims) -> Job:
    return Job(
        system="buildkite",
        issuer=text(claims, "iss"),
        # Both are in the token when asked for: --claim organization_id --claim pipeline_id.
        repository_id=f"{text(claims, 'organization_id')}/{text(claims, 'pipeline_id')}",
        repository=f"{text(claims, 'organization_slug')}/{text(claims, 'pipeline_slug')}",
        ref=text(claims, "build_branch"),
        run=f"{text(claims, 'build_number')}/{text(claims, 'job_id')}",
        runner=str(claims.get("runner_environment", "")),
    )


def _differ(environ: Environ, theirs: str, ours: str) -> bool:
    return bool(environ.get(theirs)) and environ[theirs] != environ.get(ours)


SYSTEMS = (
    System(
        name="github-actions",
        title="GitHub Actions",
        marker="GITHUB_ACTIONS",
        issuer="https://token.actions.githubusercontent.com",
        keys="/.well-known/jwks",
        job=_github,
        stranger=lambda environ: False,  # a fork's pull request gets no token to begin with
        secrets=("ACTIONS_*", "GITHUB_TOKEN", "GH_TOKEN", "INPUT_*"),
        without="Give the job `permissions: id-token: write`.",
    ),
    System(
        name="gitlab",
        title="GitLab CI",
        marker="GITLAB_CI",
        issuer="https://gitlab.com",
        keys="/oauth/discovery/keys",
        job=_gitlab,
        stranger=lambda environ: _differ(
            environ, "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "CI_MERGE_REQUEST_PROJECT_ID"
        ),
        secrets=(
            "CI_JOB_TOKEN", "CI_JOB_JWT*", "CI_REGISTRY_PASSWORD", "CI_DEPLOY_PASSWORD",
            "CI_DEPENDENCY_PROXY_PASSWORD", "CI_REPOSITORY_URL", "CI_RUNNER_SHORT_TOKEN",
        ),
        without=f"Give the job `id_tokens: {OWN_VARIABLE}: aud: {AUDIENCE}`.",
    ),
    System(
        name="circleci",
        title="CircleCI",
        marker="CIRCLECI",
        issuer="https://oidc.circleci.com/org",
        keys="/.well-known/jwks-pub.json",
        job=_circleci,
        stranger=lambda environ: bool(environ.get("CIRCLE_PR_REPONAME")),  # set for forks alone
        secrets=("CIRCLE_OIDC_TOKEN*", "CIRCLE_TOKEN"),
        without="Jobs of forks get none, unless the project passes secrets to them.",
        by_organization=True,
    ),
    System(
        name="buildkite",
        title="Buildkite",
        marker="BUILDKITE",
        issuer="https://agent.buildkite.com",
        keys="/.well-known/jwks",
        job=_buildkite,
        stranger=lambda environ: _differ(environ, "BUILDKITE_PULL_REQUEST_REPO", "BUILDKITE_REPO"),
        secrets=("BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_AGENT_TOKEN", "BUILDKITE_*TOKEN*"),
        without="Is buildkite-agent on PATH?",
    ),
)  # fmt: skip


def here(environ: Environ) -> System | None:
    """The system whose job this is; None outside of the four."""
    return next((each for each in SYSTEMS if environ.get(each.marker) == "true"), None)


def named(name: str) -> System:
    """Raises Denied: there is no such system."""
    for each in SYSTEMS:
        if each.name == name:
            return each
    raise Denied(f"There is no CI system {name!r}.")
