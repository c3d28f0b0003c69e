"""`taskpass demo`, as a newcomer runs it: an empty home, with and without a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.demo.story import of_step
from tests.support.bwrap import find_bwrap
from tests.support.live import wait_for

DEMO = [sys.executable, "-I", "-m", "supervisor.cli.main", "demo"]
WORDS = (
    "user", "agent", "runtime", "task", "allow", "ask", "approved", "denied", "expired", "revoked",
)  # fmt: skip
LEADER = b"\x1c"


@pytest.fixture
def newcomer(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has never run anything."""
    home = tmp_path / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": f"{Path(find_bwrap()).parent}:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
    }


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """The demo's directory and processes are gone afterwards."""
    before = installs()
    yield
    wait_for(lambda: installs() <= before, "the demo's directory to go")
    wait_for(lambda: not processes() - before, "the demo's processes to end")


def installs() -> set[str]:
    return {str(path) for path in Path("/tmp").glob("taskpass-demo-*")}


def processes() -> set[str]:
    """Demo installs that a process still runs in."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        for word in words.replace(b"=", b"\0").split(b"\0"):
            if word.startswith(b"/tmp/taskpass-demo-"):
                found.add("/".join(word.decode().split("/")[:3]))
    return found


def run(environ: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, *words],
        env=environ,
        cwd=environ["HOME"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
    )


def assert_whole_story(told: subprocess.CompletedProcess[str]) -> None:
    assert told.returncode == 0, told.stdout + told.stderr
    assert told.stderr == ""
    for word in WORDS:
        assert word in told.stdout, f"{word!r} is not in\n{told.stdout}"
    # Each part of the story, in its order.
    parts = (
        "allow    GET", "answers 200", "deny     cat .env", "a stand-in for each credential",
        "ask      POST", "approved", "ask      DELETE", "denied", "the connection was cut",
        "has expired", "revoked in", "processes are ended", "sent to it directly: 401", "ok: All",
    )  # fmt: skip
    at = 0
    for part in parts:
        found = told.stdout.find(part, at)
        assert found >= 0, f"{part!r} does not follow in\n{told.stdout}"
        at = found


def test_the_story_in_a_container(newcomer: dict[str, str]) -> None:
    told = run(newcomer)
    assert_whole_story(told)
    assert "tier A" in told.stdout
    assert os.listdir(newcomer["HOME"]) == []  # nothing of the person's was touched


def test_the_story_without_bubblewrap(newcomer: dict[str, str], tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "bash", "cat"):
        (programs / name).symlink_to(f"/bin/{name}")
    told = run(newcomer | {"PATH": str(programs)})
    assert_whole_story(told)
    assert "tier B" in told.stdout
    assert "bubblewrap is not installed" in told.stdout


def test_it_ends_cleanly_in_the_middle(newcomer: dict[str, str]) -> None:
    demo = subprocess.Popen(
        DEMO, env=newcomer, cwd=newcomer["HOME"], stdout=subprocess.PIPE, text=True
    )
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("4."):
            break
    demo.terminate()
    demo.stdout.close()
    assert demo.wait(60) == 128 + 15


def test_a_task_does_not_start_it(newcomer: dict[str, str]) -> None:
    refused = run(newcomer | {"TASKPASS_TASK": "t-1"})
    assert refused.returncode != 0
    assert "inside one already" in refused.stderr


class Terminal:
    """The demo in a terminal of 120×40, and a person's keys."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.screen = b""
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.chdir(environ["HOME"])
            os.execve(DEMO[0], DEMO, environ | {"COLUMNS": "120", "LINES": "40"})

    def shows(self, text: str, patience: float = 60.0) -> None:
        """Wait until `text` has been drawn since the last key."""
        deadline = time.monotonic() + patience
        while text.encode() not in self.screen:
            left = deadline - time.monotonic()
            assert left > 0, f"never drawn: {text!r} in {self.screen[-3000:]!r}"
            if select.select([self.master], [], [], left)[0]:
                self.screen += os.read(self.master, 65536)

    def press(self, keys: bytes) -> None:
        self.screen = b""
        os.write(self.master, keys)

    def ended(self) -> tuple[int, str]:
        """Exit code and what it drew to the end."""
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                break
            self.screen += data
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status), self.screen.decode(errors="replace")

    def close(self) -> None:
        """The window is closed, whatever runs in it."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1
        if self.pid:
            os.waitpid(self.pid, 0)
            self.pid = 0


@pytest.fixture
def terminal(newcomer: dict[str, str]) -> Iterator[Terminal]:
    demo = Terminal(newcomer)
    yield demo
    demo.close()


def test_a_person_answers_and_revokes_in_the_workspace(terminal: Terminal) -> None:
    demo = terminal
    demo.shows("wants")
    demo.press(LEADER + b"a")
    demo.shows("armed")
    demo.press(b"O")
    demo.shows("approved")
    demo.shows("HIGH")
    demo.press(LEADER + b"d")
    demo.shows("denied")
    demo.shows("/tickets/7/events line 1")
    demo.press(LEADER + b"x")
    demo.shows("revoked")
    demo.press(LEADER + b"q")
    code, words = demo.ended()
    assert code == 0
    assert "task 1 answer ticket 7" in words
    assert "2 asked, 2 denied" in words or "2 asked, 1 denied" in words
    assert "now revoked" in words
    assert "verify" in words


def test_a_closed_terminal_ends_it(terminal: Terminal) -> None:
    terminal.shows("./desk GET /tickets/7")
    terminal.close()


def test_records_belong_to_the_step_that_made_them() -> None:
    records = [
        {"seq": 1, "kind": "call.opened", "agent_call_id": "call-1", "call": "c-1"},
        {"seq": 2, "kind": "call.denied", "agent_call_id": "call-2", "call": "c-2"},
        {"seq": 3, "kind": "use.intent", "call": "c-1", "use": "u-1"},
        {"seq": 4, "kind": "use.delivered", "use": "u-1"},
        {"seq": 5, "kind": "use.delivered", "use": "u-9"},
        {"seq": 6, "kind": "call.settled", "call": "c-1"},
    ]
    assert [record["seq"] for record in of_step(records, 1)] == [1, 3, 4, 6]
