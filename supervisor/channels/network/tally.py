"""Which refused attempts are worth a record each, and which are only counted. Pure.

The first attempt at a target is told at once, up to a number of targets; repeats, and whatever a
scan tries beyond that, are summed up now and then. So a task that hammers one port, or tries all
of them, leaves a bounded number of records and every attempt is in one of them.
"""

from __future__ import annotations

from collections import deque

from supervisor.ports import Attempt

_TOLD = 24  # targets told at once, each
_KNOWN = 256  # targets counted each for itself; of the others only how many there were
_SCAN_WINDOW, _SCAN_TARGETS = 1.0, 3  # seconds, and new targets in them that are no scan yet


class Tally:
    """Of one task."""

    def __init__(self) -> None:
        self._known: set[Attempt] = set()
        self._repeats: dict[Attempt, int] = {}
        self._others = 0
        self._fresh: deque[float] = deque(maxlen=_SCAN_TARGETS + 1)

    def add(self, attempt: Attempt, now: float) -> tuple[bool, bool]:
        """(tell it at once, it is at a new target). Otherwise it is in the next summary."""
        if attempt in self._known:
            self._repeats[attempt] = self._repeats.get(attempt, 0) + 1
            return False, False
        if len(self._known) >= _KNOWN:
            self._others += 1
            return False, False
        self._known.add(attempt)
        self._fresh.append(now)
        if len(self._known) > _TOLD:
            self._repeats[attempt] = 1
            return False, True
        return True, True

    def scanning(self, now: float) -> bool:
        """Whether so many new targets came just now that nobody meant each of them."""
        return sum(now - at <= _SCAN_WINDOW for at in self._fresh) > _SCAN_TARGETS

    def lost(self, count: int) -> None:
        """So many were not seen one by one."""
        self._others += count

    def summary(self) -> list[tuple[Attempt, int]]:
        """What was counted since the last summary: the most frequent targets, and the rest."""
        counted = sorted(self._repeats.items(), key=lambda item: -item[1])
        rest = counted[_TOLD:]
        others = self._others + sum(times for _, times in rest)
        self._repeats.clear()
        self._others = 0
        told = counted[:_TOLD]
        if others:
            told.append((Attempt("any", "", 0, "further targets"), others))
        return told
