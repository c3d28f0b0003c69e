"""What a contained task's plan (`ports.Containment`) means, whatever enforces it. Pure."""

from __future__ import annotations

import hashlib
import os

import msgspec

from supervisor.errors import LaunchFailed
from supervisor.ports import Containment

# Less to more.
MODES = ("off", "standard", "strict")

# In the task's directory: what stands in the place of a masked directory, and in it, of a file.
NOTICE = "kept"
NOTICE_FILE = "README"


def within(path: str, directory: str) -> bool:
    """Whether `path` is `directory` or lies below it; by their names alone."""
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def anchors(plan: Containment, guard: str, cwd: str) -> list[str]:
    """Directories between a guarded path and the writable place that it lies in, outermost first.

    Each of them could be moved away with the guard in it, unless it is held in its place. That
    costs: nothing can be renamed across it (`git mv`). So in standard the directory that a task
    starts in, and those around it, are not held.
    """
    roots = [path for path in plan.writable if path != guard and within(guard, path)]
    if not roots:
        return []
    found = []
    parent = os.path.dirname(guard)
    while parent != max(roots, key=len):
        if plan.mode == "strict" or not within(cwd, parent):
            found.append(parent)
        parent = os.path.dirname(parent)
    return found[::-1]


def digest(plan: Containment, task_dir: str) -> str:
    """`sha256:<hex>` of the whole plan, the same for every task that has it."""
    text = msgspec.json.encode(plan).replace(task_dir.encode(), b"TASK")
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def check_workspace(plan: Containment, cwd: str, home: str) -> None:
    """Refuse a workspace that would bring in what containment keeps out.

    Raises:
        LaunchFailed: it holds the home, lies in something kept out, or does not hold `cwd`.
    """
    workspace = plan.workspace
    if within(home, workspace):
        raise LaunchFailed(
            f"{workspace} holds your home directory, so nothing could be kept from the agent.",
            hint="Start in a project directory, or pass --contain off.",
        )
    for path in plan.absent:
        if within(workspace, path):
            raise LaunchFailed(
                f"{workspace} lies inside {path}, which is kept from every task.",
                hint="Start in a project directory.",
            )
    if not within(cwd, workspace):
        raise LaunchFailed(
            f"{cwd} is not inside the workspace {workspace}.",
            hint="Start inside the workspace.",
        )
