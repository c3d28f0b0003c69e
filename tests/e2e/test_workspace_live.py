"""The workspace over a live supervisor, as a person sees it in a terminal."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time

from tests.support.live import TASKPASS, ApiServer, Install, until
from tests.support.repositories import a_repository
from tests.support.terminal import Terminal
from tests.support.workspace import LEADER, LIVE, start


def workspace(install: Install, cols: int = 120, rows: int = 40) -> Terminal:
    return Terminal(TASKPASS, cwd=install.project, environ=install.environ, cols=cols, rows=rows)


def run(install: Install, purpose: str, *more: str) -> Terminal:
    """`taskpass run -- sh` in a terminal of its own."""
    words = ["run", "--purpose", purpose, *more, "--", "sh"]
    return Terminal([*TASKPASS, *words], cwd=install.project, environ=install.environ)


def enter(terminal: Terminal, line: str) -> None:
    terminal.type(line)
    terminal.press("enter")


async def test_two_tasks_side_by_side_then_one_then_none(install: Install) -> None:
    async with workspace(install) as screen:
        await screen.shows("No task runs")
        await start(screen, "sh", "first job")
        enter(screen, "echo one-$((20 + 1))")
        await screen.shows("one-21")
        await start(screen, "sh", "second job")
        enter(screen, "echo two-$((20 + 2))")
        await screen.shows("two-22")
        assert "one-21" in screen.text(), "both panes are live"
        await screen.shows(r"taskpass +\S+ › \S+ \(generic\) › \w+ › second job")
        screen.press(LEADER, "z")
        await screen.shows(r"(?s)^(?!.*one-21).*two-22")
        await screen.shows(r"taskpass +\S+ › \S+ \(generic\) › \w+ › second job")
        screen.press(LEADER, "z", LEADER, "1", LEADER, "f")
        await screen.shows("❄ frozen · first job")
        screen.press(LEADER, "f")
        await screen.shows(f"{LIVE} · first job")
        enter(screen, "exit 3")
        await screen.shows("■ ended, exit code 3 · first job")
        screen.press(LEADER, "2", LEADER, "x")
        await screen.shows("✕ revoked · second job")
        screen.press(LEADER, "q")
        assert await screen.exit_code() == 0


async def test_detached_and_attached_again(install: Install) -> None:
    async with run(install, "long job") as terminal:
        await terminal.shows("› long job")
        enter(terminal, "echo kept-$((40 + 2))")
        await terminal.shows("kept-42")
        terminal.press(LEADER, "q")
        assert await terminal.exit_code() == 0
        await terminal.shows("1 task goes on. `taskpass` returns.")
    async with workspace(install, 80, 24) as screen:
        await screen.shows("kept-42")
        await screen.shows(r"\S+ › \S+ (\(generic\) )?› \w+ › long job")
        enter(screen, "exit 0")
        await screen.shows("1■")


async def test_looking_on_reflows_nobody(install: Install) -> None:
    async with run(install, "mine") as terminal:
        await terminal.shows("› mine")
        enter(terminal, "stty size")
        await terminal.shows("35 100")
        async with workspace(install, 80, 24) as screen:
            await screen.shows("35 100")
            enter(terminal, "echo again; stty size")
            await terminal.shows(r"again\s+35 100")
            enter(screen, "echo there; stty size")
            await screen.shows(r"there\s+21 80")


async def test_panes_live_on_when_the_supervisor_is_killed(install: Install) -> None:
    async with workspace(install) as screen:
        await screen.shows("No task runs")
        await start(screen, "sh", "first job")
        await start(screen, "sh", "second job")
        killed = await asyncio.to_thread(install.daemon_pid)
        os.kill(killed, signal.SIGKILL)
        await screen.shows("supervisor lost – reconnecting")
        enter(screen, "echo alive-$((40 + 2))")
        await screen.shows("alive-42")
        await screen.shows("tier A contained")
        await until(lambda: install.daemon_pid() not in (0, killed), "another supervisor")
        await screen.shows(rf"1 \S+ · {LIVE} · first job")
        await screen.shows(rf"2 \S+ · {LIVE} · second job")
        screen.press(LEADER, "x")
        await screen.shows("✕ revoked · second job")
        assert re.search(f"{LIVE} · first job", screen.text())


async def test_a_dead_holder_loses_its_own_task_alone(install: Install, api: ApiServer) -> None:
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'
    async with workspace(install) as screen:
        await screen.shows("No task runs")
        await start(screen, "sh", "first job")
        await start(screen, "sh", "second job")
        enter(screen, f"{curl}/me")
        await screen.shows("hello")
        snapshot = await asyncio.to_thread(install.cli, "ps", "--json")
        first, second = json.loads(snapshot.stdout)["tasks"]
        holder = install.paths.runtime / "tasks" / second["id"] / "holder.pid"
        os.kill(int(holder.read_text()), signal.SIGKILL)
        await screen.shows("† lost · second job")
        await screen.shows(r"GRANTS +task 2 +0 live")
        assert re.search(f"{LIVE} · first job", screen.text())
        screen.press(LEADER, "1")
        enter(screen, "echo alive-$((40 + 2))")
        await screen.shows("alive-42")
    (lost,) = await asyncio.to_thread(install.records, "task.lost")
    assert lost["task"] == second["id"]
    assert first["id"] != second["id"]


async def test_nothing_on_the_screen_is_lost_with_screen_and_supervisor(install: Install) -> None:
    async with run(install, "long job") as terminal:
        await terminal.shows("› long job")
        enter(terminal, "seq 10000; echo kept-$((40 + 2))")
        await terminal.shows("kept-42")
        terminal.kill()
    os.kill(await asyncio.to_thread(install.daemon_pid), signal.SIGKILL)
    began = time.monotonic()
    async with workspace(install) as screen:
        await screen.shows(r"9999\W+10000\W+kept-42")
        print(f"attached again after {time.monotonic() - began:.2f} s, supervisor and all")
        await screen.shows(f"{LIVE} · long job")
    printed = (await asyncio.to_thread(install.cli, "logs", "1")).stdout.splitlines()
    assert printed[1:10_001] == [str(number) for number in range(1, 10_001)]
    assert printed[10_001] == "kept-42"


async def test_uncontained_is_said_in_words(install: Install) -> None:
    async with run(install, "loose job", "--contain", "off") as terminal:
        await terminal.shows("uncontained")
        for cols, rows in ((120, 40), (80, 24)):
            async with workspace(install, cols, rows) as screen:
                header = await screen.shows("(?m)^.* › loose job.*$")
                assert "uncontained" in header[0]


async def test_one_grant_is_revoked_from_the_list(install: Install, api: ApiServer) -> None:
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'
    async with run(install, "ask the api") as terminal:
        await terminal.shows("› ask the api")
        enter(terminal, f"{curl}/me")
        await terminal.shows("hello")
        async with workspace(install) as screen:
            await screen.shows(r"GRANTS +task 1 +1 live")
            screen.press(LEADER, "g")
            await screen.shows("x revoke it")
            screen.press("x")
            await screen.shows(r"revoked: \d+ leases? dead in \d+ ms")
            await screen.shows("No grant is live")
            screen.press("escape")
            enter(terminal, f"clear; {curl}/again")
            await terminal.shows("(?i)revoked")
        assert api.accepted == ["GET /me"]
    records = await asyncio.to_thread(install.records, "grant.revoked")
    assert len(records) == 1
    assert re.fullmatch(r"\S+@\S+", records[0]["by"])


async def test_one_key_freezes_all_and_once_more_ends_all(install: Install, api: ApiServer) -> None:
    curl = f'curl -sS -m 10 -H "Authorization: Bearer $API_TOKEN" https://{api.host}'
    async with workspace(install) as screen:
        await screen.shows("No task runs")
        await start(screen, "sh", "first job")
        enter(screen, f"{curl}/me")
        await screen.shows("hello")
        await start(screen, "sh", "second job")
        screen.press(LEADER, "X")
        await screen.shows("2 of 2 tasks frozen +X again within")
        await screen.shows("❄ frozen · first job")
        screen.press("x")  # any other key leaves it so
        screen.press(LEADER, "X", "X")
        await screen.shows(r"every task: (\d+) of \1 confirmed dead · refused in \d+ ms")
        await screen.shows("task 1 dash +first job +✓ refused and cut +✓ process tree gone")
        await screen.shows("task 2 dash +second job +✓ refused and cut +✓ process tree gone")
        await screen.shows("✓ .*cut on the wire")
        await screen.shows("✕ revoked · second job")
    killed = await asyncio.to_thread(install.records, "task.killed")
    assert [one["processes_left"] for one in killed] == [0, 0]
    frozen = await asyncio.to_thread(install.records, "task.frozen")
    assert len(frozen) == 2


async def test_a_task_in_a_work_tree_of_its_own(install: Install) -> None:
    await asyncio.to_thread(a_repository, install.project / "shop")
    async with workspace(install) as screen:
        await screen.shows("No task runs")
        screen.press(LEADER, "n")
        await screen.shows("Agent or command")
        screen.type("sh")
        screen.press("tab")
        screen.type("Fix it")
        screen.press("tab")
        screen.type("/shop")
        screen.press("tab", "pagedown")
        await screen.shows("agent/fix-it")
        screen.press("enter")
        await screen.shows(f"{LIVE} · Fix it · fix-it @ agent/fix-it")
        enter(screen, "git -c user.name=a -c user.email=a@example.com commit -q --allow-empty -m x")
        enter(screen, "git log --oneline | wc -l; git branch --show-current")
        await screen.shows(r"\b2\W+agent/fix-it")
        # The same again cannot be: git's own reason, in one sentence.
        screen.press(LEADER, "n")
        await screen.shows("Agent or command")
        screen.press("tab")
        screen.type("Fix it")
        screen.press("tab", "tab", "pagedown", "enter")
        await screen.shows("git made no work tree: a branch named 'agent/fix-it' already exists.")


async def test_locked_secrets_are_unlocked_on_the_screen(install: Install, api: ApiServer) -> None:
    words = ("credential", "protect", "passphrase")
    await asyncio.to_thread(install.cli, *words, stdin="correct horse\n")
    await asyncio.to_thread(install.cli, "stop")
    async with workspace(install) as screen:
        await screen.shows(r"secrets are locked · \^\\ u unlocks")
        screen.press(LEADER, "u")
        await screen.shows("Passphrase, kept in")
        screen.type("wrong horse")
        screen.press("enter")
        await screen.shows("wrong passphrase")
        screen.type("correct horse")
        screen.press("enter")
        await screen.shows("The secrets are unlocked.")
        await screen.shows("(?s)^(?!.*secrets are locked)")
        await start(screen, "sh", "ask the api")
        enter(screen, f'curl -sS -H "Authorization: Bearer $API_TOKEN" https://{api.host}/me')
        await screen.shows("hello")
        assert "correct horse" not in screen.text()
