"""How a task starts, survives, is frozen and ends."""

# ruff: noqa: ASYNC230, ASYNC240 - this program has one thing to do at a time

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from supervisor import procfs
from supervisor.model import Process
from supervisor.process.holder import screen_token
from supervisor.protocol import holder_wire
from tests.support.task_driver.driver import PATIENCE, TOKEN, Driver, peer_of, until


async def waits(driver: Driver) -> dict[str, Any]:
    """The agent must not run before Adopt, nor before Stdio."""
    marker = driver.workspace / "ran"
    await driver.spawn(("/bin/sh", "-c", "touch ran"))

    def programs() -> list[str]:
        holder = peer_of(driver.socket)
        below = procfs.descendants(holder.pid)
        return [Path(f"/proc/{entry.pid}/cmdline").read_text() for entry in below]

    before_adopt = programs()
    reader = await driver.adopt()
    before_stdio = programs()
    ran_early = marker.exists()
    with open(os.devnull, "w") as null:
        driver.give_stdio(null.fileno())
    await driver.next(reader, holder_wire.Exited)
    return {
        "before_adopt": before_adopt,
        "before_stdio": before_stdio,
        "ran_early": ran_early,
        "ran": marker.exists(),
        "events": driver.names(),
    }


async def survives(driver: Driver) -> dict[str, Any]:
    """The daemon and the zygote go; the agent stays, and can be adopted again."""
    await driver.spawn(("/bin/sh", "-c", "echo $$ > pid; exec sleep 1000"), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, holder_wire.Spawned)
    first, root = driver.adopted, driver.root
    assert root is not None
    await driver.zygote.close()
    driver.writer.close()
    wrong = ""
    try:
        await driver.adopt("another token")
    except OSError as error:
        wrong = type(error).__name__
    try:
        await driver.adopt(screen_token(TOKEN))
        wrong = "a screen adopted the task"
    except OSError:
        pass
    reader = await driver.adopt()
    second, same_root = driver.adopted, driver.root == root
    alive = procfs.lives(root)
    killed = await driver.kill(reader)
    assert first is not None
    assert second is not None
    return {
        "wrong_token": wrong,
        "same_ports": first.ports == second.ports,
        "same_root": same_root,
        "alive": alive,
        "left": killed.left,
        "gone": not procfs.lives(root),
    }


_FORKER = """
import os, sys, time, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
def spin(): # forks a copy of itself every 2 ms and ends: outruns a listing
    while True:
        time.sleep(0.002)
        if os.fork(): os._exit(0)
        os.setsid()
        with open("count", "a") as f: f.write("x")
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0: spin()
    os._exit(0)
for i in range(5):
    if os.fork() == 0:
        os.setsid()
        while True: time.sleep(1)
while True: time.sleep(1)
"""


async def tree(driver: Driver) -> dict[str, Any]:
    """Freeze, thaw and kill a tree that daemonises and forks as fast as it can."""
    await driver.spawn((driver.settings["python"], "-c", _FORKER), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, holder_wire.Spawned)
    holder = peer_of(driver.socket)
    count = driver.workspace / "count"

    def size() -> int:
        return count.stat().st_size if count.exists() else 0

    await until(lambda: size() > 20)
    driver.tell(holder_wire.Freeze())
    root = driver.root
    assert root is not None
    await until(lambda: (s := procfs.stat(root.pid)) is not None and s.state == "T")
    frozen_at = await _settled(size)
    driver.tell(holder_wire.Thaw())
    await until(lambda: size() > frozen_at + 5)
    stopped = procfs.stat(root.pid)
    members = procfs.descendants(holder.pid)
    killed = await driver.kill(reader)
    return {
        "frozen_at": frozen_at,
        "thawed": stopped is not None and stopped.state != "T",
        "left": killed.left,
        "took_ms": killed.took_ms,
        "survivors": [entry.pid for entry in members if procfs.lives(entry.process)],
        "still_counting": await _grows(size),
    }


async def _settled(size: Callable[[], int]) -> int:
    """The size once it has not changed for a while; fails when it never settles."""
    end = time.monotonic() + PATIENCE
    last, since = size(), time.monotonic()
    while time.monotonic() < end:
        await asyncio.sleep(0.01)
        if size() != last:
            last, since = size(), time.monotonic()
        elif time.monotonic() - since > 0.3:
            return last
    raise TimeoutError("the frozen tree goes on")


async def _grows(size: Callable[[], int]) -> bool:
    try:
        before = size()
        return await _settled(size) != before
    except TimeoutError:
        return True


async def hangup(driver: Driver) -> dict[str, Any]:
    """SIGTERM to the holder ends the task: a machine that goes down leaves nothing running."""
    root = await _holder_killed(driver, signal.SIGTERM)
    await until(lambda: not os.path.exists(driver.socket))
    return {"agent_lives": procfs.lives(root), "socket_left": os.path.exists(driver.socket)}


async def crash(driver: Driver) -> dict[str, Any]:
    """The agent never outlives its holder."""
    root = await _holder_killed(driver, signal.SIGKILL)
    return {"agent_lives": procfs.lives(root)}


async def _holder_killed(driver: Driver, how: signal.Signals) -> Process:
    """A task whose holder was sent a signal; its agent, once that is gone."""
    await driver.spawn(("/bin/sleep", "1000"), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, holder_wire.Spawned)
    root = driver.root
    assert root is not None
    assert procfs.lives(root)
    os.kill(peer_of(driver.socket).pid, how)
    await until(lambda: not procfs.lives(root))
    return root
