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
