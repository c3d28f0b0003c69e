"""Limits of a task's memory, processors and processes, by a cgroup of its own (cgroups(7), v2).

Only where the machine delegates: a directory of the cgroup2 tree that this account may write, and
whose controllers it may hand on. That is a systemd scope with `Delegate=yes`, or a container that
owns its tree. rlimits would be poor substitutes (RLIMIT_AS counts address space, RLIMIT_NPROC the
account's every process), so without delegation there are no limits, and that is said.

Who may write the directory can also move a process out of it: in tier A it is not there for the
task, in tier B it cannot be written; an uncontained task is held only by its good manners.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from supervisor.errors import LaunchFailed
from supervisor.model import Limits

_KNOWN = frozenset({"memory", "cpu", "pids"})
_PERIOD = 100_000  # microseconds in which a share of processors is counted; the kernel's default
# Where processes of the delegated directory itself go.
_LEAF = "taskpass-supervisor"
_TRIES, _PAUSE = 50, 0.01  # for processes that fork or die meanwhile

HINT = (
    "`taskpass stop`, then start from a delegated scope: "
    "systemd-run --user --scope -p Delegate=yes taskpass …"
)


@dataclass(frozen=True, slots=True)
class Delegation:
    """What we may set. `path`: directory to make groups in; `reason`: why there is none."""

    path: str = ""
    controllers: frozenset[str] = frozenset()
    reason: str = ""


def limited(limits: Limits) -> bool:
    return bool(limits.memory or limits.cpus or limits.processes)


def missing(limits: Limits, delegation: Delegation) -> str:
    """Why these limits cannot be set here, "" when they can. Pure."""
    lacking = sorted(_needed(limits) - delegation.controllers)
    if not lacking:
        return ""
    if delegation.reason:
        return delegation.reason
    return f"{delegation.path} has no controller for {', '.join(lacking)}"


def settings(limits: Limits) -> dict[str, str]:
    """The group's files and what to write into them. Pure."""
    wanted: dict[str, str] = {}
    if limits.memory:
        wanted["memory.max"] = str(limits.memory)
    if limits.cpus:
        wanted["cpu.max"] = f"{max(1000, round(limits.cpus * _PERIOD))} {_PERIOD}"
    if limits.processes:
        wanted["pids.max"] = str(limits.processes)
    return wanted


def _needed(limits: Limits) -> set[str]:
    return {name.partition(".")[0] for name in settings(limits)}


def delegation(proc: str = "/proc") -> Delegation:
    """What this process's cgroup lets us do."""
    mounted = _mounted(_text(f"{proc}/self/mountinfo"))
    line = next(
        (line for line in _text(f"{proc}/self/cgroup").splitlines() if line.startswith("0::")), ""
    )
    if not mounted or not line:
        return Delegation(reason="no cgroup2 tree is mounted")
    root, point = mounted
    own = line.removeprefix("0::")
    # Bind mounts and cgroup namespaces show a part of the tree, beginning at `root`.
    if root != "/" and (own == root or own.startswith(root + "/")):
        own = own[len(root) :]
    path = os.path.normpath(f"{point}/{own}")
    if os.path.basename(path) == _LEAF:
        path = os.path.dirname(path)
    for needed in ("", "cgroup.procs", "cgroup.subtree_control"):
        if not os.access(os.path.join(path, needed), os.W_OK):
            return Delegation(reason=f"no delegated cgroup ({path} is not this account's)")
    offered = frozenset(_text(f"{path}/cgroup.controllers").split()) & _KNOWN
    if not offered:
        return Delegation(path, reason=f"no controllers are delegated ({path})")
    return Delegation(path, offered)


def _mounted(mountinfo: str) -> tuple[str, str] | None:
    """(root, mount point) of the first cgroup2 mount, as proc_pid_mountinfo(5) lists it."""
    for line in mountinfo.splitlines():
        words = line.split()
        if "-" in words and words[words.index("-") + 1] == "cgroup2":
            return words[3], words[4]
    return None


class Group:
    """One task's cgroup, from before its first process until after its last."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def make(cls, parent: str, task: str, limits: Limits) -> Group:
        """An empty group with these limits set.

        Raises:
            LaunchFailed: the kernel does not let us; nothing is left behind.
        """
        wanted = settings(limits)
        group = of(parent, task)
        try:
            hand_on(Path(parent), sorted(_needed(limits)))
            group.path.mkdir()
            for name, value in wanted.items():
                group._write(name, value)
            if limits.memory and (group.path / "memory.swap.max").exists():
                group._write("memory.swap.max", "0")  # else the limit is one of memory kept apart
        except OSError as error:
            group.remove()
            raise LaunchFailed(
                f"The task's limits cannot be set: {error.strerror} ({error.filename}).", hint=HINT
            ) from error
        return group

    def add(self, pid: int) -> None:
        """Put a process, and all it will start, into the group.

        Raises:
            LaunchFailed: it is not to be moved.
        """
        try:
            self._write("cgroup.procs", str(pid))
        except OSError as error:
            raise LaunchFailed(
                f"The task cannot be put under its limits: {error.strerror}.", hint=HINT
            ) from error

    def kill(self) -> bool:
        """End every process of the group at once; whether the kernel could (5.14)."""
        try:
            self._write("cgroup.kill", "1")
        except OSError:
            return False
        return True

    def hits(self) -> dict[str, int]:
        """How often a limit was met: `memory` (a process was killed), `processes` (none made)."""
        return {
            "memory": _counter(self.path / "memory.events", "oom_kill"),
            "processes": _counter(self.path / "pids.events", "max"),
        }

    @property
    def watched(self) -> list[str]:
        """Files that change when `hits` does (inotify(7))."""
        names = ("memory.events", "pids.events")
        return [str(path) for path in (self.path / name for name in names) if path.exists()]

    def remove(self) -> None:
        """Take the empty group away. Its last processes may take a moment to leave."""
        for _ in range(_TRIES):
            try:
                self.path.rmdir()
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(_PAUSE)
            else:
                return

    def _write(self, name: str, value: str) -> None:
        with open(self.path / name, "w") as file:
            file.write(value)


def of(parent: str, task: str) -> Group:
    """The group of a task, whether it is there or not."""
    return Group(Path(parent, f"taskpass-{task}"))


def hand_on(parent: Path, controllers: Iterable[str]) -> None:
    """Let groups below `parent` use these controllers. Raises OSError.

    A group that hands controllers on must hold no process itself, but for the tree's own root: what
    is in it goes to a leaf of ours.
    """
    control = parent / "cgroup.subtree_control"
    lacking = [name for name in controllers if name not in _text(str(control)).split()]
    if not lacking:
        return
    words = " ".join(f"+{name}" for name in lacking)
    for attempt in range(_TRIES):
        try:
            control.write_text(words)
        except OSError:  # EBUSY: it has processes of its own
            if attempt == _TRIES - 1:
                raise
            _move_all(parent, parent / _LEAF)
            time.sleep(_PAUSE if attempt else 0)
        else:
            return


def _move_all(origin: Path, leaf: Path) -> None:
    leaf.mkdir(exist_ok=True)
    for pid in _text(str(origin / "cgroup.procs")).split():
        with contextlib.suppress(ProcessLookupError):
            (leaf / "cgroup.procs").write_text(pid)


def _counter(path: Path, name: str) -> int:
    counts: Mapping[str, str] = dict(
        line.split(maxsplit=1) for line in _text(str(path)).splitlines() if " " in line
    )
    return int(counts.get(name, "0"))


def _text(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""
