"""Services outside a contained task that a person lets it reach: listed before, or asked about.

Real clients (git, psql) reach real servers (git daemon, PostgreSQL) through `taskpass run`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.agents import RealAgent
from tests.support.live import Install, Person, pending, wait_for
from tests.support.scripted_model import ScriptedModel
from tests.support.supervised import Supervised, supervise

# Tries again and again, as an agent does, until there is a file `enough`; prints what the service
# says when it gets there. `tries` has a byte for each time it did not.
RETRIES = """
import pathlib, socket, sys, time
with open("tries", "ab", buffering=0) as tries:
    while not pathlib.Path("enough").exists():
        try:
            with socket.create_connection((sys.argv[1], int(sys.argv[2])), 20) as s:
                s.sendall(b"ping")
                print(s.recv(100).decode())
                break
        except OSError:
            tries.write(b".")
            time.sleep(0.1)
    else:
        print("never reached")
"""


class Echo:
    """A service that answers what it is sent, and says how often it was reached."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._server = socket.create_server((host, 0))
        self.port = self._server.getsockname()[1]
        self.reached = 0
        self.open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                self.reached += 1
                self.open.append(connection)
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(4096):
                connection.sendall(b"echo " + data)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    service = Echo()
    yield service
    service.close()


@pytest.fixture
def retries(install: Install) -> tuple[str, ...]:
    """The words of a task that tries to reach HOST PORT."""
    (install.project / "retries.py").write_text(RETRIES)
    return ("run", "--headless", "--", "/usr/bin/python3", "-S", "retries.py")


def goes_on_trying(install: Install) -> None:
    """Wait until the task has tried twenty times more: two seconds, in which a question comes."""
    tries = install.project / "tries"
    before = tries.stat().st_size
    wait_for(lambda: tries.stat().st_size >= before + 20, "further attempts")


def told_to_stop(install: Install, task: subprocess.Popen[str]) -> str:
    """What a task that tries in vain has printed, once it has been told to stop."""
    (install.project / "enough").touch()
    return task.communicate(timeout=40)[0]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int, address: str = "127.0.0.1") -> bool:
    with contextlib.suppress(OSError):
        socket.create_connection((address, port), 1).close()
        return True
    return False


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[int]:
    """The port of a git daemon on loopback that serves `project.git`."""
    with serving_git(tmp_path, "127.0.0.1") as port:
        yield port


@contextlib.contextmanager
def serving_git(tmp_path: Path, address: str) -> Iterator[int]:
    source, served = tmp_path / "source", tmp_path / "served"
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    subprocess.run([*git, "init", "-q", str(source)], check=True)
    (source / "hello").write_text("hello")
    subprocess.run([*git, "-C", str(source), "add", "hello"], check=True)
    subprocess.run([*git, "-C", str(source), "commit", "-qm", "first"], check=True)
    subprocess.run(
        [*git, "clone", "-q", "--bare", str(source), str(served / "project.git")], check=True
    )
    port = free_port()
    daemon = subprocess.Popen(
        ["git", "daemon", "--reuseaddr", "--export-all", f"--listen={address}", f"--port={port}",
         f"--base-path={served}", str(served)],
    )  # fmt: skip
    wait_for(lambda: accepts(port, address), "git daemon")
    yield port
    daemon.terminate()
    daemon.wait()


def test_a_listed_service_is_reached_by_its_own_client(install: Install, git_server: int) -> None:
    clone = f"git clone -q git://localhost:{git_server}/project.git copy && cat copy/hello"
    listed = ("--loopback", f"localhost:{git_server}")
    done = install.cli("run", "--headless", *listed, "--", "bash", "-c", clone)
    assert done.stdout == "hello", done.stderr
    [use] = install.records("use.allowed")
    assert use["effect"] == f"connect localhost:{git_server}"
    assert install.records("approval.asked") == []


def test_a_service_of_the_configuration_is_reached_and_others_are_not(
    install: Install, echo: Echo, retries: tuple[str, ...]
) -> None:
    other = Echo()
    install.configure(f'[network]\nloopback = ["{echo.port}"]\n[approvals]\ntimeout = 1\n')
    assert "echo ping" in install.cli(*retries, "localhost", str(echo.port)).stdout
    short = f"import socket; print(socket.socket().connect_ex(('127.0.0.1', {other.port})))"
    done = install.cli("run", "--headless", "--", "/usr/bin/python3", "-c", short)
    assert done.stdout == "111\n"
    assert other.reached == 0
    other.close()


@pytest.mark.parametrize("wrong", ["db.corp:5432", "0", "70000", "x", "3128"])
def test_what_is_no_loopback_service_is_refused_in_words(install: Install, wrong: str) -> None:
    done = install.cli("run", "--headless", "--loopback", wrong, "--", "true")
    assert done.returncode == 2
    assert wrong in done.stderr


@pytest.mark.parametrize("scope", ["task", "once"])
def test_a_person_opens_a_loopback_service_while_the_task_runs(
    install: Install, echo: Echo, retries: tuple[str, ...], scope: str
) -> None:
    task = install.popen(*retries, "localhost", str(echo.port))
    [asked] = wait_for(lambda: pending(install), "the question")
    assert asked.title.startswith(f"connect localhost:{echo.port}")
    assert echo.reached == 0
    with Person(install) as person:
        person.answers("connect localhost", scope=scope)
        output, _ = task.communicate(timeout=40)
    assert "echo ping" in output
    assert len(install.records("approval.asked")) == 1
    [refused] = install.records("egress.refused")[:1]
    assert (refused["name"], refused["port"]) == ("localhost", echo.port)
    assert install.records("use.allowed")[-1]["effect"] == f"connect localhost:{echo.port}"


def test_a_person_who_says_no_is_not_asked_again(
    install: Install, echo: Echo, retries: tuple[str, ...]
) -> None:
    task = install.popen(*retries, "localhost", str(echo.port))
    with Person(install) as person:
        person.answers("connect localhost", approve=False)
        wait_for(lambda: install.records("approval.answered"), "the answer")
        goes_on_trying(install)
        output = told_to_stop(install, task)
    assert "never reached" in output
    assert echo.reached == 0
    assert len(install.records("approval.asked")) == 1
    # Everything it tried is on record, in few records.
    refused = install.records("egress.refused")
    assert sum(record["times"] for record in refused) > len(refused)


def test_a_person_opens_a_host_while_the_task_runs(
    install: Install, retries: tuple[str, ...]
) -> None:
    address = own_address()
    service = Echo(address)
    install.configure(f'[network]\nallow_private = ["{address}"]\n')
    task = install.popen(*retries, address, str(service.port))
    with Person(install) as person:
        wait_for(lambda: install.records("approval.asked"), "the question")
        person.answers(f"connect {address}", scope="task")
        output, _ = task.communicate(timeout=40)
    assert "echo ping" in output
    assert len(install.records("approval.asked")) == 1
    service.close()


def test_a_private_address_is_closed_and_nobody_is_asked_in_vain(
    install: Install, retries: tuple[str, ...]
) -> None:
    address = own_address()
    service = Echo(address)
    task = install.popen(*retries, address, str(service.port))
    wait_for(lambda: install.records("egress.refused"), "the first refusal")
    goes_on_trying(install)
    assert "never reached" in told_to_stop(install, task)
    assert service.reached == 0
    assert install.records("approval.asked") == []
    assert install.records("egress.refused")[0]["address"] == address
    service.close()


def own_address() -> str:
    """An address of this machine in a private or documentation network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address = str(probe.getsockname()[0])
    if address.startswith("127."):
        pytest.skip("this machine has no address besides its loopback")
    return address


async def test_a_command_that_was_approved_connects_without_a_second_question(
    supervised: Supervised, tmp_path: Path
) -> None:
    """A real agent clones from a host over git's own protocol: one question, no failed attempt."""
    address = own_address()
    supervised.install.configure(f'[network]\nallow_private = ["{address}"]\n')
    with serving_git(tmp_path, address) as port, Person(supervised.install) as person:
        person.answers("git clone", scope="once")
        clone = f"git clone -q git://{address}:{port}/project.git copy"
        await supervised.run(supervised.shell(clone))
    assert (supervised.install.project / "copy/hello").read_text() == "hello"
    assert len(await supervised.records("approval.asked")) == 1
    assert await supervised.records("egress.refused") == []
    [use] = [
        u for u in await supervised.records("use.allowed") if u["effect"].startswith("connect")
    ]
    assert use["effect"] == f"connect {address}:{port}"


@pytest.mark.parametrize("listed", [True, False])
async def test_the_agent_itself_reaches_a_listed_mcp_server(
    claude_code: RealAgent, install: Install, scripted_model: ScriptedModel, listed: bool
) -> None:
    """Real Claude Code looks for an MCP server on the person's loopback as it starts."""
    server = Echo()
    servers = {"local": {"type": "http", "url": f"http://localhost:{server.port}/mcp"}}
    config = ("--mcp-config", json.dumps({"mcpServers": servers}))
    agent = replace(claude_code, argv=(*claude_code.argv, *config))
    options = ("--loopback", str(server.port)) if listed else ()
    await supervise(agent, install, scripted_model).run("Done.", options=options)
    uses = install.records("use.allowed")
    if listed:
        assert server.reached
        assert f"connect localhost:{server.port}" in {use["effect"] for use in uses}
    else:
        assert not server.reached
        refused = {(each["name"], each["port"]) for each in install.records("egress.refused")}
        assert ("localhost", server.port) in refused
    assert install.records("approval.asked") == []
    server.close()


def test_revoke_cuts_a_door_at_once(install: Install, echo: Echo) -> None:
    talk = (
        "import socket, time\n"
        f"s = socket.create_connection(('localhost', {echo.port}))\n"
        "while True: s.sendall(b'x'); s.recv(100); time.sleep(0.01)\n"
    )
    (install.project / "talk.py").write_text(talk)
    task = install.popen(
        "run", "--headless", "--loopback", str(echo.port), "--", "python3", "-S", "talk.py"
    )
    wait_for(lambda: echo.open, "the connection")
    began = time.monotonic()
    install.cli("revoke", "--all")
    # The service's own end of the connection is closed: nothing can be said on it any more.
    wait_for(lambda: echo.open[0].fileno() < 0, "the connection's end")
    assert time.monotonic() - began < 5
    task.communicate(timeout=20)


TRIES_BOTH = """
import pathlib, socket, sys, time
while not pathlib.Path("enough").exists():
    for port in sys.argv[1:]:
        try:
            with socket.create_connection(("localhost", int(port)), 20) as s:
                s.sendall(b"ping")
                s.recv(100)
        except OSError:
            pass
    time.sleep(0.05)
print(socket.gethostbyname("db.example"))
"""


def test_a_restarted_supervisor_keeps_what_was_listed_and_nothing_else(
    install: Install, echo: Echo
) -> None:
    asked_for = Echo()
    (install.project / "both.py").write_text(TRIES_BOTH)
    task = install.popen(
        "run", "--headless", "--loopback", str(echo.port), "--",
        "python3", "-S", "both.py", str(echo.port), str(asked_for.port),
    )  # fmt: skip
    with Person(install) as person:
        person.answers("connect localhost", scope="task")
        wait_for(lambda: asked_for.reached, "the approved service to be reached")
    os.kill(install.daemon_pid(), signal.SIGKILL)
    install.cli("ps")  # starts another, which takes the task over
    listed, approved = echo.reached, asked_for.reached
    wait_for(lambda: echo.reached > listed + 5, "the listed service to be reached again")
    wait_for(lambda: len(pending(install)) == 1, "the question to be asked anew")
    assert asked_for.reached == approved
    (install.project / "enough").touch()
    output, _ = task.communicate(timeout=30)
    assert output.strip().splitlines()[-1].startswith("198.1"), output
    asked_for.close()


def test_a_tasks_own_server_is_its_own(install: Install) -> None:
    serve = (
        "python3 -S -m http.server 8000 --bind 127.0.0.1 2>/dev/null & "
        "for i in $(seq 50); do curl -sf http://localhost:8000/hello && break; sleep 0.1; done"
    )
    (install.project / "hello").write_text("from the task itself")
    done = install.cli("run", "--headless", "--", "bash", "-c", serve)
    assert "from the task itself" in done.stdout, done.stderr
    assert install.records("egress.refused") == []
    assert install.records("approval.asked") == []


@pytest.mark.root  # PostgreSQL is started by root for its own account
def test_psql_reaches_a_listed_database(install: Install, tmp_path_factory: object) -> None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not found or shutil.which("psql") is None:
        pytest.skip("no PostgreSQL here")
    with postgres(found[-1].parent, install.root / "db") as port:
        query = f"psql -h localhost -p {port} -U postgres -d postgres -Atc 'select 6 * 7'"
        listed = ("--loopback", str(port))
        done = install.cli("run", "--headless", *listed, "--", "bash", "-c", query)
    assert done.stdout == "42\n", done.stderr


@contextlib.contextmanager
def postgres(binaries: Path, data: Path) -> Iterator[int]:
    data.mkdir()
    shutil.chown(data, "postgres")
    run = {"user": "postgres", "cwd": "/"}
    subprocess.run(
        [binaries / "initdb", "--no-sync", "-D", data, "-A", "trust", "-U", "postgres"],
        check=True, capture_output=True, **run,
    )  # fmt: skip
    port = free_port()
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", "", "-F"],
        stderr=subprocess.DEVNULL, **run,
    )  # fmt: skip
    try:
        wait_for(lambda: accepts(port), "PostgreSQL")
        yield port
    finally:
        server.terminate()
        server.wait()
