"""A task's process tree: stop it, let it go on, end it, whatever it forks meanwhile.

The holder is a child subreaper (prctl(2)), so a daemonised process stays below it. Stopping
before killing is what beats a tree that forks faster than we list it: a stopped process forks
no more, so the passes end.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time

from supervisor import procfs
from supervisor.model import Process
from supervisor.procfs import Stat


def _send(entry: Stat, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(entry.pid, number)


def _members(top: int, include_top: bool) -> list[Stat]:
    """All of the tree, for which every process of the machine is read."""
    return _alive(top, include_top, procfs.descendants(top))


def _near(top: int, include_top: bool) -> list[Stat]:
    """What is found of the tree at once: a process that forks and ends all the time is gone
    before all processes of a busy machine are read. That it is empty says nothing."""
    return _alive(top, include_top, procfs.children_of(top))


def _alive(top: int, include_top: bool, below: list[Stat]) -> list[Stat]:
    own = procfs.stat(top) if include_top else None
    return [entry for entry in (own, *below) if entry is not None and entry.alive]


def _running(members: list[Stat]) -> list[Stat]:
    return [entry for entry in members if entry.state not in "Tt"]


def freeze(top: int, *, include_top: bool, deadline: float = 2.0) -> int:
    """Stop the tree below `top` (SIGSTOP), parents first; returns how many are stopped.

    Parents first and, in `thaw`, children first: so a shell with job control does not see a
    stopped child and take its terminal back. `deadline` in seconds.
    """
    end = time.monotonic() + deadline
    while True:
        running = _running(_near(top, include_top))
        if not running or time.monotonic() > end:
            members = _members(top, include_top)
            running = _running(members)
            if not running or time.monotonic() > end:
                return len(members) - len(running)
        for entry in running:
            _send(entry, signal.SIGSTOP)
        time.sleep(0)


def thaw(top: int, *, include_top: bool) -> int:
    """Let the tree below `top` go on (SIGCONT), children first; returns how many."""
    members = _members(top, include_top)
    for entry in reversed(members):
        _send(entry, signal.SIGCONT)
    return len(members)


def kill_below(top: int, *, deadline: float = 5.0) -> int:
    """End every process below `top`; returns how many are left. Reaping is the caller's."""
    if top == os.getpid() and not _has_children():
        return 0  # as after most tasks; to list all processes of the machine takes milliseconds
    end = time.monotonic() + deadline
    while True:
        alive = _near(top, include_top=False)
        if not alive or time.monotonic() > end:
            alive = _members(top, include_top=False)
            if not alive or time.monotonic() > end:
                return len(alive)
        for entry in alive:
            _send(entry, signal.SIGSTOP)
        for entry in alive:
            _send(entry, signal.SIGKILL)
        # Zombies are left for `reap`: whoever waits for the root needs its exit status.
        time.sleep(0.0005)


def kill_tree(top: Process, *, deadline: float = 5.0) -> int:
    """End one process and all below it, others' children; returns how many are left.

    All of it stands still before any of it is ended: what loses its parent is found no more.
    """
    if not procfs.lives(top):
        return 0
    freeze(top.pid, include_top=True, deadline=deadline)
    members = _members(top.pid, include_top=True)
    for entry in members:
        _send(entry, signal.SIGKILL)
    end = time.monotonic() + deadline
    while left := sum(procfs.lives(entry.process) for entry in members):
        if time.monotonic() > end:
            break
        time.sleep(0.0005)
    return left


def _has_children() -> bool:
    """Whether this process has any, zombies included. Without one there is nothing below it: who
    loses its parent becomes ours."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def kill_namespace(init: int, *, deadline: float = 5.0) -> int:
    """End a pid namespace by its init as seen from outside; returns 0 when it is gone, else 1.

    The kernel kills every member before init itself can be reaped, so one wait tells all.
    """
    try:
        pidfd = os.pidfd_open(init)
    except ProcessLookupError:
        return 0
    try:
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        return 0 if poller.poll(deadline * 1000) else 1
    finally:
        os.close(pidfd)


def reap() -> list[tuple[int, int]]:
    """Collect ended children: (pid, exit code or 128 + signal). Never blocks."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        code = os.waitstatus_to_exitcode(status)
        ended.append((pid, code if code >= 0 else 128 - code))
