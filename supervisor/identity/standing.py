"""Chains of processes that were looked at, and stand as long as each of them lives.

A process keeps its parent until that ends, and its pid and start time until itself does. So a
chain that was walked once holds until one of its pidfds says that a process has ended
(pidfd_open(2)): one system call for a chain, where reading /proc costs several for each process.
"""

from __future__ import annotations

import contextlib
import os
import select
from collections import OrderedDict
from collections.abc import Callable, Sequence

from supervisor.model import Process

_KEPT = 32  # chains
_LONGEST = 8  # processes of one; each costs a descriptor


class _Chain:
    """Raises OSError: a process is gone, or there are no descriptors left."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self.processes = list(processes)
        self._ended = select.poll()
        self._pidfds: list[int] = []
        try:
            for process in processes:
                self._pidfds.append(os.pidfd_open(process.pid))
                self._ended.register(self._pidfds[-1], select.POLLIN)
        except OSError:
            self.close()
            raise

    @property
    def stands(self) -> bool:
        return not self._ended.poll(0)

    def close(self) -> None:
        while self._pidfds:
            os.close(self._pidfds.pop())


class StandingChains:
    """The chains of one task, by the process that each begins with."""

    def __init__(self) -> None:
        self._chains: OrderedDict[Process, _Chain] = OrderedDict()

    def of(self, process: Process) -> list[Process]:
        """The chain that begins with `process`, if it is known and stands; else empty."""
        chain = self._chains.get(process)
        if chain is None:
            return []
        if not chain.stands:
            self._drop(process)
            return []
        self._chains.move_to_end(process)
        return list(chain.processes)

    def keep(self, processes: Sequence[Process], still: Callable[[Process], bool]) -> bool:
        """Know a chain that was walked; whether it was whole while it was looked at once more.

        Args:
            still: whether this very process lives. Asked after the pidfds are open, so that none
                of them is of another process that has taken a pid.
        """
        chain: _Chain | None = None
        if len(processes) <= _LONGEST:
            with contextlib.suppress(OSError):  # it is walked each time, then
                chain = _Chain(processes)
        whole = all(still(process) for process in processes)
        if chain is None:
            return whole
        if not whole:
            chain.close()
            return False
        fallen = [first for first, kept in self._chains.items() if not kept.stands]
        self._drop(processes[0], *fallen)
        if len(self._chains) >= _KEPT:
            self._drop(next(iter(self._chains)))
        self._chains[processes[0]] = chain
        return True

    def _drop(self, *first: Process) -> None:
        for process in first:
            if (chain := self._chains.pop(process, None)) is not None:
                chain.close()

    def close(self) -> None:
        self._drop(*list(self._chains))
