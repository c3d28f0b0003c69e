"""The supervisor as it is, with a clock: how long it judges calls and delivers credentials.

    python -m tests.bench.timed_daemon --times FILE [--ready-fd N]

Each call's `open_call`, and each request's `authorize_use` up to the moment that the credential is
handed to the channel, is a line `open SECONDS` or `use SECONDS` in FILE.
"""

from __future__ import annotations

import argparse
import functools
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from supervisor import daemon
from supervisor.core import Engine
from supervisor.protocol.handshake import _DAEMON_ENV
from tests.support.live import Install

_Method = Callable[..., Awaitable[Any]]


def start(install: Install, times: Path) -> subprocess.Popen[bytes]:
    """Start it as the install's supervisor, and wait until it serves."""
    ready, told = os.pipe()
    known = (*_DAEMON_ENV, "PYTHONPATH")
    command = (sys.executable, "-m", "tests.bench.timed_daemon", "--times", str(times))
    with open(install.paths.state / "daemon.log", "ab") as log:
        process = subprocess.Popen(
            [*command, "--ready-fd", str(told)],
            env={name: install.environ[name] for name in known if name in install.environ},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(told,),
            start_new_session=True,
        )
    os.close(told)
    with os.fdopen(ready) as words:
        if words.readline() != "ready\n":
            raise SystemExit("the supervisor did not start")
    return process


def _timed(name: str, plain: _Method, notes: int) -> _Method:
    @functools.wraps(plain)
    async def timed(*arguments: Any, **more: Any) -> Any:
        began = time.perf_counter()
        result = await plain(*arguments, **more)
        os.write(notes, f"{name} {time.perf_counter() - began}\n".encode())
        return result

    return timed


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", required=True)
    parser.add_argument("--ready-fd", default="-1")
    options = parser.parse_args()
    notes = os.open(options.times, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    Engine.open_call = _timed("open", Engine.open_call, notes)  # type: ignore[method-assign]
    Engine.authorize_use = _timed("use", Engine.authorize_use, notes)  # type: ignore[method-assign]
    return daemon.main(["--ready-fd", options.ready_fd])


if __name__ == "__main__":
    sys.exit(main())
