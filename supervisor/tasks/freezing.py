"""Stopping tasks where they stand, until a person thaws them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.grants.book import TaskEntry
from supervisor.ports import TaskControl


async def freeze(entry: TaskEntry, desk: Desk, records: Recorder, by: str) -> None:
    """Refuse everything the task asks for, and stop its processes.

    Raises:
        LaunchFailed: its holder is gone. It is refused all the same.
        LedgerFailed: it is frozen, and that is not on record.
    """
    _refuse(entry, desk)
    await _stop(entry, desk, records, by)


async def freeze_all(entries: Sequence[TaskEntry], desk: Desk, records: Recorder, by: str) -> None:
    """All of them are refused before the first is stopped, and none waits for another.

    Raises:
        TaskpassError: as `freeze`, of the first that failed, once all have been tried.
    """
    for entry in entries:
        _refuse(entry, desk)
    stopping = (_stop(entry, desk, records, by) for entry in entries)
    for result in await asyncio.gather(*stopping, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


def _refuse(entry: TaskEntry, desk: Desk) -> None:
    entry.frozen = True
    desk.changed(entry)


async def _stop(entry: TaskEntry, desk: Desk, records: Recorder, by: str) -> None:
    for control in controls(entry, desk):
        await control.freeze()
    await records.write("task.frozen", entry, by=by)


def controls(entry: TaskEntry, desk: Desk) -> list[TaskControl]:
    """Of all its processes: its own, and those of commands that a person runs under it.

    None of what does not run yet.
    """
    trees = (one.task.id for one in (entry, *entry.trees_below))
    return [desk.runtimes[task].control for task in trees if task in desk.runtimes]
