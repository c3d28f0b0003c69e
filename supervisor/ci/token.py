"""How a job comes by its OIDC token: each system has its own way."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlsplit

from supervisor.ci.systems import OWN_VARIABLE, System
from supervisor.errors import Denied

_PATIENCE = 15.0  # seconds
_LARGEST = 64 * 1024  # bytes of an answer


def job_token(
    system: System,
    environ: Mapping[str, str],
    audience: str,
    tls: Callable[[], ssl.SSLContext],
) -> str:
    """The token of this job, for `audience` where the system lets a job choose.

    Args:
        tls: what verifies GitHub's service.

    Raises:
        Denied: the job has none.
    """
    if own := environ.get(OWN_VARIABLE):
        return own
    if system.name == "github-actions":
        return _of_github(system, environ, audience, tls)
    if system.name == "circleci" and (given := environ.get("CIRCLE_OIDC_TOKEN_V2")):
        return given
    if system.name == "buildkite":
        return _of_buildkite(system, environ, audience)
    raise Denied(
        f"This {system.title} job has no OIDC token, so it has no identity.",
        hint=system.without,
    )


def _of_github(
    system: System,
    environ: Mapping[str, str],
    audience: str,
    tls: Callable[[], ssl.SSLContext],
) -> str:
    address = environ.get("ACTIONS_ID_TOKEN_REQUEST_URL", "")
    bearer = environ.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "")
    if urlsplit(address).scheme != "https" or not bearer:
        raise Denied(
            "This GitHub Actions job may not have an OIDC token, so it has no identity.",
            hint=system.without,
        )
    request = urllib.request.Request(  # noqa: S310 - https, as checked
        f"{address}&audience={quote(audience)}", headers={"Authorization": f"Bearer {bearer}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_PATIENCE, context=tls()) as answer:  # noqa: S310
            token = json.loads(answer.read(_LARGEST)).get("value")
    except (OSError, ValueError, AttributeError) as error:
        status = error.code if isinstance(error, urllib.error.HTTPError) else type(error).__name__
        raise Denied(
            f"GitHub gave this job no OIDC token ({status}), so it has no identity.",
            hint=system.without,
        ) from None
    if not isinstance(token, str) or not token:
        raise Denied("GitHub's answer holds no OIDC token, so this job has no identity.")
    return token


def _of_buildkite(system: System, environ: Mapping[str, str], audience: str) -> str:
    program = shutil.which("buildkite-agent", path=environ.get("PATH"))
    if program is None:
        raise Denied(
            "This Buildkite job has no OIDC token, so it has no identity.", hint=system.without
        )
    words = (
        program, "oidc", "request-token", "--audience", audience,
        "--claim", "organization_id", "--claim", "pipeline_id",
    )  # fmt: skip
    try:
        done = subprocess.run(
            words, env=dict(environ), capture_output=True, text=True, timeout=_PATIENCE, check=True
        )
    except (OSError, subprocess.SubprocessError):
        raise Denied(
            "buildkite-agent gave this job no OIDC token, so it has no identity.",
            hint="Does `buildkite-agent oidc request-token` work in a step of its own?",
        ) from None
    return done.stdout.strip()
