"""An unprivileged account with the project installed, and taskpass run by it: what attackers use.

Where we are root, the account is made for the tests; else it is this one.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import Account, this_account, whole_install
from tests.support.bwrap import find_bwrap


@dataclass
class Somebody:
    """One install of the account's, whose tasks have `tier`."""

    account: Account
    tier: str
    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.home / "project"

    def configure(self, text: str = "") -> None:
        """Write the configuration; a supervisor that runs is started anew."""
        config = self.home / ".config" / "taskpass"
        self.own("mkdir", "-p", str(config))
        (config / "config.toml").write_text(f'[containment]\ntier = "{self.tier}"\n{text}')
        self.taskpass("stop")

    def own(self, *argv: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program as the account, outside any task."""
        return subprocess.run(
            argv,
            cwd=self.project,
            env=self.environ,
            **self.account.become(),
            **{"capture_output": True, "text": True, "timeout": 60, "check": False} | options,
        )

    def taskpass(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.own(self.account.python, "-m", "supervisor.cli.main", *words)

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[bytes]:
        """`taskpass WORDS`, without waiting for it."""
        return subprocess.Popen(
            [self.account.python, "-m", "supervisor.cli.main", *words],
            cwd=self.project,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            **self.account.become(),
            **options,
        )

    def inside(self, script: str, *words: str) -> str:
        """What a script of bash prints in a task; the task has this tier, or the test fails."""
        contain = ("--contain", "off") if self.tier == "uncontained" else ()
        done = self.taskpass("run", "--headless", *contain, *words, "--", "bash", "-c", script)
        started = self.records("task.started")
        assert started, done.stderr
        assert started[-1]["tier"] == self.tier, started[-1]
        return done.stdout + done.stderr

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        """What the ledger holds."""
        done = self.taskpass("history", "--json", "-n", "5000")
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return [record for record in found if not kinds or record["kind"] in kinds]

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        """A file of the account's below its home."""
        path = self.home / name
        self.own("mkdir", "-p", str(path.parent))
        path.write_text(text)
        os.chown(path, self.account.uid, -1)
        path.chmod(mode)
        return path


@contextlib.contextmanager
def settled(account: Account, tier: str) -> Iterator[Somebody]:
    """An install of the account's, gone afterwards with all its processes."""
    root = Path(tempfile.mkdtemp(prefix="tp-"))
    try:
        for path in (root, root / "home", root / "home/project", root / "run"):
            path.mkdir(exist_ok=True)
            path.chmod(0o700)
            os.chown(path, account.uid, -1)
        somebody = Somebody(
            account,
            tier,
            root,
            {
                "HOME": str(root / "home"),
                "XDG_RUNTIME_DIR": str(root / "run"),
                "PATH": f"{Path(find_bwrap()).parent}:/usr/local/bin:/usr/bin:/bin",
                "LANG": "C.UTF-8",
                "TERM": "xterm-256color",
            },
        )
        if account.prefix == this_account().prefix and account.uid == os.geteuid():
            somebody.environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        somebody.configure()
        state = ".local/state/taskpass"
        somebody.own("mkdir", "-p", "-m", "700", str(somebody.home / state))
        somebody.write(f"{state}/setup", "skip\n", 0o600)  # the first run's question is answered
        yield somebody
        somebody.taskpass("revoke", "--all")
        somebody.taskpass("stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def unprivileged() -> Iterator[Account]:
    """An account that is not root's, with the project installed."""
    if os.geteuid():
        yield this_account()
        return
    with whole_install() as account:
        yield account


@pytest.fixture(scope="module", params=["A", "B"])
def contained(request: pytest.FixtureRequest, unprivileged: Account) -> Iterator[Somebody]:
    """Somebody whose tasks are contained, in each way there is."""
    with settled(unprivileged, request.param) as somebody:
        yield somebody


@pytest.fixture(scope="module")
def uncontained(unprivileged: Account) -> Iterator[Somebody]:
    """Somebody whose tasks nothing contains: what succeeds here is a real attack."""
    with settled(unprivileged, "uncontained") as somebody:
        yield somebody
