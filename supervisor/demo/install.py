"""An install of taskpass that lasts as long as the demo: its own home, supervisor and keys.

Nothing of the person's own install is read or written, and nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from supervisor import places
from supervisor.client import AsyncClient
from supervisor.demo.server import DeskApi
from supervisor.errors import TaskpassError, UsageError
from supervisor.paths import user_paths
from supervisor.protocol.wire import AddCredential

_PATIENCE = 20.0  # seconds for the supervisor to end
# Fixed, since a long TMPDIR would not leave room for a socket's path below it.
_BASE = "/tmp"  # noqa: S108 - mkdtemp makes a directory that is ours alone
# Without containment the standard preset asks once before the project's own code runs, and
# before a program is read that lies in an unusual place.
_PROJECT_TOOLS = """\
@id("demo/project-tools")
@description("the project's own tools, which the person has allowed for good")
permit (principal, action == Action::"run", resource) when { context.act == "project" };

@id("demo/python")
@description("the Python that the project's tools run on")
permit (principal, action == Action::"read", resource == Path::PYTHON);
"""
_PROGRAM = '#!/bin/sh\nexec {python} -I {program} {words}"$@"\n'
_DOTENV = "API_TOKEN=an-old-token-somebody-left-here\n"


@dataclass(frozen=True, slots=True)
class DemoInstall:
    """Where it is, and the agent's program."""

    root: Path
    api: DeskApi

    @property
    def project(self) -> Path:
        return self.root / "home" / "support-desk"

    @property
    def agent(self) -> str:
        return str(self.root / "home" / "bin" / "taskpass-demo-agent")


@contextmanager
def demo_install(approval_timeout: float) -> Iterator[DemoInstall]:
    """From here on this process, and what it starts, belongs to an install of its own.

    Raises:
        UsageError: this is inside a task.
    """
    if os.environ.get("TASKPASS_TASK"):
        raise UsageError("The demo starts tasks, and this terminal is inside one already.")
    root = Path(tempfile.mkdtemp(prefix="taskpass-demo-", dir=_BASE))
    before = dict(os.environ)
    install = DemoInstall(root, DeskApi())
    try:
        install.api.start()
        _enter(install, approval_timeout)
        asyncio.run(_lend(install.api))
        yield install
    finally:
        with contextlib.suppress(TaskpassError):
            asyncio.run(_end())
            _ended()
        os.environ.clear()
        os.environ.update(before)
        install.api.stop()
        shutil.rmtree(root, ignore_errors=True)


def _enter(install: DemoInstall, approval_timeout: float) -> None:
    home, run = install.root / "home", install.root / "run"
    run.mkdir(mode=0o700)
    install.project.mkdir(parents=True)
    for name in [*os.environ]:
        # The session's bus leads to the person's keyring.
        if name.startswith(("XDG_", "DBUS_")):
            del os.environ[name]
    os.environ |= {"HOME": str(home), "XDG_RUNTIME_DIR": str(run)}
    _programs(install)
    policy = user_paths().config / "policy"
    policy.mkdir()
    (policy / "demo.cedar").write_text(
        _PROJECT_TOOLS.replace("PYTHON", json.dumps(os.path.realpath(sys.executable)))
    )
    Path(places.setup_markers()[0]).touch()  # there is nothing of the person's to be lent
    roots = install.root / "roots.pem"
    roots.write_bytes(install.api.authority.pem())
    (user_paths().config / "config.toml").write_text(
        f'[approvals]\ntimeout = {approval_timeout}\n[network]\nextra_roots = "{roots}"\n'
    )


def _programs(install: DemoInstall) -> None:
    """The agent, and the tool it works with: both on the Python that runs us."""
    agent = Path(install.agent)
    agent.parent.mkdir()
    tool = install.project / "desk"
    address = f"https://{install.api.host} "
    for path, program, words in ((agent, "agent.py", ""), (tool, "desk.py", address)):
        # Beside its program: what a tool runs is the project's own.
        folder = path.parent
        shutil.copy(Path(__file__).with_name(program), folder)
        path.write_text(
            _PROGRAM.format(
                python=shlex.quote(os.path.realpath(sys.executable)),
                program=shlex.quote(str(folder / program)),
                words=words,
            )
        )
        path.chmod(0o700)
    (install.project / ".env").write_text(_DOTENV)


async def _lend(api: DeskApi) -> None:
    """Start the supervisor and give it the API's real token."""
    client = AsyncClient()
    await client.connect()
    try:
        await client.add_credential(
            AddCredential(
                name="desk", issuer="stored", hosts=(api.host,), env="API_TOKEN", secret=api.token
            )
        )
    finally:
        await client.close()


async def _end() -> None:
    """Everything is revoked, forgotten and stopped."""
    client = AsyncClient()
    await client.connect()
    await client.revoke_all()
    await client.remove_credential("desk")
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        with contextlib.suppress(TaskpassError):
            await client.stop()
            break
        await asyncio.sleep(0.05)  # a task that was revoked a moment ago is still being ended
    await client.close()


def _ended() -> None:
    """Wait until the supervisor has let go of its lock, which it does by ending."""
    deadline = time.monotonic() + _PATIENCE
    with open(user_paths().lock, "a") as lock:
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            time.sleep(0.02)
