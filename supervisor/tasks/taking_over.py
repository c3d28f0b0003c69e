"""Tasks that an earlier supervisor left running are taken over, with no authority."""

from __future__ import annotations

import contextlib
import logging
import shutil
from pathlib import Path

import msgspec

from supervisor.errors import TaskpassError
from supervisor.grants.book import TaskEntry
from supervisor.grants.recovery import Recovered
from supervisor.ports import PolicyEngine, TaskControl
from supervisor.tasks import saved, standing_in
from supervisor.tasks.launch import Launcher
from supervisor.tasks.saved import TaskFile

log = logging.getLogger("supervisor")


async def take_over(launcher: Launcher, recovered: Recovered) -> None:
    """Adopt what runs.

    Those that were revoked are killed. So is one whose launch was interrupted: whoever started
    it has heard of a failure. And so are a person's own commands under tasks: what bounded them
    is gone.
    """
    engine, lifecycle = launcher.engine, launcher.lifecycle
    placeholders = launcher.containing.placeholders
    for folder in saved.folders(launcher.paths):
        try:
            entry = await _adopt(launcher, folder, saved.load(folder), recovered)
        except (OSError, msgspec.MsgspecError, TaskpassError) as error:
            log.info("task %s is gone: %s", folder.name, error)
            shutil.rmtree(folder, ignore_errors=True)
            placeholders.release(folder.name)
            with contextlib.suppress(TaskpassError):
                await lifecycle.ended(folder.name, 125)
            continue
        control = engine.desk.runtimes[entry.task.id].control
        if entry.revoked:
            engine.desk.spawn(_kill(control))
        elif (entry.root is None or entry.task.parent) and not entry.ended:
            during = "the launch" if entry.root is None else "this command under another task"
            await lifecycle.fail(entry, f"the supervisor ended during {during}")
            engine.desk.spawn(_kill(control))
        elif not (entry.frozen or entry.ended):
            # A call that stood still while its request was asked about runs on, refused.
            await control.thaw()
    placeholders.sweep()
    engine.desk.spawn(launcher.adopting.reviews.keep_left())


async def _adopt(
    launcher: Launcher, folder: Path, task_file: TaskFile, recovered: Recovered
) -> TaskEntry:
    task = task_file.task
    profile = launcher.find_profile(task.argv, task.agent.profile)
    policy = launcher.policies.for_task(task.preset, task_file.tightening)
    entry = _remember(launcher, task_file, policy, recovered)
    launcher.containing.placeholders.adopt(task.id, task.runtime.guarded)
    await standing_in.restore(launcher.engine.vault, task)
    await launcher.adopting.adopt(
        entry, profile, policy, task_file, folder, task_file.process_handle
    )
    for child in recovered.children.get(task.id, ()):
        launcher.engine.children.restore(entry, child)
    return entry


def _remember(
    launcher: Launcher, task_file: TaskFile, policy: PolicyEngine, recovered: Recovered
) -> TaskEntry:
    task = task_file.task.id
    entry = launcher.engine.book.add_task(
        task_file.task,
        epoch=recovered.epochs.get(task, 1),
        number=0 if task_file.task.parent else task_file.number,
    )
    entry.pane = task_file.pane
    entry.policy = policy.digest
    entry.revoked = task in recovered.epochs
    entry.frozen = task in recovered.frozen
    entry.revoked_grants.update(recovered.revoked_grants.get(task, ()))
    return entry


async def _kill(control: TaskControl) -> None:
    await control.kill()
