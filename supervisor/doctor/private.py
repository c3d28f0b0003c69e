"""An install of taskpass that lasts as long as the doctor's drills: a home, supervisor and keys of
its own. Of the person's install nothing is written, and nothing of this one is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from supervisor.config import Config
from supervisor.errors import LedgerBroken, NotFound
from supervisor.ledger.reading import reading

MARK = "taskpass-drill-"  # how the files begin that must never be made
TOO_LONG = 124  # as of timeout(1)
HOST = "taskpass-drill.invalid"  # a host that must never be asked
# Fixed, since a long TMPDIR would not leave room for a socket's path below it.
_BASE = "/tmp"  # noqa: S108 - mkdtemp makes a directory that is ours alone
_POLICY = f"""\
@id("drill/file")
@description("This is a drill: it must not happen.")
@hint("Nothing has to be done.")
forbid (principal, action == Action::"write", resource)
when {{ context.name like "{MARK}*" }};

@id("drill/mcp")
@description("This is a drill: it must not happen.")
@hint("Nothing has to be done.")
forbid (principal, action == Action::"mcp", resource)
when {{ context.server == "drill" && context.tool == "mark" }};

@id("drill/host")
@description("This is a drill: it must not happen.")
@hint("Nothing has to be done.")
forbid (principal, action == Action::"http", resource)
when {{ context.host == "{HOST}" }};
"""
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TERM", "USER", "LOGNAME", "IS_SANDBOX")
_TASKPASS = (sys.executable, "-I", "-m", "supervisor.cli.main")


@dataclass(frozen=True, slots=True)
class Private:
    """The install, below one directory."""

    root: Path
    environ: Mapping[str, str]

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.home / "project"

    async def taskpass(
        self, *words: str, environ: Mapping[str, str] | None = None, patience: float = 120.0
    ) -> tuple[int, str]:
        """Run `taskpass WORDS` in the project: its exit code and all it printed, `TOO_LONG` when
        it had to be ended."""
        process = await asyncio.create_subprocess_exec(
            *_TASKPASS,
            *words,
            cwd=self.project,
            env={**self.environ, **(environ or {})},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(patience):
                printed, _ = await process.communicate()
            code = process.returncode or 0
        except TimeoutError:
            process.send_signal(signal.SIGTERM)  # it ends its task
            printed, _ = await process.communicate()
            code = TOO_LONG
        return code, printed.decode(errors="replace")

    def records(self) -> list[dict[str, Any]]:
        """What its ledger holds."""
        try:
            with reading(self.root / "state/taskpass/ledger.db") as ledger:
                return [row.record() for row in ledger.rows()]
        except (NotFound, LedgerBroken):
            return []


@contextmanager
def private_install(asked: Config, environ: Mapping[str, str]) -> Iterator[Private]:
    """Raises OSError: it cannot be made.

    Args:
        asked: the person's configuration, for how tasks are contained.
    """
    root = Path(tempfile.mkdtemp(prefix="taskpass-doctor-", dir=_BASE))
    install = Private(root, _environment(root, environ))
    try:
        _make(install, asked)
        yield install
    finally:
        with contextlib.suppress(OSError):
            asyncio.run(_end(install))
        shutil.rmtree(root, ignore_errors=True)


def _environment(root: Path, environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: environ[name] for name in _KEPT if name in environ}
    folders = {
        "XDG_CONFIG_HOME": "config",
        "XDG_STATE_HOME": "state",
        "XDG_CACHE_HOME": "cache",
        "XDG_RUNTIME_DIR": "run",
        "HOME": "home",
    }
    return kept | {name: str(root / folder) for name, folder in folders.items()}


def _make(install: Private, asked: Config) -> None:
    install.project.mkdir(parents=True)
    config = install.root / "config/taskpass"
    for folder in (config / "policy", install.root / "state/taskpass", install.root / "run"):
        folder.mkdir(parents=True, mode=0o700)
    (config / "policy/drill.cedar").write_text(_POLICY)
    containment = {"mode": asked.contain} | ({"tier": asked.tier} if asked.tier else {})
    (config / "config.toml").write_text(tomli_w.dumps({"containment": containment}))
    (install.root / "state/taskpass/setup").write_text("skip\n")  # there is nothing to be lent


async def _end(install: Private) -> None:
    if (install.root / "run/taskpass/supervisor.sock").exists():
        await install.taskpass("revoke", "--all", patience=20)
        await install.taskpass("stop", patience=20)
