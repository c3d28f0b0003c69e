"""`taskpass run --headless`, as scripts start it."""

from __future__ import annotations

import os
import socket
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


def test_that_nothing_contains_a_program_is_said_in_words(install: Install) -> None:
    (install.home / ".ssh").mkdir()
    keys = install.root / "agent.sock"
    with socket.socket(socket.AF_UNIX) as agent:
        agent.bind(str(keys))
        agent.listen(1)
        install.environ["SSH_AUTH_SOCK"] = str(keys)
        done = install.cli("run", "--headless", "--contain", "off", "--", "echo", "hello")
    assert done.stdout == "hello\n"
    assert f"key agent ({keys})" in done.stderr
    (started,) = install.records("task.started")
    assert f"key agent ({keys})" in started["holes"]
    assert "uncontained (switched off by --contain off)" in done.stderr
    assert "can read what you can read, ~/.ssh too" in done.stderr


def test_a_contained_program_says_nothing_of_the_kind(install: Install) -> None:
    done = install.cli("run", "--headless", "--", "echo", "hello")
    assert (done.stdout, done.stderr) == ("hello\n", "")
    (started,) = install.records("task.started")
    assert started["holes"] == []


def test_what_the_person_lets_into_a_container_is_named_as_a_way_out(install: Install) -> None:
    bus = install.root / "run/bus"
    install.configure("[containment]\ndbus = true\n")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(bus))
        server.listen(1)
        install.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
        done = install.cli("run", "--headless", "--", "echo", "hello")
    assert done.stdout == "hello\n", done.stderr
    (started,) = install.records("task.started")
    assert (started["tier"], started["holes"]) == ("A", [f"session bus ({bus})"])


@pytest.mark.parametrize("contain", ["standard", "off"])
def test_files_are_made_with_the_persons_umask(install: Install, contain: str) -> None:
    agent = "touch made; stat -c %a made"
    words = [*TASKPASS, "run", "--headless", "--contain", contain, "--", "sh", "-c", agent]
    done = subprocess.run(
        words, cwd=install.project, env=install.environ, umask=0o027, capture_output=True, text=True
    )
    assert done.stdout == "640\n", done.stderr
    assert (install.project / "made").stat().st_mode & 0o777 == 0o640


def test_a_container_that_cannot_be_set_up_is_told_in_words(install: Install) -> None:
    settings = install.home / ".claude/settings.json"
    settings.parent.mkdir()
    settings.symlink_to(settings)
    agent = install.project / "claude"
    agent.write_text("#!/bin/sh\n")
    agent.chmod(0o755)
    done = install.cli("run", "--headless", "--", "./claude")
    assert done.returncode == 125
    assert "container could not be set up" in done.stderr
    assert "settings.json: Too many levels of symbolic links" in done.stderr
