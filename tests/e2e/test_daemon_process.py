"""The supervisor as a process: one per user, private, ending when it should."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from supervisor.daemon import stop_when_idle
from supervisor.paths import Paths
from supervisor.protocol import handshake
from tests.support.live import Install, wait_for


def test_it_is_private_and_starts_on_demand(install: Install) -> None:
    assert install.daemon_pid() == 0
    assert install.cli("ps").returncode == 0
    assert install.daemon_pid()
    mode = install.paths.socket.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    for folder in install.paths.all():
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_many_first_starts_make_one_supervisor(install: Install) -> None:
    starting = [install.popen("ps") for _ in range(4)]
    outputs = [process.communicate()[0] for process in starting]
    assert [process.returncode for process in starting] == [0] * 4, outputs
    assert len(install.records("daemon.started")) == 1


def test_a_stale_socket_is_no_obstacle(install: Install) -> None:
    install.cli("ps")
    first = install.daemon_pid()
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: not Path(f"/proc/{first}").exists(), "the kill")
    assert install.paths.socket.exists()
    assert install.cli("ps").returncode == 0
    assert install.daemon_pid() not in (0, first)


def test_sigterm_ends_it_cleanly(install: Install) -> None:
    install.cli("ps")
    pid = install.daemon_pid()
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "the end")
    assert not install.paths.socket.exists()
    kinds = [record["kind"] for record in install.records()]
    assert kinds[:2] == ["daemon.started", "daemon.stopped"]


def test_a_taken_path_is_named(install: Install) -> None:
    install.paths.socket.write_text("mine")
    done = install.cli("ps")
    assert done.returncode == 125
    assert done.stderr.startswith("taskpass: ")
    assert str(install.paths.socket) in done.stderr
    assert install.paths.socket.read_text() == "mine"
    install.paths.socket.unlink()


def test_a_stranger_on_the_socket_gets_nothing_and_is_recorded(install: Install) -> None:
    with socket.socket(socket.AF_UNIX) as fake:
        fake.bind(str(install.paths.socket))
        fake.listen()
        asking = install.popen("ps")
        # The probe whether anything listens says nothing; the client then asks who it is.
        for _ in range(2):
            connection, _ = fake.accept()
            connection.settimeout(10)
            said = connection.recv(65536)
            if said:
                connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                assert b"hello" in said
        output = asking.communicate(timeout=20)[0]
    assert asking.returncode == 125, output
    assert "is not your supervisor" in output
    install.paths.socket.unlink()
    found = wait_for(lambda: install.records("incident.fake_daemon"), "the record")
    assert found[0]["detail"]


async def test_it_ends_itself_when_nothing_needs_it() -> None:
    stopped, needed = asyncio.Event(), True
    watching = asyncio.create_task(stop_when_idle(lambda: needed, stopped, patience=0.12))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stopped.wait(), 0.4)
    needed = False
    await asyncio.wait_for(stopped.wait(), 5)
    await watching


def test_stop_returns_when_it_is_gone(install: Install) -> None:
    for _ in range(3):
        assert install.cli("run", "--headless", "--", "true").returncode == 0
        assert install.cli("stop").returncode == 0
        assert install.daemon_pid() == 0


def test_a_supervisor_that_is_started_ahead_is_the_one_that_is_used(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[Paths] = []
    start = handshake._start

    def counted(paths: Paths) -> None:
        starts.append(paths)
        start(paths)

    monkeypatch.setattr(handshake, "_start", counted)
    handshake.start_ahead(install.paths)
    handshake.ensure_daemon(install.paths)
    assert install.daemon_pid()
    assert len(starts) == 1
