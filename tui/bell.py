"""When the person is told, outside the screen, that something waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from supervisor.notify.pace import Pace
from supervisor.protocol import wire
from tui.text import clip, program
from tui.world import Batch

_LONGEST = 160  # cells


class Bell:
    """Rings as `Pace` says: at once, and again for what else has come when a burst is over.

    Args:
        waits: ids of the requests that wait, oldest first.
        seen: of those, the ones that the person looks at.
        sound: tells the person.
        later: calls a function after so many seconds.
    """

    def __init__(
        self,
        waits: Callable[[], Collection[str]],
        seen: Callable[[], Collection[str]],
        sound: Callable[[], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._waits = waits
        self._seen = seen
        self._sound = sound
        self._later = later
        self._pace = Pace()
        self._again = False

    def ring(self) -> None:
        due = self._pace.due(self._waits(), self._seen(), time.monotonic())
        if due.ids:
            self._sound()
        elif due.again is not None and not self._again:
            self._again = True
            self._later(due.again, self._rest_of_burst)

    def _rest_of_burst(self) -> None:
        self._again = False
        self.ring()


def words(pending: list[Batch], tasks: dict[str, wire.TaskView]) -> str:
    """What waits, in one line, for the person's own terminal."""
    first, *more = pending
    task = tasks.get(first.first.task)
    who = (task.purpose or program(task.agent)) if task else "a task"
    wanted = first.first.title.partition("\n")[0]
    told = f"{who} wants {wanted}"
    if more:
        told = f"{1 + len(more)} approvals wait, first {who}: {wanted}"
    # Made safe like all text of an agent: nothing in it can end the sequence.
    return clip(told, _LONGEST)
