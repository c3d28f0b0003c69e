"""What running tasks cost: processor, memory and processes of each, told to who watches.

Of a program that says nothing of its turns this also tells whether it works or is idle.

Read by the daemon, for all tasks together and only while a screen follows the events: a holder
has its agent's terminal to keep up with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

from supervisor import procfs
from supervisor.core import Engine
from supervisor.model import Process, TaskState, Usage

_PACE = 2.0  # seconds between two looks
_QUIET = 2  # looks at a program that does nothing, before it is idle
_MEGABYTE = 1 << 20

_BY_USE = frozenset({TaskState.WORKING, TaskState.IDLE})  # what use alone tells apart

_members = procfs.children_of if procfs.LISTS_CHILDREN else procfs.descendants


class Meter:
    """Looks at trees of processes again and again. Not for several threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[int, tuple[float, float]] = {}  # top → when, and seconds used until then

    def look(self, top: int) -> Usage:
        """What runs below this pid, and what it has used of the processors since the last look.

        A process that ends leaves its time with who waited for it, be it `top` itself: nothing is
        lost of what lives for a moment only.
        """
        below = [entry.pid for entry in _members(top) if entry.alive]
        uses = [use for use in map(procfs.use, below) if use is not None]
        own = procfs.use(top)
        spent = sum(use.cpu + use.waited for use in uses) + (own.waited if own else 0.0)
        now = self._clock()
        when, before = self._last.get(top, (now, spent))
        self._last[top] = (now, spent)
        cpu = 100 * max(0.0, spent - before) / (now - when) if now > when else 0.0
        return Usage(cpu, sum(use.rss for use in uses), len(uses))

    def keep(self, tops: set[int]) -> None:
        """Forget all but these."""
        self._last = {top: last for top, last in self._last.items() if top in tops}


class Rest:
    """Whether a program works, by what it uses: it does while it computes or starts processes."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[int, int]] = {}  # task → its processes, quiet looks at it

    def state(self, task: str, usage: Usage) -> TaskState:
        """After a look that found `usage`, as `rounded`."""
        processes, quiet = self._last.get(task, (0, 0))
        quiet = quiet + 1 if usage.processes == processes and not usage.cpu_pct else 0
        self._last[task] = (usage.processes, quiet)
        return TaskState.IDLE if quiet >= _QUIET else TaskState.WORKING

    def keep(self, tasks: Collection[str]) -> None:
        """Forget all but these."""
        self._last = {task: last for task, last in self._last.items() if task in tasks}


def rounded(usage: Usage) -> Usage:
    """As exact as it is shown: in whole per cents and megabytes a task at rest is at rest."""
    memory = round(usage.rss_bytes / _MEGABYTE) * _MEGABYTE
    return Usage(float(round(usage.cpu_pct)), memory, usage.processes)


async def meter(
    engine: Engine, holders: Mapping[str, Process], watched: Callable[[], bool]
) -> None:
    """Keep `usage` of all tasks current and tell of its changes, while somebody watches."""
    looking, rest = Meter(), Rest()
    while True:
        await asyncio.sleep(_PACE)
        if not watched():
            continue
        tops = {task: holder.pid for task, holder in holders.items()}
        looking.keep(set(tops.values()))
        rest.keep(tops)
        for task, top in tops.items():
            usage = rounded(await asyncio.to_thread(looking.look, top))
            entry = engine.book.task(task)
            if entry.ended:
                continue
            if not engine.desk.runtimes[task].profile.tells_turns and entry.activity in _BY_USE:
                engine.desk.set_activity(entry, rest.state(task, usage))
            if entry.usage != usage:
                entry.usage = usage
                engine.desk.changed(entry)
