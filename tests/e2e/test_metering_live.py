"""Screens are told what a task costs."""

from __future__ import annotations

from supervisor.client import AsyncClient
from supervisor.protocol.wire import StartTask, TaskChanged, TaskView
from tests.support.live import Install


async def test_who_watches_is_told_what_a_task_costs(install: Install) -> None:
    client = AsyncClient()
    await client.connect()
    events = client.events()
    await anext(events)
    busy = ("sh", "-c", "while :; do :; done & wait")
    request = StartTask(argv=busy, cwd=str(install.project), environ=install.environ)
    task = (await client.start_task(request)).task.id
    shown: TaskView | None = None
    async for event in events:
        if isinstance(event, TaskChanged):
            shown = event.task
            if shown.cpu_pct > 5 and not shown.ended:
                assert shown.processes >= 2, "the shell, and the one it has started"
                assert shown.rss_bytes >= 1 << 20
                await client.revoke_task(task)
            if shown.ended:
                break
    await events.aclose()
    await client.close()
    assert shown
    assert (shown.cpu_pct, shown.rss_bytes, shown.processes) == (0, 0, 0)


async def test_a_program_that_tells_nothing_is_idle_until_it_computes(install: Install) -> None:
    client = AsyncClient()
    await client.connect()
    events = client.events()
    await anext(events)
    wakes = ("sh", "-c", "until [ -e go ]; do sleep 0.5; done; while :; do :; done")
    request = StartTask(argv=wakes, cwd=str(install.project), environ=install.environ)
    task = (await client.start_task(request)).task.id
    seen: list[str] = []
    async for event in events:
        if not isinstance(event, TaskChanged):
            continue
        if event.task.state not in seen[-1:]:
            seen.append(event.task.state)
            if event.task.state == "idle":
                (install.project / "go").touch()
            elif seen[-2:] == ["idle", "working"]:
                await client.revoke_task(task)
        if event.task.ended:
            break
    await events.aclose()
    await client.close()
    assert seen[seen.index("idle") :][:2] == ["idle", "working"]
