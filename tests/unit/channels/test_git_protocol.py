"""What git asks our helper, and what it is told."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.channels.git import environment, protocol
from supervisor.channels.git.protocol import BadQuestion, Question
from supervisor.errors import Denied

ASKED = b"protocol=https\nhost=github.com\npath=ana/app.git\n"


def test_what_git_asks_is_read() -> None:
    assert protocol.parse(ASKED) == Question("https", "github.com", "ana/app.git")
    assert protocol.parse(ASKED).repository == "github.com/ana/app"


@pytest.mark.parametrize(
    "more", [b"wwwauth[]=Basic\nwwwauth[]=Bearer\n", b"capability[]=authtype\n", b"\nhost=evil\n"]
)
def test_what_newer_versions_say_besides_changes_nothing(more: bytes) -> None:
    assert protocol.parse(ASKED + more) == protocol.parse(ASKED)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        b"protocol=https\n",
        b"host=github.com\n",
        b"protocol=https\nhost=github.com\0.evil.example\n",
        b"protocol=https\nhost=github.com\r\n",
        b"protocol=https\nhost=github.com\rhost=evil.example\n",
        b"protocol=https\nhost=github.com\nhost=evil.example\n",
        b"protocol=https\nhost=git hub.com\n",
        b"protocol=https\nhost=\xff\xfe\n",
        b"protocol=https\nhost=github.com\npath=a\x1bb\n",
        b"protocol=https\nhost=github.com\nno equals sign\n",
        b"protocol=https\nhost=github.com\npath=" + b"a" * protocol.LIMIT + b"\n",
    ],
)
def test_what_git_never_asks_is_refused_in_one_clear_sentence(data: bytes) -> None:
    with pytest.raises(BadQuestion) as refusal:
        protocol.parse(data)
    assert refusal.value.message.endswith(".")
    assert "evil" not in str(refusal.value)


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_question_or_refused(data: bytes) -> None:
    try:
        question = protocol.parse(data)
    except BadQuestion:
        return
    assert not any(ord(c) < 32 for c in question.host + question.path + question.username)


def _ask(
    tmp_path: Path, answer: bytes, *words: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    """Real git asks a helper that answers this."""
    (tmp_path / "answer").write_bytes(answer)
    helper = tmp_path / "helper"
    helper.write_text(f"#!/bin/sh\ncat > {tmp_path}/asked\ncat {tmp_path}/answer\n")
    helper.chmod(0o755)
    told = environment.variables({}, str(helper), "", ())
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **told}
    done = subprocess.run(
        ["git", "credential", "fill"], input=ASKED.decode(), env=environ, cwd=tmp_path,
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    return done, (tmp_path / "asked").read_text()


def test_real_git_asks_with_the_repository_and_takes_the_answer(tmp_path: Path) -> None:
    done, asked = _ask(tmp_path, protocol.answer("x-access-token", "stand-in", 4e9))
    assert protocol.parse(asked.encode()) == Question("https", "github.com", "ana/app.git")
    assert "username=x-access-token" in done.stdout
    assert "password=stand-in" in done.stdout


def test_a_refusal_ends_git_without_a_prompt(tmp_path: Path) -> None:
    refusal = protocol.refusal(Denied("No.\nquit=0", hint="Do that."))
    said, _, rest = refusal.partition(b"\n")
    assert said == b"say taskpass: No. quit=0 Do that."
    done, _ = _ask(tmp_path, rest)
    assert done.returncode == 128
    assert "told us to quit" in done.stderr


def test_the_persons_own_helpers_are_not_asked(tmp_path: Path) -> None:
    (tmp_path / ".gitconfig").write_text(
        f'[credential]\nhelper = "!echo password=real >&1; touch {tmp_path}/asked-real; :"\n'
        f'[credential "https://github.com"]\nhelper = "!touch {tmp_path}/asked-real; :"\n'
    )
    done, _ = _ask(tmp_path, protocol.answer("x", "stand-in", 4e9))
    assert "password=stand-in" in done.stdout
    assert not (tmp_path / "asked-real").exists()


def test_settings_of_the_environment_are_added_to(tmp_path: Path) -> None:
    inherited = {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "Ana"
    }  # fmt: skip
    told = inherited | environment.variables(inherited, "/x", "", ("github.com",))
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **told}

    def value(name: str) -> str:
        return subprocess.run(
            ["git", "config", name], env=environ, cwd=tmp_path, capture_output=True, text=True
        ).stdout.strip()

    assert value("user.name") == "Ana"
    assert value("credential.useHttpPath") == "true"


@pytest.mark.parametrize(
    ("remote", "reached"),
    [
        ("git@github.com:ana/app.git", "https://github.com/ana/app.git"),
        ("ssh://git@github.com/ana/app.git", "https://github.com/ana/app.git"),
        ("ssh://github.com/ana/app", "https://github.com/ana/app"),
        ("git@github.com.evil.example:ana/app", "git@github.com.evil.example:ana/app"),
        ("git@gitlab.com:ana/app", "git@gitlab.com:ana/app"),
    ],
)
def test_ssh_remotes_lead_to_https_where_there_is_a_credential(
    tmp_path: Path, remote: str, reached: str
) -> None:
    told = environment.variables({}, "/x", "", ("github.com", "localhost:8443"))
    done = subprocess.run(
        ["git", "ls-remote", "--get-url", remote], cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **told},
    )  # fmt: skip
    assert done.stdout.strip() == reached


def test_ssh_elsewhere_is_refused_with_the_way_that_works(tmp_path: Path) -> None:
    guard = tmp_path / environment.SSH_GUARD
    guard.write_text(environment.ssh_guard_script())
    guard.chmod(0o700)
    told = environment.variables({}, "/x", str(guard), ())
    done = subprocess.run(
        ["git", "ls-remote", "ssh://git@code.example:2222/a"], cwd=tmp_path, text=True,
        capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **told},
    )  # fmt: skip
    assert done.returncode == 128
    assert done.stderr.count("git over SSH is refused") == 1
    assert "taskpass credential add" in done.stderr


@pytest.mark.parametrize("action", ["store", "erase", ""])
def test_nothing_is_stored_and_nothing_erased(tmp_path: Path, action: str) -> None:
    helper = tmp_path / environment.HELPER
    helper.write_text(environment.helper_script(1))
    done = subprocess.run(
        ["bash", str(helper), *([action] if action else [])], input="password=x\n",
        capture_output=True, text=True, timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_refusal_that_comes_before_the_question_ends_is_told(tmp_path: Path) -> None:
    """The other end does not read what is too long to its end: what git then writes is lost, and
    the refusal is not."""
    helper = tmp_path / environment.HELPER
    refusal = protocol.refusal(Denied("The question is too long."))
    with socket.create_server(("127.0.0.1", 0)) as server:
        helper.write_text(environment.helper_script(server.getsockname()[1]))
        asking = subprocess.Popen(
            ["bash", str(helper), "get"], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        assert asking.stdin is not None
        asking.stdin.write("a" * 5000)
        asking.stdin.flush()
        connection, _ = server.accept()
        connection.recv(1)
        connection.sendall(refusal)
        connection.close()  # with most of it unread: the kernel resets the connection
        out, err = asking.communicate("a" * 5000 + "\n", timeout=20)
    assert (asking.returncode, out) == (0, "quit=1\n")
    assert err == "taskpass: The question is too long.\n"


def test_without_a_supervisor_git_stops_and_says_why(tmp_path: Path) -> None:
    helper = tmp_path / environment.HELPER
    helper.write_text(environment.helper_script(1))  # where nothing listens
    done = subprocess.run(
        ["bash", str(helper), "get"], input=ASKED.decode(), capture_output=True, text=True,
        timeout=20,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "quit=1\n")
    assert "the supervisor cannot be reached" in done.stderr
