"""Processes as the kernel names them: raw reads of /proc (proc(5)), fast enough for a hot path.

psutil costs ten times as much per process; every read here is one open, one read, one close.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from supervisor.model import Process

_STAT_BYTES = 2048  # a whole /proc/PID/stat line: 52 numbers and a name of at most 64 bytes


@dataclass(frozen=True, slots=True)
class Stat:
    """What we use of /proc/PID/stat. `start`: clock ticks after boot (field 22)."""

    pid: int
    parent: int
    start: int
    state: str  # "R", "S", "D", "T" stopped, "t" traced, "Z" zombie, "X" dead

    @property
    def process(self) -> Process:
        return Process(self.pid, self.start)

    @property
    def alive(self) -> bool:
        return self.state not in "ZX"


def stat(pid: int) -> Stat | None:
    """The process with this pid now, None when there is none."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(fd, _STAT_BYTES)
    except OSError:  # ESRCH: it ended between open and read
        return None
    finally:
        os.close(fd)
    # The name (field 2) may hold spaces and brackets: fields start behind the last bracket.
    fields = line[line.rindex(b")") + 2 :].split(None, 20)
    return Stat(pid, int(fields[1]), int(fields[19]), chr(fields[0][0]))


def lives(process: Process) -> bool:
    """Whether this very process (not another one with its pid) still exists and runs."""
    found = stat(process.pid)
    return found is not None and found.start == process.start_time and found.alive


def processes() -> list[Stat]:
    """All processes visible to us. A process may end or appear while this reads."""
    found = (stat(int(name)) for name in os.listdir("/proc") if name[0] in "123456789")
    return [entry for entry in found if entry is not None]


def descendants(top: int) -> list[Stat]:
    """All processes below `top`, parents before their children; `top` itself is not in it."""
    children: dict[int, list[Stat]] = {}
    for entry in processes():
        children.setdefault(entry.parent, []).append(entry)
    tree: list[Stat] = []
    waiting = [top]
    while waiting:
        below = children.get(waiting.pop(), ())
        tree.extend(below)
        waiting.extend(entry.pid for entry in below)
    return tree


def ancestors(pid: int, limit: int = 128) -> list[Stat]:
    """The process and its ancestors, nearest first, ending before pid 1; empty when it is gone.

    A parent that is younger than its child is a reused pid: the walk ends there.
    """
    chain: list[Stat] = []
    while pid > 1 and len(chain) < limit:
        entry = stat(pid)
        if entry is None or (chain and entry.start > chain[-1].start):
            break
        chain.append(entry)
        pid = entry.parent
    return chain
