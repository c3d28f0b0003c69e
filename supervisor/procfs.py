"""Processes as the kernel names them: raw reads of /proc (proc(5)), fast enough for a hot path.

psutil costs ten times as much per process; every read here is one open, one read, one close.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
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


@dataclass(frozen=True, slots=True)
class Use:
    """What a process has used. `cpu`: seconds of its own; `waited`: of children that have ended,
    and of theirs; `rss`: bytes that it has in memory now, those that it shares with others too."""

    cpu: float
    waited: float
    rss: int


def stat(pid: int) -> Stat | None:
    """The process with this pid now, None when there is none."""
    if (fields := _fields(pid)) is None:
        return None
    return Stat(pid, int(fields[1]), int(fields[19]), chr(fields[0][0]))


def use(pid: int) -> Use | None:
    """What the process with this pid has used, None when there is none."""
    if (fields := _fields(pid)) is None:
        return None
    own, waited = int(fields[11]) + int(fields[12]), int(fields[13]) + int(fields[14])
    return Use(own / _TICKS, waited / _TICKS, int(fields[21]) * _PAGE)


def _fields(pid: int) -> list[bytes] | None:
    """Fields 3 to 24 of /proc/PID/stat, and the rest in one."""
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
    return line[line.rindex(b")") + 2 :].split(None, 22)


def ticks() -> int:
    """This moment as `Process.start_time` counts: a process started from now on has no less."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) * _TICKS // 1_000_000_000


_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def arguments(pid: int) -> tuple[str, ...]:
    """The command line of a process, () when it has none or is gone. It can change its own."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read()
    except OSError:
        return ()
    return tuple(os.fsdecode(line).split("\0")[:-1])


def lives(process: Process) -> bool:
    """Whether this very process (not another one with its pid) still exists and runs."""
    found = stat(process.pid)
    return found is not None and found.start == process.start_time and found.alive


def processes() -> list[Stat]:
    """All processes visible to us. A process may end or appear while this reads."""
    return _stats(_pids())


def descendants(top: int) -> list[Stat]:
    """All processes below `top`, parents before their children; `top` itself is not in it."""
    return _below([top], _by_parent(processes()))


def children_of(top: int) -> list[Stat]:
    """As `descendants`, from the kernel's own lists of children: in the time that the tree takes,
    not the machine.

    A child that ends while a list is read may hide another (proc(5), `children`), and a kernel may
    keep no lists (`LISTS_CHILDREN`): that nothing is found says nothing.
    """
    found: list[Stat] = []
    waiting = [top]
    while waiting:
        below = _stats(_listed(waiting.pop()))
        found.extend(below)
        waiting.extend(entry.pid for entry in below)
    return found


def _listed(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # it ended, or the kernel keeps no lists
    return found


# Whether the kernel keeps lists of children (CONFIG_PROC_CHILDREN).
LISTS_CHILDREN = os.path.exists("/proc/thread-self/children")


class Tree:
    """The processes below `top`, read again and again.

    Most of what runs on a machine is not in the tree and never will be: a process gets a new
    parent only among its own ancestors. Such pids are remembered and not read again for a second,
    far less than the numbers need to come round to one of them. To list all of /proc takes most of
    the time: for a moment after that, only what has started since is listed.
    """

    def __init__(self, top: int) -> None:
        self.top = top
        self._others: set[int] = set()
        self._forget_at = 0.0
        self._listed = 0.0  # when all of /proc was
        self._newest = 0  # the pid given out last, just before
        self._known: set[int] = set()  # what is there and no stranger

    def members(self) -> list[Stat]:
        """As `descendants`."""
        now = time.monotonic()
        if now >= self._forget_at:
            self._others.clear()
            self._newest = 0
            self._forget_at = now + _REMEMBER
        newest = _newest()
        if 0 < self._newest <= newest and now - self._listed < _RECENT:
            begun = {pid for pid in _pids(self._newest) if self._newest < pid <= newest}
            pids = self._known | begun
        else:
            pids = _pids()
            self._others &= pids
            # Some pids below may be given out, and their processes not be in the list yet.
            self._newest, self._listed = max(0, newest - _ON_THE_WAY), now
        entries = _stats(pids - self._others)
        by_parent = _by_parent(entries)
        tree = _below([self.top], by_parent)
        by_parent.pop(self.top, None)
        # Only what hangs on a known stranger is one: a parent that ended while we read breaks
        # the chain, and its child may well be in the tree.
        self._others.update(entry.pid for entry in _below([0, *self._others], by_parent))
        self._known = {entry.pid for entry in entries} - self._others
        return tree


_REMEMBER, _RECENT = 1.0, 0.2  # seconds
_ON_THE_WAY = 64  # pids
# Where the kernel's list of processes in /proc begins: pid N is at this place and N, or one or two
# further (fs/proc/base.c, `TGID_OFFSET`), after all that are lower.
_FIRST_PROCESS = 256


def _newest() -> int:
    """The pid that the kernel gave out last, 0 where it does not say.

    Pids are given out upwards, and from the lowest again when the highest is reached.
    """
    try:
        fd = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        try:
            # In some containers another program answers in the kernel's place.
            if os.fstat(fd).st_dev != _PROC:
                return 0
            return int(os.read(fd, 128).split()[-1])
        finally:
            os.close(fd)
    except (OSError, ValueError, IndexError):
        return 0


def _device(path: str) -> int:
    try:
        return os.stat(path).st_dev
    except OSError:
        return -1


_PROC = _device("/proc/self/")


def _pids(beyond: int = 0) -> set[int]:
    """Of all processes; or of those with a higher pid, and maybe some with a lower one."""
    if not beyond:
        names = os.listdir("/proc")
    else:
        fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.lseek(fd, _FIRST_PROCESS + beyond, os.SEEK_SET)
            names = os.listdir(fd)
        finally:
            os.close(fd)
    return {int(name) for name in names if name[0] in "123456789"}


def _stats(pids: Iterable[int]) -> list[Stat]:
    return [entry for entry in map(stat, pids) if entry is not None]


def _by_parent(entries: Iterable[Stat]) -> dict[int, list[Stat]]:
    children: dict[int, list[Stat]] = {}
    for entry in entries:
        children.setdefault(entry.parent, []).append(entry)
    return children


def _below(tops: Iterable[int], by_parent: dict[int, list[Stat]]) -> list[Stat]:
    found: list[Stat] = []
    waiting = list(tops)
    while waiting:
        below = by_parent.get(waiting.pop(), ())
        found.extend(below)
        waiting.extend(entry.pid for entry in below)
    return found


def ancestors(pid: int, limit: int = 128, *, top: int = 1) -> list[Stat]:
    """The process and its ancestors, nearest first, ending before pid 1 or with `top`; empty when
    it is gone.

    A parent that is younger than its child is a reused pid: the walk ends there.
    """
    chain: list[Stat] = []
    while pid > 1 and len(chain) < limit:
        entry = stat(pid)
        if entry is None or (chain and entry.start > chain[-1].start):
            break
        chain.append(entry)
        if pid == top:
            break
        pid = entry.parent
    return chain
