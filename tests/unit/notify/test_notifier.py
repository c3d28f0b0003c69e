"""Who is told, by which way, and who is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from supervisor.model import ApprovalRequest
from supervisor.notify import desktop, notifier
from supervisor.notify.notifier import DELAY, Notifier
from supervisor.notify.words import Waiting
from tests.support.fake_client import approval

SENDER = """#!/bin/sh
printf '%s\\n' "$@" >> "$HOME/shown"
echo >> "$HOME/shown"
"""


class Told:
    """A webhook that writes down, over a queue of requests, by a clock that tests turn."""

    def __init__(self, *, on_desktop: bool = False) -> None:
        self.queue: list[ApprovalRequest] = []
        self.told: list[list[str]] = []
        self.now = 0.0
        self.heard = asyncio.Event()
        self.notifier = Notifier(
            lambda: self.queue, lambda request: Waiting(request, 1, "codex"),
            on_desktop=on_desktop, webhook=self._tell, ticks=lambda: self.now,
        )  # fmt: skip

    async def _tell(self, waiting: Sequence[Waiting]) -> None:
        self.told.append([one.request.id for one in waiting])
        self.heard.set()

    async def ask(self, *numbers: int) -> None:
        self.queue += [approval(number) for number in numbers]
        self.notifier.heard()
        await asyncio.sleep(0)

    async def turn(self, seconds: float) -> None:
        self.now += seconds
        self.notifier.heard()
        await asyncio.sleep(0)


async def test_what_still_waits_after_a_moment_is_told_together() -> None:
    it = Told()
    await it.ask(1, 2)
    assert it.told == []
    await it.turn(DELAY)
    assert it.told == [["a-1", "a-2"]]
    await it.turn(100.0)
    assert it.told == [["a-1", "a-2"]]
    it.notifier.close()


async def test_what_was_answered_or_looked_at_meanwhile_is_not() -> None:
    it = Told()
    await it.ask(1, 2, 3)
    it.notifier.noticed(["a-1"], looked_at=True)
    it.notifier.noticed(["a-2"], looked_at=False)  # the desktop knows; a webhook is for elsewhere
    it.queue.pop()
    await it.turn(DELAY)
    assert it.told == [["a-2"]]
    it.notifier.close()


async def test_it_tells_by_itself_when_the_moment_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notifier, "DELAY", 0.01)
    it = Told()
    it.notifier._ticks = asyncio.get_running_loop().time
    await it.ask(1)
    async with asyncio.timeout(5):
        await it.heard.wait()
    assert it.told == [["a-1"]]
    it.notifier.close()


async def test_the_desktop_is_told_by_notify_send(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "notify-send").write_text(SENDER)
    (tmp_path / "notify-send").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    monkeypatch.setenv("API_TOKEN", "not for it")
    it = Told(on_desktop=True)
    await it.ask(1)
    it.notifier.noticed(["a-9"], looked_at=False)
    await it.turn(DELAY)
    assert it.notifier._desktop is not None
    await asyncio.gather(*it.notifier._desktop.sending)
    assert (tmp_path / "shown").read_text().splitlines() == [
        "--app-name=taskpass", "--urgency=normal", "--", "taskpass: 1 approval waits",
        "task 1, codex: http, medium risk", "",
    ]  # fmt: skip
    it.notifier.close()


def test_no_desktop_is_asked_where_there_is_none(tmp_path: Path) -> None:
    assert not desktop.available({"PATH": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": "unix:x"})
    (tmp_path / "notify-send").write_text(SENDER)
    (tmp_path / "notify-send").chmod(0o755)
    assert not desktop.available({"PATH": str(tmp_path)})
    assert desktop.available({"PATH": str(tmp_path), "DBUS_SESSION_BUS_ADDRESS": "unix:x"})
    (tmp_path / "bus").touch()
    assert desktop.available({"PATH": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)})
