"""Stopping a task where it stands, until a person thaws it."""

from __future__ import annotations

from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.grants.book import TaskEntry


async def freeze(entry: TaskEntry, desk: Desk, records: Recorder, by: str) -> None:
    """Refuse everything the task asks for, and stop its processes.

    Raises:
        LaunchFailed: its holder is gone. It is refused all the same.
        LedgerFailed: it is frozen, and that is not on record.
    """
    entry.frozen = True
    desk.changed(entry)
    await desk.runtimes[entry.task.id].control.freeze()
    await records.write("task.frozen", entry, by=by)
