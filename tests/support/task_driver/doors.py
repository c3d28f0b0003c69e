"""Files from outside in a running container."""

# ruff: noqa: ASYNC240 - this program has one thing to do at a time

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from supervisor.model import FileDoor
from supervisor.protocol import holder_wire
from tests.support.task_driver.driver import PATIENCE, Driver, until

_OBEYS = """
while :; do
  if [ -f ask ]; then sh ./ask > answer.new 2>&1; rm ask; mv answer.new answer; fi
  sleep 0.01
done
"""


async def doors(driver: Driver) -> dict[str, Any]:
    """Files from outside in a running container, from two empty directories.

    `below`: one in the home; `outside`: one that is not.
    """
    home, outside = Path(driver.settings["below"]), Path(driver.settings["outside"])
    for place in (home, outside):
        (place / "notes").mkdir()
        (place / "notes/todo").write_text("real\n")
        (place / "notes/other").write_text("nobody's business\n")
    (home / "sly").mkdir()
    (home / "sly/file").write_text("real\n")
    (home / "linked").symlink_to(outside / "notes")
    await driver.spawn(("/bin/sh", "-c", _OBEYS), stdio=False)
    reader = await driver.adopt()
    await driver.next(reader, holder_wire.Spawned)

    async def told(script: str) -> list[str]:
        (driver.workspace / "ask.new").write_text(script)
        (driver.workspace / "ask.new").rename(driver.workspace / "ask")
        answer = driver.workspace / "answer"
        await until(answer.exists)
        text = answer.read_text()
        answer.unlink()
        return text.splitlines()

    async def opened(call: str, *doors: FileDoor) -> str:
        driver.tell(holder_wire.OpenDoors(call=call, doors=doors))
        return str((await driver.next(reader, holder_wire.DoorsAnswered)).problem)

    async def closed(call: str, *, publish: bool = True) -> list[str]:
        driver.tell(holder_wire.CloseDoors(call=call, publish=publish))
        answer = await driver.next(reader, holder_wire.DoorsAnswered)
        return [answer.problem, *answer.published]

    def door(path: Path, *, write: bool = False, source: Path | None = None) -> FileDoor:
        return FileDoor(str(path), str(source or path), write)

    found: dict[str, Any] = {}
    for place in (home, outside):
        todo, made = place / "notes/todo", place / "fresh/deep/made"
        seen = found["home" if place == home else "outside"] = {}
        seen["before"] = await told(f"cat {todo}; ls {place}")
        seen["open"] = await opened("c-1", door(todo, write=True), door(made, write=True))
        seen["during"] = await told(
            f"cat {todo}; echo more >> {todo}; ls {place}/notes; cat {place}/notes/other; "
            f"mkdir -p {place}/fresh/deep; echo made > {made}; chmod 4755 {made}; "
            f"echo beside > {place}/fresh/deep/beside; rm -f {todo}"
        )
        seen["not_yet"] = made.exists()
        seen["close"] = await closed("c-1")
        seen["after"] = await told(f"cat {todo}; echo x > {todo}; cat {made}")
        seen["real"] = [todo.read_text(), made.read_text(), oct(made.stat().st_mode & 0o7777)]
        seen["beside"] = (place / "fresh/deep/beside").exists()
        await opened("c-2", door(todo))
        seen["read_only"] = await told(f"cat {todo}; (echo x > {todo}) 2>/dev/null || echo refused")
        await closed("c-2")
        await opened("c-3", door(place / "dropped", write=True))
        await told(f"echo x > {place}/dropped")
        await closed("c-3", publish=False)
        await opened("c-4", door(place / "taken", write=True))
        await told(f"echo theirs > {place}/taken")
        (place / "taken").write_text("mine")
        seen["taken"] = [*(await closed("c-4")), (place / "taken").read_text()]
        seen["dropped"] = (place / "dropped").exists()
        await opened("c-5", door(place / "notes"))
        seen["directory"] = await told(f"cat {place}/notes/other; touch {place}/notes/new")
        await closed("c-5")
    await opened("c-0", door(home / "tree", write=True))
    await told(f"mkdir -p {home}/tree/deep; echo leaf > {home}/tree/deep/leaf")
    await closed("c-0")
    await opened("c-13", door(home / "vast", write=True), door(home / "pipe", write=True))
    await told(f"truncate -s 4G {home}/vast; mkfifo {home}/pipe")
    found["vast"] = await closed("c-13")
    found["vast_there"] = (home / "vast").exists() or (home / "pipe").exists()
    found["tree"] = (home / "tree/deep/leaf").read_text()
    linked = home / "linked/todo"
    await opened("c-6", door(linked, source=outside / "notes/todo"))
    found["linked"] = await told(f"cat {linked}")
    await closed("c-6")
    await told(f"rm -rf {home}/sly; ln -s /etc {home}/sly")
    found["sly"] = await opened("c-7", door(home / "sly/file", write=True))
    found["covered"] = await opened("c-8", door(Path("/usr/bin/env"), write=True))
    (home / "notes/link").symlink_to("/etc/hostname")
    found["swapped"] = await opened("c-9", door(home / "notes/link", write=True))
    await opened("c-10", door(home / "notes/todo", write=True))
    found["two"] = await opened("c-11", door(home / "notes/other"))
    await closed("c-10")
    found["other_stays"] = await told(f"cat {home}/notes/other; cat {home}/notes/todo")
    # A new daemon knows none of the calls.
    reader = await driver.adopt()
    found["adopted_again"] = await until_told(told, f"cat {home}/notes/other", "No such file")
    await opened("c-12", door(home / "notes/todo", write=True))
    killed = await driver.kill(reader)
    found["left"] = killed.left
    found["mounted"] = [line for line in Path("/proc/self/mountinfo").read_text().splitlines()
                        if str(home) in line or "skeleton" in line]  # fmt: skip
    found["real"] = (home / "notes/todo").read_text()
    return found


async def until_told(
    told: Callable[[str], Awaitable[list[str]]], script: str, wanted: str
) -> list[str]:
    """What the task says once `wanted` is part of it."""
    end = time.monotonic() + PATIENCE
    while True:
        answer = await told(script)
        if any(wanted in line for line in answer):
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"the task says {answer}, not {wanted}")
