"""The scan finds a secret in every form and place, and finds the real one nowhere."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import secrets
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from supervisor import procfs
from supervisor.client import AsyncClient
from supervisor.client_pane import PaneConnection
from supervisor.protocol import wire
from tests.support.agents import RealAgent
from tests.support.live import ApiServer, Install, Person, until, wait_for
from tests.support.scripted_model import ScriptedModel, script
from tests.support.secret_scan import Finding, Scan
from tests.support.supervised import Supervised, supervise

SECRET = b"sk-Planted/7+zq0v=?x"

ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "raw": lambda s: b"token: " + s + b"\n",
    "base64/0": lambda s: base64.b64encode(b"abc" + s + b"."),
    "base64/1": lambda s: base64.b64encode(b"Bearer " + s),
    "base64/2": lambda s: base64.urlsafe_b64encode(b"user:" + s + b"\n"),
    "url": lambda s: b"?q=" + b"".join(b"%%%02x" % byte for byte in s) + b"&",
    "hex": lambda s: b"0x" + s.hex().upper().encode(),
    "utf-16": lambda s: s.decode().encode("utf-16-le"),
}
TEXTUAL = [form for form in ENCODINGS if form != "utf-16"]  # no zero bytes


@pytest.fixture
def scan() -> Scan:
    return Scan(SECRET)


@pytest.fixture(params=ENCODINGS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_finds_a_secret_in_a_file(scan: Scan, form: str, tmp_path: Path) -> None:
    file = tmp_path / "deep" / "log"
    file.parent.mkdir()
    file.write_bytes(os.urandom(100) + ENCODINGS[form](SECRET) + os.urandom(100))
    (tmp_path / "other").write_bytes(ENCODINGS[form](SECRET[:-1] + b"!"))
    scan.tree(tmp_path)
    assert scan.findings == [Finding(str(file), form)]


def test_it_finds_a_secret_across_the_pieces_it_reads(
    scan: Scan, form: str, tmp_path: Path
) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"." * (8 * 1024 * 1024 - 10) + b"\n" + ENCODINGS[form](SECRET))
    scan.file(file)
    assert scan.findings == [Finding(str(file), form)]


def test_it_finds_a_secret_in_a_database(scan: Scan, form: str, tmp_path: Path) -> None:
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as database:
        database.execute("create table records (body blob)")
        database.execute("insert into records values (?)", (ENCODINGS[form](SECRET),))
    database.close()
    scan.tree(tmp_path)
    assert scan.findings == [Finding(str(file), form)]


def test_it_finds_a_secret_in_memory(scan: Scan, form: str) -> None:
    with _holding(stdin=ENCODINGS[form](SECRET)) as pid:
        assert scan.memory(pid)
        assert scan.findings == [Finding(f"/proc/{pid}/mem", form)]


@pytest.mark.parametrize("form", TEXTUAL)
def test_it_finds_a_secret_in_an_environment(scan: Scan, form: str) -> None:
    with _holding(environ={b"SOME": ENCODINGS[form](SECRET)}) as pid:
        scan.process(pid)
        assert scan.findings == [Finding(f"/proc/{pid}/environ", form)]


@pytest.mark.parametrize("form", TEXTUAL)
def test_it_finds_a_secret_in_a_command_line(scan: Scan, form: str) -> None:
    with _holding(argument=ENCODINGS[form](SECRET)) as pid:
        scan.process(pid)
        assert scan.findings == [Finding(f"/proc/{pid}/cmdline", form)]


def test_it_finds_nothing_where_there_is_nothing(scan: Scan, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(os.urandom(1 << 20) + SECRET[:-1] + b"%41%20%zz")
    scan.tree(tmp_path)
    with _holding(stdin=b"nothing") as pid:
        scan.process(pid)
        assert scan.memory(pid)
    assert scan.findings == []
    assert len(scan.looked) == 4


class _holding:
    """A process with a secret in one place; its pid."""

    def __init__(
        self, stdin: bytes = b"", environ: dict[bytes, bytes] | None = None, argument: bytes = b""
    ) -> None:
        self._stdin, self._environ, self._argument = stdin, environ, argument

    def __enter__(self) -> int:
        code = "import os; kept = os.read(0, 9999); os.write(1, b'ready'); os.read(0, 1)"
        self._process = subprocess.Popen(
            [sys.executable.encode(), b"-c", code.encode(), self._argument],
            env=self._environ or {},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(self._stdin or b"\n")
        assert self._process.stdout.read(5) == b"ready"
        return self._process.pid

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


# ── a whole session ─────────────────────────────────────────────────────────────────────


@pytest.fixture
def secret_api(install: Install) -> Iterator[ApiServer]:
    """An API whose token nobody else on this machine has."""
    server = ApiServer(token=f"ghp_{secrets.token_hex(18)}")
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


def look_everywhere(scan: Scan, install: Install, since: float) -> list[int]:
    """All that a task and its holder have; the pids whose memory could be read."""
    holders = [
        int(file.read_text()) for file in (install.paths.runtime / "tasks").glob("*/holder.pid")
    ]
    pids = {*holders, *(p.pid for holder in holders for p in procfs.descendants(holder))}
    daemon = install.daemon_pid()
    others = {p.pid for p in procfs.descendants(daemon)} - pids  # the zygote
    read = []
    for pid in sorted(pids | others):
        scan.process(pid)
        if scan.memory(pid):
            read.append(pid)
        for folder in ("tmp", "var/tmp", "run"):  # of a container its own, else the machine's
            place = Path(f"/proc/{pid}/root", folder)
            with contextlib.suppress(OSError):
                if not os.path.samestat(place.stat(), Path("/", folder).stat()):
                    scan.tree(place)
    scan.process(daemon)  # its memory is where the secret belongs
    scan.tree(install.root)
    scan.tree(Path("/tmp"), since=since)
    return read


async def test_the_real_secret_is_nowhere(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel, secret_api: ApiServer
) -> None:
    """Claude Code in a pane: a credential used, an approval, a request in flight, a revocation."""
    since = time.time() - 2
    supervised = supervise(claude_code, install, scripted_model)
    scan = Scan(secret_api.token.encode())
    client = AsyncClient()
    with Person(install) as person:
        person.answers(f"HTTP DELETE {secret_api.host}")
        person.answers("DELETE")
        await client.connect()
        started = await client.start_task(_in_a_pane(supervised, secret_api))
        pane = await PaneConnection.open(started.socket, started.token, 100, 30)
        frames = asyncio.create_task(_follow(pane, scan))
        try:
            await until(lambda: "GET /stream" in secret_api.accepted, "the request in flight", 60)
            assert secret_api.accepted == ["GET /me", "DELETE /me", "GET /stream"]
            root = procfs.descendants(_holder(install))
            assert root, "the task's tree"
            read = await asyncio.to_thread(look_everywhere, scan, install, since)
            control = await asyncio.to_thread(_look_for_stand_in, install)
            revoked = await client.revoke_task(started.task.id)
            assert revoked.connections_cut >= 1
            await asyncio.to_thread(
                wait_for, lambda: install.records("task.killed"), "the tree to be killed"
            )
            await asyncio.to_thread(look_everywhere, scan, install, since)
        finally:
            await pane.close()
            frames.cancel()
            await client.close()
    history = install.cli("history", "--json", "-n", "5000").stdout
    assert "approval.answered" in history
    scan.text(history, "history")
    for request in scripted_model.requests:
        scan.text(repr(request.body), "what the model was told")
    assert scan.findings == []
    transcripts = [p for p in scan.looked if "/.claude/projects/" in p and p.endswith(".jsonl")]
    assert transcripts, "Claude Code's transcript was scanned"
    assert any(p.endswith("ledger.db") for p in scan.looked)
    assert any(p.endswith("daemon.log") for p in scan.looked)
    # The same search finds what the task does have.
    found = {finding.place.rpartition("/")[2] for finding in control.findings}
    assert {"environ"} <= found, control.findings
    assert any("/.claude/" in finding.place for finding in control.findings), control.findings
    if os.geteuid() == 0:
        assert "mem" in found, control.findings
        assert len(read) >= 4, "the memory of holder, container, agent and tool was scanned"
    print(f"scanned {len(scan.looked)} places, {len(scan.unread)} were closed to us")


def _holder(install: Install) -> int:
    (file,) = (install.paths.runtime / "tasks").glob("*/holder.pid")
    return int(file.read_text())


def _look_for_stand_in(install: Install) -> Scan:
    tree = [p.pid for p in procfs.descendants(_holder(install))]
    environs = [Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") for pid in tree]
    stand_in = next(v[10:] for environ in environs for v in environ if v.startswith(b"API_TOKEN="))
    scan = Scan(stand_in)
    for pid in (_holder(install), *tree):
        scan.process(pid)
        scan.memory(pid)
    scan.tree(install.home)
    return scan


def _in_a_pane(supervised: Supervised, api: ApiServer) -> wire.StartTask:
    curl = 'curl -sS -m 60 -H "Authorization: Bearer $API_TOKEN"'
    steps = (
        supervised.shell(f"{curl} -v https://{api.host}/me; env; cat /proc/*/cmdline"),
        supervised.shell(f"{curl} -X DELETE https://{api.host}/me"),
        supervised.shell(f"{curl} https://{api.host}/stream"),
    )
    return wire.StartTask(
        argv=(*supervised.agent.argv, script(*steps)),
        cwd=str(supervised.install.project),
        environ=supervised.environ,
        interactive=True,
        cols=100,
        rows=30,
    )


async def _follow(pane: PaneConnection, scan: Scan) -> None:
    """Everything the terminal shows."""
    async for frame in pane.frames():
        scan.text(repr(frame), "the pane")
