"""When the person is told, outside the screen, that something waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable

from supervisor.protocol import wire
from tui.text import clip, program
from tui.world import Batch

_BELL_SECONDS = 5.0  # one bell for a burst of requests


class Bell:
    """A burst of requests rings twice at most: at its beginning, and for what else has come
    when it is over.

    Args:
        waits: whether something waits now.
        sound: tells the person.
        later: calls a function after so many seconds.
    """

    def __init__(
        self,
        waits: Callable[[], bool],
        sound: Callable[[], None],
        later: Callable[[float, Callable[[], None]], object],
    ) -> None:
        self._waits = waits
        self._sound = sound
        self._later = later
        self._rang = float("-inf")
        self._again = False

    def ring(self) -> None:
        if not self._waits():
            return
        now = time.monotonic()
        if now - self._rang >= _BELL_SECONDS:
            self._rang = now
            self._sound()
        elif not self._again:
            self._again = True
            self._later(self._rang + _BELL_SECONDS - now, self._rest_of_burst)

    def _rest_of_burst(self) -> None:
        self._again = False
        self.ring()


def notification(pending: list[Batch], tasks: dict[str, wire.TaskView]) -> str:
    """OSC 9, a notification of the desktop by the terminals that know it, of what waits."""
    first, *more = pending
    task = tasks.get(first.first.task)
    who = (task.purpose or program(task.agent)) if task else "a task"
    wanted = first.first.title.partition("\n")[0]
    words = f"taskpass: {who} wants {wanted}" if not more else (
        f"taskpass: {1 + len(more)} approvals wait, first {who}: {wanted}"
    )  # fmt: skip
    # Made safe like all text of an agent: nothing in it can end the sequence.
    return f"\x1b]9;{clip(words, 160)}\x07"
