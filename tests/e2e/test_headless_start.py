"""`taskpass run --headless`, as scripts start it."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.live import TASKPASS, Install


@pytest.mark.parametrize("options", [(), ("--contain", "standard")])
def test_a_variable_that_is_no_text_does_not_keep_a_task_from_starting(
    install: Install, options: tuple[str, ...]
) -> None:
    environ = {os.fsencode(name): os.fsencode(value) for name, value in install.environ.items()}
    done = subprocess.run(
        [*TASKPASS, "run", "--headless", *options, "--", "sh", "-c", "echo $PLAIN; exit 7"],
        cwd=install.project,
        env=environ | {b"BROKEN": b"\xff", b"PLAIN": "grün \U0001f600 \"'\\".encode()},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stdout.decode().strip() == "grün \U0001f600 \"'\\"
