"""What is on the disk about a running task: a restarted supervisor takes it over by that.

All of it is in the task's own directory, 0600: the token that its holder knows us by is in it.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from supervisor.errors import LaunchFailed
from supervisor.model import Task
from supervisor.paths import Paths
from supervisor.policy.source import PolicySource
from supervisor.process.holder import screen_token
from supervisor.protocol import wire

_FILE = "task.json"
_SOCKET = "holder.sock"
_PID = "holder.pid"


class TaskFile(msgspec.Struct, frozen=True):
    """How a task was started, as far as serving it needs that."""

    task: Task
    number: int
    token: str
    hook_token: str
    ports: dict[str, int]
    model_hosts: tuple[str, ...]
    process_handle: str
    pane: bool
    tools_online: bool = True  # see `ports.LaunchPlan`
    tightening: tuple[PolicySource, ...] = ()  # what its project asked for when it began
    marks: dict[str, str] = {}  # of what is guarded (`process.unchanged`) …
    folders: tuple[str, ...] = ()  # … but for these in it
    way_out: dict[str, str] = {}  # see `ways_out.WaysOut.of`


def save(folder: Path, saved: TaskFile) -> None:
    """Raises OSError."""
    _write(folder / _FILE, msgspec.json.encode(saved))


def load(folder: Path) -> TaskFile:
    """Raises OSError, msgspec.MsgspecError."""
    return msgspec.json.decode((folder / _FILE).read_bytes(), type=TaskFile)


def folders(paths: Paths) -> list[Path]:
    """Directories of all tasks, of those too that are gone."""
    return sorted((paths.runtime / "tasks").glob("t-*"))


def holder_socket(folder: Path) -> str:
    """Where a task's holder listens."""
    return str(folder / _SOCKET)


def save_holder(folder: Path, pid: int) -> None:
    """Raises OSError."""
    _write(folder / _PID, str(pid).encode())


def agent_dir(folder: Path) -> Path:
    """What the task itself may see of its directory."""
    return folder / "agent"


def place(folder: Path) -> wire.Attached:
    """Where a screen finds a task's pane.

    Raises:
        LaunchFailed: the task is gone.
    """
    try:
        saved = load(folder)
    except OSError:
        raise LaunchFailed("The task has ended and its terminal is gone.") from None
    return wire.Attached(socket=holder_socket(folder), token=screen_token(saved.token))


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
