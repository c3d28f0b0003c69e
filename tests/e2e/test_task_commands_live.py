"""The commands for scripts, beside a running task."""

from __future__ import annotations

import asyncio
import json

from tests.support.live import TASKPASS, Install, wait_for
from tests.support.terminal import Terminal


def test_a_task_is_listed_told_of_and_revoked_by_its_number(install: Install) -> None:
    task = install.popen("run", "--headless", "--purpose", "wait a while", "--", "sleep", "300")
    listed = wait_for(lambda: _line(install, "wait a while"), "the task to be listed")
    assert listed.split()[0] == "1"
    assert "sleep (generic)" in listed
    assert "tier A " in listed
    told = install.cli("history", "1").stdout.splitlines()
    assert "task.started" in told[0]
    every = install.cli("history").stdout.splitlines()
    assert len(every) > len(told), "the history of one task is not that of all"
    revoked = install.cli("revoke", "1")
    assert revoked.stdout.startswith("revoked: 1 task, 0 leases dead"), revoked.stderr
    assert task.wait(30) != 0
    assert "Nothing is recorded of task t-unknown." in install.cli("history", "t-unknown").stdout


def test_a_script_waits_for_a_state(install: Install) -> None:
    task = install.popen("run", "--headless", "--purpose", "wait a while", "--", "sleep", "300")
    wait_for(lambda: _line(install, "wait a while"), "the task to be listed")
    reached = install.cli("wait", "1", "--until", "working,idle").stdout
    assert reached in ("task 1: working\n", "task 1: idle\n")
    late = install.cli("wait", "1", "--until", "frozen", "--timeout", "0.2")
    assert late.returncode == 4
    assert "Task 1 is not frozen after 0.2 s." in late.stderr
    waiting = install.popen("wait", "1", "--until", "frozen", "--json")
    assert install.cli("freeze", "1").returncode == 0
    assert json.loads(waiting.communicate(timeout=30)[0])["task"]["state"] == "frozen"
    assert install.cli("resume", "1").stdout == "resumed: 1 wait a while\n"
    never = install.popen("wait", "1", "--until", "waiting-approval")
    revoked = json.loads(install.cli("revoke", "1", "--json").stdout)
    assert len(revoked["tasks"]) == 1
    assert never.wait(30) == 1, "it cannot come to that any more"
    assert task.wait(30) != 0
    wrong = install.cli("wait", "1", "--until", "happy")
    assert wrong.returncode == 2
    assert "there is no state 'happy'" in wrong.stderr
    assert install.cli("approvals", "list").stdout == "Nothing waits for an answer.\n"


async def test_a_tasks_terminal_is_read_and_shown_again_elsewhere(install: Install) -> None:
    program = "seq 500; printf 'last words'; read answer; echo got $answer; read more"
    async with Terminal(
        [*TASKPASS, "run", "--", "bash", "-c", program],
        cwd=install.project, environ=install.environ, cols=90, rows=20,
    ) as first:  # fmt: skip
        await first.shows("last words")
        read = await asyncio.to_thread(install.cli, "logs", "1")
        assert read.stdout.splitlines() == [*map(str, range(1, 501)), "last words"]
        last = await asyncio.to_thread(install.cli, "logs", "-n", "2", "1")
        assert last.stdout.splitlines() == ["500", "last words"]
        async with Terminal(
            [*TASKPASS, "attach", "1"],
            cwd=install.project, environ=install.environ, cols=70, rows=15,
        ) as second:  # fmt: skip
            await second.shows("500\nlast words")
            second.type("yes")
            second.press("enter")
            await second.shows("got yes")
            await first.shows("got yes")
            second.press("ctrl+backslash", "q")
            assert await second.exit_code() == 0
        assert await asyncio.to_thread(_line, install, "seq 500")
    refused = await asyncio.to_thread(install.cli, "attach", "1")
    assert "A task is shown in a terminal." in refused.stderr


def test_what_has_no_terminal_says_so(install: Install) -> None:
    task = install.popen("run", "--headless", "--purpose", "wait a while", "--", "sleep", "300")
    wait_for(lambda: _line(install, "wait a while"), "the task to be listed")
    assert "was started with --headless" in install.cli("logs", "1").stderr
    install.cli("revoke", "1")
    assert task.wait(30) != 0
    assert "Task 1 has ended" in install.cli("logs", "1").stderr


def _line(install: Install, purpose: str) -> str:
    lines = install.cli("ps").stdout.splitlines()
    lives = ("working", "idle")  # as nothing tells of a program without hooks but what it uses
    return next((line for line in lines if purpose in line and line.split()[1] in lives), "")
