"""The templates of `taskpass exec --template`, as a runner of each system runs them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.ci_job import SECRETS, CiJob
from tests.support.ci_templates import Step, steps
from tests.support.live import TASKPASS, ApiServer, Install, wait_for

SYSTEMS = {
    "github": "github-actions",
    "gitlab": "gitlab",
    "circleci": "circleci",
    "buildkite": "buildkite",
}
_MORE = ("circleci", "buildkite")


class Runner:
    """Runs the scripts of a template, in a job of its system."""

    def __init__(self, job: CiJob, system: str) -> None:
        self.job, self.system, self.install = job, system, job.install
        self.own = self.install.root / "own"  # what the runner tells every job
        self.own.mkdir()
        self._put("taskpass", f'exec {shlex.join(TASKPASS)} "$@"')
        # It makes a token for whom the job says.
        asked = """run oidc get --claims {"aud": "taskpass"}"""
        self._put("circleci", f"test \"$*\" = '{asked}' || exit 1\necho {job.server.token()}")
        self.install.environ |= {
            "RUNNER_TEMP": str(self.own),
            "GITHUB_PATH": str(self.own / "path"),
            "CI_BUILDS_DIR": str(self.own),
            "BASH_ENV": str(self.own / "bash-env"),
        }
        (self.own / "bash-env").touch()

    def _put(self, name: str, script: str) -> None:
        program = self.install.root / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        folder = str(program.parent)
        if folder not in self.install.environ["PATH"]:
            self.install.environ["PATH"] = f"{folder}:{self.install.environ['PATH']}"

    def steps(self, **given: str) -> list[Step]:
        printed = self.install.cli("exec", "--template", self.system)
        assert printed.returncode == 0, printed.stderr
        return steps(self.system, printed.stdout, given)

    def start(self, step: Step) -> subprocess.Popen[str]:
        script = self.own / "script"
        script.write_text(step.script)
        return subprocess.Popen(
            [*step.shell, str(script)],
            cwd=self.install.project,
            env=self.install.environ | dict(step.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, **given: str) -> tuple[int, str]:
        """All of a job; the exit code of the first script that fails, and what was printed."""
        code, printed = 0, ""
        for step in self.steps(**given):
            if code == 0 or step.always:
                started = self.start(step)
                printed += started.communicate(timeout=60)[0]
                code = code or started.returncode
        return code, printed

    @property
    def summary(self) -> Path:
        return self.job.summary if self.system == "github" else self.install.project / "taskpass.md"


@pytest.fixture
def runner(job: Callable[[str], CiJob]) -> Callable[[str], Runner]:
    return lambda system: Runner(job(SYSTEMS[system]), system)


def lines(*words: str) -> str:
    return "\n".join(words) + "\n"


@pytest.mark.parametrize(
    "system", ["github", "gitlab", *(pytest.param(s, marks=pytest.mark.full) for s in _MORE)]
)
def test_a_job_runs_its_agent_with_its_identity_and_without_its_secrets(
    runner: Callable[[str], Runner], install: Install, api: ApiServer, system: str
) -> None:
    ran = runner(system)
    (install.project / "agent").write_text(
        f'#!/bin/sh\necho "told: $2"\nenv\n'
        f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}/one\nexit 7\n'
    )
    (install.project / "agent").chmod(0o755)
    told = "$(touch expanded) `id` 'quoted' \"$HOME\""
    code, printed = ran.run(command=lines("./agent", "-p", told), purpose="a test")
    assert code == 7, printed
    assert f"told: {told}" in printed  # a word is what it is, and no shell's
    assert not (install.project / "expanded").exists()
    assert '{"hello": "ana"}' in printed
    for secret in (*SECRETS.values(), ran.job.server.bearer, api.token):
        assert secret not in printed
    # Named, and never with what leads to a token.
    assert not _variables(printed, "ACTIONS_ID_TOKEN_REQUEST_", "TASKPASS_ID_TOKEN", "CIRCLE_OIDC")
    (started,) = install.records("task.started")
    assert (started["runtime_evidence"], started["purpose"]) == ("oidc", "a test")
    assert started["job"]["system"] == SYSTEMS[system]
    assert "acme/shop" in ran.summary.read_text()
    assert "The supervisor has ended" in printed


def _variables(printed: str, *beginnings: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith(beginnings)]


@pytest.mark.full
@pytest.mark.parametrize("system", SYSTEMS)
def test_a_token_for_somebody_else_runs_nothing(
    runner: Callable[[str], Runner], job: Callable[[str], CiJob], install: Install, system: str
) -> None:
    ran = runner(system)
    ran.job.changed(aud="sts.amazonaws.com")
    ran._put("circleci", f"echo {ran.job.server.token()}")
    code, printed = ran.run(command=lines("touch", "ran"))
    assert code == 3, printed
    assert "audience" in printed
    assert not (install.project / "ran").exists()


@pytest.mark.parametrize("system", ["github", pytest.param("gitlab", marks=pytest.mark.full)])
def test_a_cancelled_job_leaves_nothing_live(
    runner: Callable[[str], Runner], install: Install, api: ApiServer, system: str
) -> None:
    """GitHub signals the step's first process; GitLab the whole group."""
    ran = runner(system)
    use = f'curl -sS -H "Authorization: Bearer $API_TOKEN" https://{api.host}/stream'
    scripts = ran.steps(command=lines("sh", "-c", use))
    (agent,) = [step for step in scripts if "taskpass exec" in step.script]
    running = ran.start(agent)
    wait_for(lambda: install.records("use.intent"), "the use")
    if system == "github":
        os.kill(running.pid, signal.SIGINT)
    else:
        os.killpg(running.pid, signal.SIGTERM)
    running.communicate(timeout=30)
    for step in scripts:
        if step.always:
            ran.start(step).communicate(timeout=30)
    assert install.records("task.ended", "task.revoked")
    assert api.host not in install.cli("credential", "live").stdout


def test_an_environment_that_no_template_knows_is_refused(install: Install) -> None:
    done = install.cli("exec", "--template", "jenkins")
    assert done.returncode == 2
    assert "github" in done.stderr
