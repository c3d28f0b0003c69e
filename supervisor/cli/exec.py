"""`taskpass exec -- AGENT …`: one task of a CI job, where nobody sits at a screen."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial

from supervisor import places

TEMPLATES = ("github", "gitlab", "circleci", "buildkite")  # of `supervisor/ci/templates`
_LEFT_OVER = 5.0  # seconds that output of a task that has ended may still take


def parser(command: str) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="taskpass exec",
        description="Run an agent, or any program, as a task of a CI job. The job's identity is "
        "its system's OIDC token (GitHub Actions, GitLab, CircleCI, Buildkite); what asks is "
        "denied unless a screen is there to answer. The exit code is the program's; 3: the job has "
        "no identity, or may not run here.",
    )
    made.add_argument("--purpose", default="", help="what the task is for, in your words")
    made.add_argument("--profile", default="", help="treat it as this agent (else recognised)")
    made.add_argument("--preset", default="", help="policy: standard or strict")
    made.add_argument(
        "--contain", choices=("strict", "standard", "off"), default="", help="as for `run`"
    )
    made.add_argument(
        "--summary",
        default=os.environ.get("GITHUB_STEP_SUMMARY", ""),
        metavar="FILE",
        help="add what was done, as Markdown (default: GitHub's summary of the step)",
    )
    made.add_argument(
        "--template",
        choices=TEMPLATES,
        default="",
        help="print what a job of this system looks like, to keep in the repository",
    )
    made.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- AGENT …")
    return made


def main(command: str, words: list[str]) -> int:
    options = parser(command).parse_args(words)
    if options.template:
        from importlib.resources import files

        template = files("supervisor.ci").joinpath(f"templates/{options.template}.yml")
        print(template.read_text("utf-8"), end="")
        return 0
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    from supervisor.channels.http.dial import upstream_context
    from supervisor.ci.secrets import without_secrets, worth_hiding
    from supervisor.ci.systems import here
    from supervisor.ci.token import job_token
    from supervisor.cli.headless import run_headless
    from supervisor.config import load_user_config
    from supervisor.errors import UsageError
    from supervisor.paths import user_paths

    argv = options.argv[1:] if options.argv[:1] == ["--"] else options.argv
    if not argv:
        raise UsageError("There is no program to run.", hint="Say `taskpass exec -- claude -p …`.")
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError("This is inside a task already; a task does not start another one.")
    environ = places.environment()
    system = here(environ)
    config = load_user_config(user_paths().config / "config.toml")
    token = ""
    if system:
        tls = partial(upstream_context, config.extra_roots or None)
        token = job_token(system, environ, config.ci_audience, tls)
    plain, taken = without_secrets(environ, system)
    request: dict[str, object] = {
        "argv": argv,
        "cwd": os.getcwd(),
        "environ": plain,
        "umask": places.umask(),
        "interactive": False,
        "unattended": True,
        "purpose": options.purpose,
        "profile": options.profile,
        "preset": options.preset,
        "contain": options.contain,
        "ci": system.name if system else "",
        "id_token": token,
    }
    begun: list[str] = []
    try:
        with _masked(worth_hiding(taken | {"token": token})):
            return run_headless(request, begun.append)
    finally:
        if options.summary and begun:
            _summarise(options.summary, begun[0])


@contextlib.contextmanager
def _masked(secrets: dict[str, str]) -> Iterator[None]:
    """What this process and the task write goes out with the job's secrets covered."""
    outlets = [_Outlet(descriptor, secrets) for descriptor in (1, 2)]
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for outlet in outlets:
            outlet.close()


class _Outlet:
    """Stands in for one of our descriptors until it is closed."""

    def __init__(self, descriptor: int, secrets: dict[str, str]) -> None:
        from supervisor.ci.secrets import Mask

        self._descriptor = descriptor
        self._real = os.dup(descriptor)
        self._source, target = os.pipe()
        os.dup2(target, descriptor)
        os.close(target)
        self._mask = Mask(secrets)
        self._copying = threading.Thread(target=self._copy, daemon=True)
        self._copying.start()

    def _copy(self) -> None:
        while data := os.read(self._source, 65536):
            self._put(self._mask.feed(data))
        self._put(self._mask.rest())

    def _put(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads us any more; the task goes on
            while data:
                data = data[os.write(self._real, data) :]

    def close(self) -> None:
        os.dup2(self._real, self._descriptor)  # ours was the last end to write to, but for …
        self._copying.join(_LEFT_OVER)  # … what the task left running, which is being ended
        os.close(self._real)


def _summarise(target: str, task: str) -> None:
    """Add what was done, from the history. A summary that fails is told, and fails nothing else."""
    from supervisor.cli.session import with_client
    from supervisor.client import AsyncClient
    from supervisor.errors import TaskpassError

    async def report(client: AsyncClient) -> bytes:
        return b"".join([part async for part in client.export(f"task:{task}", "md")])

    try:
        with open(target, "ab") as file:
            file.write(with_client(report))
    except (TaskpassError, OSError) as error:
        print(f"taskpass: no summary was written: {error}", file=sys.stderr)
