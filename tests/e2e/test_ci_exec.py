"""`taskpass exec` in a job of each CI system, with the system's provider played over TLS."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.support.ci_job import MARKERS, SECRETS, CiJob
from tests.support.live import ApiServer, Install, wait_for


def _get(api: ApiServer) -> str:
    return f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/one'


@pytest.mark.parametrize("system", MARKERS)
def test_the_job_has_its_identity_and_the_agent_none_of_its_secrets(
    job: Callable[[str], CiJob], install: Install, api: ApiServer, system: str
) -> None:
    ran = job(system)
    words = ("sh", "-c", f"env; {_get(api)}; exit 7")
    done = install.cli("exec", "--purpose", "read", "--", *words)
    assert done.returncode == 7, done
    assert '{"hello": "ana"}' in done.stdout
    token = ran.server.token().partition(".")[0]
    for secret in (*SECRETS.values(), ran.server.bearer, token, "ID_TOKEN"):
        assert secret not in done.stdout + done.stderr
    (started,) = install.records("task.started")
    assert (started["runtime"], started["runtime_evidence"]) == ("ci", "oidc")
    assert started["job"]["system"] == system
    assert "acme/shop" in started["job"]["repository"]
    (use,) = install.records("use.intent")
    assert use["job"]["repository_id"] == started["job"]["repository_id"]


def test_a_job_with_an_altered_token_runs_nothing(
    job: Callable[[str], CiJob], install: Install
) -> None:
    job("github-actions").changed(aud="sts.amazonaws.com")
    done = install.cli("exec", "--", "touch", "ran")
    assert done.returncode == 3, done
    assert "audience" in done.stderr
    assert not (install.project / "ran").exists()
    assert not install.records("task.started")


def test_a_job_without_a_token_is_told_how_to_get_one(
    job: Callable[[str], CiJob], install: Install
) -> None:
    job("github-actions")
    del install.environ["ACTIONS_ID_TOKEN_REQUEST_URL"]
    done = install.cli("exec", "--", "true")
    assert done.returncode == 3
    assert "id-token: write" in done.stderr


def test_a_forks_pull_request_gets_nothing(job: Callable[[str], CiJob], install: Install) -> None:
    job("buildkite")
    install.environ["BUILDKITE_REPO"] = "git@github.com:acme/shop.git"
    install.environ["BUILDKITE_PULL_REQUEST_REPO"] = "git://github.com/eve/shop.git"
    done = install.cli("exec", "--", "true")
    assert done.returncode == 3
    assert "fork" in done.stderr


def test_only_jobs_of_listed_repositories(job: Callable[[str], CiJob], install: Install) -> None:
    job("gitlab").configure('jobs = ["gitlab:23"]\n')
    done = install.cli("exec", "--", "true")
    assert done.returncode == 3
    assert "gitlab:22" in done.stderr


def test_what_asks_is_denied_at_once_and_told_in_the_summary(
    job: Callable[[str], CiJob], install: Install, api: ApiServer
) -> None:
    ran = job("github-actions")
    post = _get(api).replace("curl", "curl -X POST -d x=1")
    done = install.cli("exec", "--", "sh", "-c", post, timeout=60)
    assert "unattended" in done.stdout, done
    assert not [line for line, _, _ in api.seen if line.startswith("POST")]
    (answered,) = install.records("approval.answered")
    assert answered["answer"] == "denied"
    summary = ran.summary.read_text()
    assert "## Refused" in summary
    assert "acme/shop" in summary


def test_a_secret_of_the_runner_that_is_printed_is_covered(
    job: Callable[[str], CiJob], install: Install
) -> None:
    job("github-actions")
    secret = SECRETS["GITHUB_TOKEN"]
    (install.project / "leak").write_text(f"before {secret} after\n")
    done = install.cli("exec", "--", "sh", "-c", "cat leak; cat leak >&2; printf no-end")
    assert secret not in done.stdout + done.stderr
    assert "before " in done.stdout
    assert " after" in done.stderr
    assert done.stdout.endswith("no-end")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_cancelled_job_leaves_no_live_lease(
    job: Callable[[str], CiJob], install: Install, api: ApiServer, number: int
) -> None:
    job("github-actions")
    running = install.popen("exec", "--", "sh", "-c", f"{_get(api)}; sleep 600")
    wait_for(lambda: install.records("use.delivered", "use.intent"), "the use")
    os.kill(running.pid, number)
    running.communicate(timeout=30)
    wait_for(lambda: install.records("task.ended", "task.revoked"), "the end of the task")
    (closed,) = install.records("call.settled", "task.revoked")[:1]
    assert closed["task"]
    assert api.host not in install.cli("credential", "live").stdout


def test_a_summary_that_cannot_be_written_fails_nothing(
    job: Callable[[str], CiJob], install: Install
) -> None:
    job("github-actions")
    install.environ["GITHUB_STEP_SUMMARY"] = str(install.root / "none" / "summary.md")
    done = install.cli("exec", "--", "true")
    assert done.returncode == 0
    assert "no summary" in done.stderr
