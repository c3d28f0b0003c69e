"""The same tasks on a laptop, in a container, and as a job of CI.

Each is a place that is made here, so that it is the same on any machine: a laptop's root has no
marker of a container, that of a container has one, its own processes, and no user namespaces.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.bwrap import find_bwrap
from tests.support.live import Install

_MARKER = "/.dockerenv"


@dataclass(frozen=True, slots=True)
class Place:
    """Where tasks run.

    Attributes:
        kind, evidence, tier: as the daemon there is to find them (`model.Runtime`).
        prefix: what a command is started by to run there.
        verb: how a task is started there: `run --headless` or `exec`.
        environ: variables on top of the install's.
    """

    kind: str
    evidence: str
    tier: str
    prefix: tuple[str, ...] = ()
    verb: tuple[str, ...] = ("exec",)
    environ: Mapping[str, str] = field(default_factory=dict)


def _root(*options: str) -> tuple[str, ...]:
    """This machine's root, without what marks it as a container's."""
    words = [find_bwrap()]
    for name in sorted(os.listdir("/")):
        path = f"/{name}"
        if path == _MARKER:
            continue
        if os.path.islink(path):
            words += ["--symlink", os.readlink(path), path]
        else:
            words += ["--dev-bind", path, path]
    return (*words, *options, "--")


def laptop() -> Place:
    return Place("laptop", "os", "A", prefix=_root(), verb=("run", "--headless"))


def container() -> Place:
    """As a container's root: no way to user namespaces, so that its tasks are held by tier B."""
    alone = ("--unshare-user", "--disable-userns", "--unshare-pid", "--proc", "/proc")
    return Place("container", "os", "B", prefix=_root(*alone, "--ro-bind", "/dev/null", _MARKER))


def ci(environ: Mapping[str, str]) -> Place:
    """A job, whose variables those are."""
    return Place("ci", "oidc", "A", environ=environ)


@dataclass(frozen=True, slots=True)
class Run:
    """One task: its purpose, its program with arguments, and what it is told line by line."""

    purpose: str
    argv: tuple[str, ...]
    lines: tuple[str, ...] = ()
    profile: str = ""  # where nothing tells it by its program

    def words(self, verb: tuple[str, ...]) -> list[str]:
        named = ("--profile", self.profile) if self.profile else ()
        return [*verb, "--purpose", self.purpose, *named, "--", *self.argv]


def run_there(place: Place, install: Install, runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Run these tasks side by side in a place, to their end; what the history then holds."""
    plan = {"runs": [{"words": run.words(place.verb), "lines": run.lines} for run in runs]}
    done = subprocess.run(
        [*place.prefix, sys.executable, "-m", "tests.support.runtime_inside"],
        input=json.dumps(plan),
        cwd=install.project,
        env=install.environ | place.environ,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    print(done.stderr)  # shown when the test fails
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()]
