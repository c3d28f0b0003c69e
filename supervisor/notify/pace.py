"""What a person is told of, and when: once a request, together what comes together, never a flood.

Pure: whoever uses it says what waits, what the person is looking at, and what time it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

GAP: Final = 5.0  # seconds between two notifications
MOST: Final = 6  # notifications a minute
_MINUTE: Final = 60.0


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be told now, all of it in one notification, and when to ask again.

    Attributes:
        ids: of requests; () for nothing now.
        again: seconds; None when nothing is left to be told.
    """

    ids: tuple[str, ...] = ()
    again: float | None = None


class Pace:
    """Keeps in mind what was told. One for each way of telling.

    Args:
        delay: seconds a request waits before it is told: what is answered or seen meanwhile is not.
    """

    def __init__(self, *, delay: float = 0.0) -> None:
        self._delay = delay
        self._since: dict[str, float] = {}  # not told yet → when it came
        self._told: set[str] = set()
        self._times: deque[float] = deque(maxlen=MOST)  # of the last notifications

    def due(self, waiting: Collection[str], seen: Collection[str], now: float) -> Due:
        """Ask whenever something has come, and when it said so.

        Args:
            waiting: ids of all requests that wait, oldest first.
            seen: those that the person looks at, or was told of otherwise.
            now: seconds of any clock that only goes forward.
        """
        self._told = (self._told & set(waiting)) | (set(seen) & set(waiting))
        new = [one for one in waiting if one not in self._told]
        self._since = {one: self._since.get(one, now) for one in new}
        if not new:
            return Due()
        at = min(self._since.values()) + self._delay
        if self._times:
            at = max(at, self._times[-1] + GAP)
        if len(self._times) == MOST:
            at = max(at, self._times[0] + _MINUTE)
        if now < at:
            return Due(again=at - now)
        self._times.append(now)
        self._told |= set(new)
        self._since = {}
        return Due(tuple(new))
