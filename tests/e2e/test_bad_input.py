"""What a person can get wrong, and what the machine can: one sentence, an exit code, no debris.

Every case goes through the command line, as a person's would.
"""

from __future__ import annotations

import json
import os
import pty
import re
import resource
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from supervisor.ledger.files import open_reader
from supervisor.protocol import handshake, proof, wire
from tests.support.live import ApiServer, Install, wait_for

HEADLESS = ("run", "--headless")


def refused(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """It failed with this code and one clear sentence that holds these words."""
    said = done.stderr.strip()
    assert done.returncode == code, (done.returncode, said, done.stdout)
    assert said.startswith("taskpass: "), said
    assert "\n" not in said, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


def no_folders(install: Install) -> None:
    tasks = install.paths.runtime / "tasks"
    wait_for(lambda: not tasks.exists() or not list(tasks.iterdir()), "the task's folder to go")


def nothing_left(install: Install) -> None:
    """No directory and no process of a task, and no record of one that ran."""
    no_folders(install)
    assert [r for r in install.records("task.started", "call.opened")] == []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environ = (folder / "environ").read_bytes()
        except OSError:
            continue
        assert b"TASKPASS_TASK=" not in environ or str(install.root).encode() not in environ


# ── What to run ─────────────────────────────────────────────────────────────────────────


def test_an_unknown_profile(install: Install) -> None:
    done = install.cli(*HEADLESS, "--profile", "emacs", "--", "true")
    refused(done, 2, "emacs", "claude-code", "codex", "generic")
    nothing_left(install)


@pytest.mark.parametrize("name", ["no-such-agent", "./no-such-agent", "/no/such/agent"])
def test_an_agent_that_is_not_there(install: Install, name: str) -> None:
    refused(install.cli(*HEADLESS, "--", name), 127, name)
    nothing_left(install)


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_an_agent_that_cannot_be_executed(install: Install, kind: str) -> None:
    agent = install.project / "agent"
    agent.mkdir() if kind == "directory" else agent.write_text("#!/bin/sh\n")
    refused(install.cli(*HEADLESS, "--", "./agent"), 126, "agent")
    nothing_left(install)


def test_an_agent_without_its_interpreter(install: Install) -> None:
    agent = install.project / "agent"
    agent.write_text("#!/no/such/interpreter\n")
    agent.chmod(0o755)
    done = install.cli(*HEADLESS, "--", "./agent")
    refused(done, 127, "agent")
    no_folders(install)


def test_no_program(install: Install) -> None:
    refused(install.cli("run"), 2, "no program")
    refused(install.cli(*HEADLESS, "--"), 2, "no program")
    nothing_left(install)


@pytest.mark.parametrize("words", [(), ("run", "--", "true"), ("approvals", "approve")])
def test_no_terminal(install: Install, words: tuple[str, ...]) -> None:
    refused(install.cli(*words), 2, "terminal")
    nothing_left(install)


def test_the_home_as_working_directory(install: Install) -> None:
    install.project.rmdir()
    install.project.symlink_to(install.home)
    refused(install.cli(*HEADLESS, "--", "true"), 2, "home", "--contain off")
    nothing_left(install)


def test_a_working_directory_that_is_gone(install: Install) -> None:
    gone = install.project / "gone"
    gone.mkdir()
    done = subprocess.run(
        ["/bin/sh", "-c", 'cd gone && rmdir ../gone && exec "$@"', "sh", sys.executable,
         "-m", "supervisor.cli.main", *HEADLESS, "--", "true"],
        cwd=install.project, env=install.environ, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    refused(done, 2, "directory")


# ── Words ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("paint",), 2, "paint"),
        (("revoke",), 2, "Say which task"),
        (("revoke", "t-none"), 1, "t-none"),
        (("freeze", "7"), 1, "There is no task 7"),
        (("resume", "7"), 1, "There is no task 7"),
        (("credential", "remove", "none"), 1, "none"),
        (("credential", "add", "api", "--host", "api.example"), 2, "empty"),
        (("credential", "add", "api", "--host", "not a host"), 2, "empty"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_words_that_mean_nothing(
    install: Install, words: tuple[str, ...], code: int, said: str
) -> None:
    refused(install.cli(*words), code, said)


@pytest.mark.parametrize(
    "words",
    [
        ("run", "--colour", "--", "true"),
        ("run", "--max-age", "soon", "--", "true"),
        ("credential", "paint"),
        ("history", "-n", "many"),
    ],
    ids=" ".join,
)
def test_options_that_do_not_exist(install: Install, words: tuple[str, ...]) -> None:
    done = install.cli(*words)
    assert done.returncode == 2
    assert "usage: taskpass" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_host_that_is_none(install: Install) -> None:
    done = install.cli("credential", "add", "api", "--host", "not a host", stdin="0123456789\n")
    refused(done, 2, "not a host")
    assert install.records("credential.added") == []


# ── Files a person writes ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("preset = standard\n", "config.toml:1:10"),
        ("\n[approvals]\n  timeout = 'soon'\n", "config.toml:3:3"),
        ("colour = 'blue'\n", "config.toml:1:1"),
        ("[network]\nextra_roots = '/no/such.pem'\n", "config.toml:2:1"),
    ],
)
def test_a_malformed_configuration(install: Install, text: str, place: str) -> None:
    install.configure(text)
    refused(install.cli(*HEADLESS, "--", "true"), 125, place)
    wait_for(lambda: not install.daemon_pid(), "the supervisor to give up")
    install.configure("")
    nothing_left(install)


def test_roots_that_are_no_certificates(install: Install) -> None:
    roots = install.root / "roots.pem"
    roots.write_text("not a certificate\n")
    install.configure(f'[network]\nextra_roots = "{roots}"\n')
    refused(install.cli(*HEADLESS, "--", "true"), 125, "roots.pem")
    install.configure("")
    nothing_left(install)


def test_a_preset_that_does_not_exist(install: Install) -> None:
    install.configure('preset = "lenient"\n')
    refused(install.cli(*HEADLESS, "--", "true"), 125, "lenient", "standard")
    install.configure("")
    nothing_left(install)


def test_a_malformed_policy(install: Install) -> None:
    folder = install.paths.config / "policy"
    folder.mkdir(exist_ok=True)
    policy = folder / "mine.cedar"
    policy.write_text('@id("mine")\npermit (principal, action,\n  resourc);\n')
    done = install.cli(*HEADLESS, "--", "true")
    refused(done, 125, "mine.cedar:3:")
    assert re.search(r"mine\.cedar:3:\d+", done.stderr)
    policy.unlink()
    nothing_left(install)


# ── The machine ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_taken_socket_path(install: Install, kind: str) -> None:
    path = install.paths.socket
    path.mkdir() if kind == "directory" else path.write_text("mine")
    refused(install.cli(*HEADLESS, "--", "true"), 125, str(path))
    path.rmdir() if kind == "directory" else path.unlink()
    nothing_left(install)


def test_a_state_directory_of_somebody_elses_choosing(install: Install) -> None:
    real = install.root / "elsewhere"
    real.mkdir()
    state = install.paths.state
    shutil.rmtree(state)
    state.symlink_to(real)
    refused(install.cli(*HEADLESS, "--", "true"), 125, str(state))
    assert list(real.iterdir()) == []
    state.unlink()
    nothing_left(install)


def test_a_runtime_directory_that_is_too_long(install: Install) -> None:
    long = install.root / ("r" * 90)
    long.mkdir(mode=0o700)
    install.environ["XDG_RUNTIME_DIR"] = str(long)
    refused(install.cli(*HEADLESS, "--", "true"), 125, "too long", "XDG_RUNTIME_DIR")
    install.environ["XDG_RUNTIME_DIR"] = str(install.root / "run")
    nothing_left(install)


def test_a_locked_keyring(install: Install, api: ApiServer) -> None:
    install.cli("stop")
    specs = install.paths.state / "credentials.toml"
    kept = specs.read_text()
    specs.write_text(re.sub(r'(protection = )"[^"]*"', r'\1"system keyring"', kept))
    refused(install.cli(*HEADLESS, "--", "true"), 1, "keyring")
    no_folders(install)
    assert [r["kind"] for r in install.records("task.started", "task.failed")] == ["task.failed"]
    assert api.seen == []


@contextmanager
def _full_disk(pid: int) -> Iterator[None]:
    """No file that the process writes may grow."""
    soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, hard))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(install: Install, api: ApiServer) -> None:
    assert install.cli("ps").returncode == 0
    with _full_disk(install.daemon_pid()):
        refused(install.cli(*HEADLESS, "--", "true"), 125, "Cannot set the task up", "disk")
        no_folders(install)
    assert install.cli(*HEADLESS, "--", "true").returncode == 0
    assert install.cli("verify").returncode == 0
    assert len(install.records("task.started")) == 1


def test_headless_tasks_leave_nothing(install: Install) -> None:
    assert install.cli(*HEADLESS, "--", "true").returncode == 0
    assert install.cli(*HEADLESS, "--", "false").returncode == 1
    no_folders(install)


def test_a_disk_that_fills_up_releases_nothing(install: Install, api: ApiServer) -> None:
    curl = f'curl -sS -m 20 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'
    os.mkfifo(install.project / "go")
    agent = install.popen(*HEADLESS, "--", "sh", "-c", f"cat go && {curl}/me")
    go = open(install.project / "go", "w")  # noqa: SIM115 - opens once the agent reads
    with _full_disk(install.daemon_pid()):
        go.close()
        output, _ = agent.communicate(timeout=60)
    assert "history" in output, output
    assert api.seen == []
    assert install.cli("verify").returncode == 0


def test_a_history_that_was_altered(install: Install) -> None:
    assert install.cli(*HEADLESS, "--", "true").returncode == 0
    install.cli("stop")
    wait_for(lambda: not install.daemon_pid(), "the supervisor to let go of its history")
    ledger = install.paths.ledger
    kept = ledger.read_bytes()
    ledger.write_bytes(b"not a database" + kept[14:])
    refused(install.cli(*HEADLESS, "--", "true"), 125, "ledger.db")
    ledger.write_bytes(kept)
    with closing(open_reader(ledger)) as reader:
        assert reader.execute("SELECT count(*) FROM records").fetchone()[0] > 2


def test_another_version_of_the_supervisor(install: Install) -> None:
    """A supervisor of ours that speaks another protocol."""
    key = handshake.install_key(install.paths)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(install.paths.socket))
    server.listen()

    stopped: list[str] = []

    def serve() -> None:
        with server, suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    while said := connection.recv(65536).decode():
                        hello = {
                            "protocol": wire.PROTOCOL + 1,
                            "version": "9.0",
                            "pid": os.getpid(),
                            "session": "s-other",
                            "proof": proof.proof(key, said.partition("nonce=")[2][:32]),
                        }
                        stopped.extend(re.findall("^POST /v1/stop", said))
                        body = json.dumps(hello)
                        head = f"HTTP/1.1 200 OK\r\ncontent-length: {len(body)}\r\n\r\n"
                        connection.sendall((head + body).encode())

    threading.Thread(target=serve, daemon=True).start()
    try:
        for words in ((*HEADLESS, "--", "true"), ("ps",)):
            refused(install.cli(*words), 125, "9.0", "taskpass stop")
        assert install.cli("stop").returncode == 0
        assert stopped == ["POST /v1/stop"]
    finally:
        server.shutdown(socket.SHUT_RDWR)
        install.paths.socket.unlink()
    nothing_left(install)


# ── Inside a task ───────────────────────────────────────────────────────────────────────


def test_a_task_does_not_start_another(install: Install) -> None:
    install.environ["TASKPASS_TASK"] = "t-0123456789"
    refused(install.cli(*HEADLESS, "--", "true"), 2, "inside a task")
    refused(install.cli("ps"), 125, "inside a task")
    del install.environ["TASKPASS_TASK"]
    nothing_left(install)


def test_a_task_that_hides_where_it_is(install: Install) -> None:
    command = f"env -u TASKPASS_TASK {sys.executable} -m supervisor.cli.main ps"
    where = [f"{name}={install.environ[name]}" for name in ("XDG_RUNTIME_DIR", "PYTHONPATH")]
    done = install.cli(*HEADLESS, "--contain", "off", "--", "env", *where, "sh", "-c", command)
    assert done.returncode == 3, (done.returncode, done.stdout, done.stderr)
    assert "may not talk to the supervisor" in done.stderr
    assert len(install.records("incident.api_from_task")) == 1


def test_a_screen_without_room(install: Install) -> None:
    """A terminal of no size: told, not drawn over."""
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(install.project)
        words = [sys.executable, "-m", "supervisor.cli.main", "run", "--", "./no-such-agent"]
        os.execve(sys.executable, words, install.environ)
    said = b""
    while True:
        try:
            said += os.read(master, 65536)
        except OSError:
            break
    _, status = os.waitpid(pid, 0)
    os.close(master)
    assert os.waitstatus_to_exitcode(status) == 127, said
    assert b"Traceback" not in said
    assert b"no-such-agent" in said
    nothing_left(install)
