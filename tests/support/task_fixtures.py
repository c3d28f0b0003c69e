"""Fixtures to run tasks under every account there is: `drive` is what tests use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.accounts import Account, Drive, this_account, unprivileged_account
from tests.support.bwrap import find_bwrap

_SUPPORT = Path(__file__).parent
_ACCOUNTS = ["me", "unprivileged"] if os.geteuid() == 0 else ["me"]


@pytest.fixture(scope="session")
def bwrap() -> str:
    return find_bwrap()


@pytest.fixture(scope="session")
def _unprivileged() -> Iterator[Account]:
    yield from unprivileged_account()


@pytest.fixture(params=_ACCOUNTS)
def account(request: pytest.FixtureRequest) -> Account:
    """This account, and where it is root's an unprivileged one as well."""
    if request.param == "me":
        return this_account()
    found: Account = request.getfixturevalue("_unprivileged")
    return found


@pytest.fixture(scope="session")
def _scripts() -> Iterator[Path]:
    """The driver where every account can read it."""
    with tempfile.TemporaryDirectory(prefix="taskpass-scripts-") as directory:
        support = Path(directory, "tests/support")
        shutil.copytree(_SUPPORT / "task_driver", support / "task_driver")
        for package in (support, support.parent):
            (package / "__init__.py").touch()
        shutil.copy(_SUPPORT / "attacks_inside.py", support)
        subprocess.run(["chmod", "-R", "a+rX", directory], check=True)
        yield Path(directory)


@pytest.fixture
def drive(account: Account, bwrap: str, _scripts: Path) -> Iterator[Drive]:
    """Run a scenario of `task_driver` as the account; returns what it prints."""
    with tempfile.TemporaryDirectory(prefix="taskpass-drive-") as temporary:
        os.chmod(temporary, 0o777)

        def run(scenario: str, **settings: Any) -> dict[str, Any]:
            prefix = str(Path(account.prefix).resolve())
            python = str(Path(account.python).resolve())
            settings = {"bwrap": bwrap, "mounts": [prefix], "python": python} | settings
            start = (
                f"import runpy, sys; sys.path.insert(0, {str(_scripts)!r}); "
                "runpy.run_module('tests.support.task_driver', run_name='__main__')"
            )
            done = subprocess.run(
                [account.python, "-I", "-c", start, scenario, json.dumps(settings)],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                cwd="/",
                **account.become(),
                env={"PATH": os.environ["PATH"], "HOME": str(account.home), "TMPDIR": temporary},
            )
            assert done.returncode == 0, done.stderr
            result: dict[str, Any] = json.loads(done.stdout)
            return result

        yield run
