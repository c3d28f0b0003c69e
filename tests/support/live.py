"""A private install of taskpass: its own home, directories, supervisor, and an API to call.

Everything runs for real, through the command line and the client a person's screen uses.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trustme

from supervisor.cli import exchange
from supervisor.client import AsyncClient
from supervisor.errors import TaskpassError
from supervisor.model import ApprovalRequest
from supervisor.paths import Paths, user_paths
from supervisor.protocol import wire
from tests.support.bwrap import find_bwrap

TASKPASS = [sys.executable, "-m", "supervisor.cli.main"]
PATIENCE = 30.0  # seconds to wait for what has to happen
_T = TypeVar("_T")


@dataclass
class ApiServer:
    """A TLS API that accepts one bearer token, and writes down every request it saw."""

    token: str
    port: int = 0
    seen: list[tuple[str, str, str]] = field(default_factory=list)  # (method+path, auth, verdict)
    accepts: Callable[[str], bool] | None = None  # by the authorization header; else the token's
    certificate_authority: trustme.CA = field(default_factory=trustme.CA)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None

    @property
    def host(self) -> str:
        return f"localhost:{self.port}"

    def start(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.certificate_authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        if self._thread:
            self._thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                fields = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                values = dict(line.split(": ", 1) for line in head[1:] if line)
                length = int(fields.get("content-length", "0"))
                await reader.readexactly(length)
                sent = next((v for k, v in values.items() if k.lower() == "authorization"), "")
                known = self.accepts(sent) if self.accepts else sent == f"Bearer {self.token}"
                line = " ".join(head[0].split(" ")[:2])
                self.seen.append((line, sent, "ok" if known else "401"))
                if known and line.startswith("GET /stream"):
                    await self._stream(writer)
                    return
                status = "200 OK" if known else "401 Unauthorized"
                body = json.dumps({"hello": "ana"} if known else {"error": "who are you?"}).encode()
                writer.write(
                    f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body
                )
                await writer.drain()
        writer.close()

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"data: tick\n\n")
            await writer.drain()
            await asyncio.sleep(0.02)

    @property
    def accepted(self) -> list[str]:
        return [line for line, _, verdict in self.seen if verdict == "ok"]


@dataclass
class Install:
    """One install below a temporary directory. Environment variables point to it.

    `settings`: tables that stand in config.toml whatever else a test has in it.
    """

    root: Path
    environ: dict[str, str]
    settings: str = ""

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def project(self) -> Path:
        return self.home / "project"

    @property
    def paths(self) -> Paths:
        return user_paths()

    def allow_programs(self, *names: str) -> None:
        """The person has allowed these for good: programs of the tests, which nobody knows."""
        folder = self.paths.config / "policy"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "tests.cedar").write_text(
            '@id("tests/own-programs")\npermit (principal, action == Action::"run", resource)\n'
            f"when {{ {json.dumps(names)}.contains(context.program) }};\n"
        )

    def set_up(self) -> None:
        """The person has answered the first run's question."""
        (self.paths.state / "setup").write_text("skip\n")

    def configure(self, text: str) -> None:
        self.paths.config.joinpath("config.toml").write_text(text + self.settings)

    def cli(
        self, *words: str, stdin: str = "", timeout: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """`taskpass WORDS` in the project, without a terminal."""
        return subprocess.run(
            [*TASKPASS, *words],
            cwd=self.project,
            env=self.environ,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def popen(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*TASKPASS, *words],
            cwd=self.project,
            env=self.environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **options,
        )

    def daemon_pid(self) -> int:
        """Pid of the running supervisor, 0 for none: who holds the lock of a single instance.

        It is not dumpable, so that only root could find it by its environment.
        """
        try:
            inode = (self.root / "run/taskpass/supervisor.lock").stat().st_ino
        except FileNotFoundError:
            return 0
        for line in Path("/proc/locks").read_text().splitlines():
            words = line.split()  # "1: FLOCK ADVISORY WRITE pid device:inode 0 EOF"
            if words[1] == "FLOCK" and int(words[5].rpartition(":")[2]) == inode:
                return int(words[4])
        return 0

    def records(self, *kinds: str) -> list[dict[str, Any]]:
        """What the ledger holds, read by the command line."""
        done = self.cli("history", "--json", "-n", "5000")
        assert done.returncode == 0, done.stderr
        found = [json.loads(line) for line in done.stdout.splitlines()]
        return [record for record in found if not kinds or record["kind"] in kinds]

    @property
    def log(self) -> Path:
        return self.paths.state / "daemon.log"

    def stop(self) -> None:
        if not self.log.exists():
            return  # no supervisor ever ran
        self._end_tasks()
        pid = self.daemon_pid()
        if pid:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
            wait_for(lambda: ended(pid), "the supervisor to end")

    def _end_tasks(self) -> None:
        """As `taskpass revoke --all`, which starts a supervisor even where there is no task."""
        supervisor = exchange.connect(str(self.paths.socket))
        if supervisor is not None:
            supervisor.settimeout(PATIENCE)
            with suppress(exchange.Answered, OSError, ValueError):
                exchange.send(supervisor, "POST", "/v1/revoke")
                exchange.receive(supervisor)
            supervisor.close()
        elif list((self.paths.runtime / "tasks").glob("*")):
            self.cli("revoke", "--all")


def ended(pid: int) -> bool:
    """Whether a process is over; whoever inherited it may take a second to collect it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return True
    return stat.rpartition(b")")[2].split()[0] == b"Z"


def wait_for(condition: Callable[[], _T], what: str, patience: float = PATIENCE) -> _T:
    """Poll until `condition()` is true; its value."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {patience} s for {what}"
        time.sleep(0.02)


async def until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """`wait_for` without blocking the loop."""
    deadline = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what}"
        await asyncio.sleep(0.02)
    return value


class Person:
    """Somebody at a paired screen of their own, in a process of their own with a terminal.

    `answers` maps the beginning of a request's title to what the person does with it.
    """

    def __init__(self, install: Install) -> None:
        self._install = install
        self._pid = 0
        self._master = -1
        self._say: Any = None

    def __enter__(self) -> Person:
        # Only a process with a terminal of its own may pair: this one is given one.
        say_read, say_write = os.pipe()
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.close(say_write)
            os.dup2(say_read, 0)
            os.chdir(self._install.project)
            os.execve(
                sys.executable,
                [sys.executable, "-m", "tests.support.person"],
                self._install.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
            )
        os.close(say_read)
        self._say = os.fdopen(say_write, "w")
        return self

    def answers(self, beginning: str, **answer: Any) -> None:
        """From now on a request whose title begins so gets `wire.AnswerApproval(**answer)`."""
        self._say.write(json.dumps({"beginning": beginning, "answer": answer}) + "\n")
        self._say.flush()

    def __exit__(self, *_: object) -> None:
        self._say.close()
        os.kill(self._pid, signal.SIGTERM)
        os.waitpid(self._pid, 0)
        os.close(self._master)


def pending(install: Install) -> list[ApprovalRequest]:
    """What waits for a person now."""

    async def ask() -> list[ApprovalRequest]:
        client = AsyncClient()
        await client.connect()
        try:
            return list((await client.snapshot()).approvals)
        finally:
            await client.close()

    return asyncio.run(ask())


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """An empty install, gone afterwards with all its processes."""
    root = Path(tempfile.mkdtemp(prefix="tp-"))
    root.chmod(0o755)
    for name in ("home/project", "run"):
        (root / name).mkdir(parents=True)
    (root / "run").chmod(0o700)
    bwrap = Path(find_bwrap())
    environ = {
        "HOME": str(root / "home"),
        "XDG_RUNTIME_DIR": str(root / "run"),
        "PATH": f"{bwrap.parent}:/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TASKPASS_TASK", "CI"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        if name != "PYTHONPATH":
            monkeypatch.setenv(name, value)
    made = Install(root, environ)
    made.allow_programs("thief")
    made.set_up()
    yield made
    made.stop()
    if made.log.exists():
        print(made.log.read_text())  # shown when the test fails
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture
def api(install: Install) -> Iterator[ApiServer]:
    """An API whose real token the install keeps, with a stand-in in `API_TOKEN`."""
    server = ApiServer(token="real-4fz81kq90xvwpl27mncb")
    server.start()
    roots = install.root / "roots.pem"
    server.certificate_authority.cert_pem.write_to_path(str(roots))
    install.configure(f'[network]\nextra_roots = "{roots}"\n')
    added = install.cli(
        "credential", "add", "api", "--host", server.host, "--env", "API_TOKEN",
        stdin=server.token + "\n",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    yield server
    server.stop()


@pytest.fixture
async def client(install: Install) -> AsyncIterator[AsyncClient]:
    """A connected client in this process."""
    connected = AsyncClient()
    await connected.connect()
    yield connected
    with suppress(TaskpassError):
        await connected.close()


__all__ = ["ApiServer", "Install", "Person", "api", "client", "install", "pending", "until",
           "wait_for", "wire"]  # fmt: skip
