"""A terminal is recorded where a person asks for it: sealed, without secrets, through a restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal

from tests.support.live import TASKPASS, Install, wait_for
from tests.support.terminal import Terminal

SECRET = "sk_live_q7dXyN0s3bq0mD5lXoAh1x0x9oW4"
PROGRAM = f"echo hello from here; echo {SECRET}; read a; echo second part; read b; echo third part"


def running(install: Install, command: str) -> Terminal:
    return Terminal(
        [*TASKPASS, "run", "--record", "--", "bash", "-c", command],
        cwd=install.project, environ=install.environ, cols=90, rows=20,
    )  # fmt: skip


async def test_a_recording_outlives_its_supervisor_and_holds_no_secret(install: Install) -> None:
    install.set_up()
    added = install.cli("credential", "add", "api", "--host", "api.example", stdin=SECRET + "\n")
    assert added.returncode == 0, added.stderr
    async with running(install, PROGRAM) as terminal:
        await terminal.shows("hello from here")
        listed = await asyncio.to_thread(install.cli, "recording", "--json")
        view = json.loads(listed.stdout)
        assert view["running"] is True
        os.kill(install.daemon_pid(), signal.SIGKILL)
        wait_for(lambda: len(install.records("daemon.started")) > 1, "another supervisor")
        wait_for(lambda: len(install.records("recording.started")) > 1, "its recording")
        terminal.press("enter")
        await terminal.shows("second part")
        terminal.press("enter")
        wait_for(lambda: install.records("recording.ended"), "the end of the recording")
    told = install.cli("recording").stdout
    assert "stops without its end" in told, "a supervisor was killed"
    task = view["task"]

    for file in (install.paths.state / "recordings").iterdir():
        raw = file.read_bytes()
        assert file.stat().st_mode & 0o777 == 0o600
        assert b"hello" not in raw
        assert SECRET.encode() not in raw
    cast = install.project / "past.cast"
    assert install.cli("recording", task, "--cast", str(cast)).returncode == 0
    header, *events = [json.loads(line) for line in cast.read_text().splitlines()]
    assert (header["version"], header["width"]) == (2, 90)
    shown = "".join(event[2] for event in events)
    for words in ("hello from here", "second part", "third part"):
        assert words in shown
    assert SECRET[:12] not in shown
    assert "••••" in shown
    assert [event[0] for event in events] == sorted(event[0] for event in events)

    assert install.cli("recording", task, "--remove").stdout == "Removed.\n"
    assert "Nothing was recorded" in install.cli("recording").stdout
    gone = install.cli("recording", task, "--cast", str(install.project / "other.cast"))
    assert gone.returncode == 1
    assert "Nothing of this task was recorded" in gone.stderr


async def test_nothing_is_recorded_unasked_and_an_altered_one_is_told(install: Install) -> None:
    install.set_up()
    async with Terminal(
        [*TASKPASS, "run", "--", "bash", "-c", "echo unseen; read a"],
        cwd=install.project, environ=install.environ, cols=90, rows=20,
    ) as terminal:  # fmt: skip
        await terminal.shows("unseen")
        terminal.press("enter")
        assert await terminal.exit_code() == 0
    assert "Nothing was recorded" in install.cli("recording").stdout
    headless = install.cli("run", "--headless", "--record", "--", "true")
    assert headless.returncode == 2
    assert "nothing to record" in headless.stderr
    async with running(install, "echo some words; read a") as terminal:
        await terminal.shows("some words")
        terminal.press("enter")
        assert await terminal.exit_code() == 0
    wait_for(lambda: install.records("recording.ended"), "the end of the recording")
    (file,) = (install.paths.state / "recordings").iterdir()
    assert "whole" in install.cli("recording").stdout
    raw = bytearray(file.read_bytes())
    raw[-60] ^= 1
    file.write_bytes(raw)
    task = install.records("recording.ended")[0]["task"]
    broken = install.cli("recording", task, "--cast", str(install.project / "x.cast"))
    assert broken.returncode == 1
    assert "was altered" in broken.stderr
