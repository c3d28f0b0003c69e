"""A task's runtime, where it is a job of a CI system: what its OIDC token vouches for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from supervisor.errors import Denied, IssuerFailed
from supervisor.model import Evidence, Runtime
from supervisor.protocol.wire import StartTask

if TYPE_CHECKING:
    from supervisor.oauth.http import Http


@dataclass(frozen=True, slots=True)
class CiJobs:
    """Verifies jobs.

    Attributes:
        audience: whom their tokens must be for.
        issuer: of the configuration, "" for each system's own.
        jobs: repositories whose jobs are taken, "SYSTEM:ID"; none named: all.
        http: makes connections to providers.
    """

    audience: str
    issuer: str
    jobs: tuple[str, ...]
    http: Callable[[], Http]

    async def vouched(self, request: StartTask, runtime: Runtime) -> Runtime:
        """The runtime with its evidence; as it is where no CI system is named.

        Raises:
            Denied: the token does not verify, or the job is not one that gets anything.
            IssuerFailed: the provider's keys cannot be had.
        """
        if not request.ci:
            return runtime
        # Of no use on a laptop, and PyJWT takes a while to load.
        from supervisor.ci.systems import named
        from supervisor.ci.verify import verified

        system = named(request.ci)
        if system.stranger(request.environ):
            raise Denied(
                "A job for a fork's pull request gets no credentials: it is a stranger's code.",
                hint="Run it in the repository's own branch.",
            )
        job = await verified(
            request.id_token, system, self._keys, audience=self.audience, issuer=self.issuer
        )
        name = f"{job.system}:{job.repository_id}"
        if self.jobs and name not in self.jobs:
            raise Denied(
                f"Jobs of {job.repository} ({name}) are not taken here.",
                hint="Add it to ci.jobs in config.toml.",
            )
        detail = "; ".join(filter(None, (runtime.detail, f"{system.title}: {job.repository}")))
        return replace(runtime, kind="ci", evidence=Evidence.OIDC, detail=detail, job=job)

    async def _keys(self, url: str) -> Mapping[str, Any]:
        http = self.http()
        try:
            answer = await http.get(url)
        finally:
            await http.close()
        if answer.status != 200:
            raise IssuerFailed(
                f"{answer.host} does not give its keys ({answer.status}), so this job cannot be "
                "verified.",
                hint="Try again later.",
            )
        return answer.body
