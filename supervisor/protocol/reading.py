"""What a screen and a holder say to each other while a person reads back in a pane.

`StartReading` takes a still of all that the terminal shows and has shown; what is asked after it
is answered from that still, whatever the agent prints meanwhile, until `StopReading`. Lines are
counted from the oldest one of the still, cells from the left edge.
"""

from __future__ import annotations

from supervisor.protocol.holder_wire import RunTuple
from supervisor.protocol.wire import Wire

Row = tuple[RunTuple, ...]
Place = tuple[int, int, int]  # line, first cell, cells (more than fit when it goes on in the next)

# ── Screen → holder ─────────────────────────────────────────────────────────────────────


class StartReading(Wire, frozen=True, kw_only=True, tag="start_reading"):
    """Answered by `Reading` with the last `count` lines. A new still replaces the last one.

    `number` tells its answer from that to an earlier one.
    """

    count: int
    number: int = 0


class ReadLines(Wire, frozen=True, kw_only=True, tag="read_lines"):
    """Answered by `Lines`."""

    first: int
    count: int


class Find(Wire, frozen=True, kw_only=True, tag="find"):
    """Answered by `Found`, unless another one comes first. Case counts once it has a capital."""

    text: str


class TakeText(Wire, frozen=True, kw_only=True, tag="take_text"):
    """Answered by `Taken`: what stands between two places, both included, in either order.

    `whole`: all of their lines.
    """

    anchor: tuple[int, int]  # line, cell
    head: tuple[int, int]
    whole: bool = False


class StopReading(Wire, frozen=True, kw_only=True, tag="stop_reading"):
    """The still is needed no more."""


# ── Holder → screen ─────────────────────────────────────────────────────────────────────


class Lines(Wire, frozen=True, kw_only=True, tag="lines"):
    first: int
    rows: tuple[Row, ...]


class Reading(Wire, frozen=True, kw_only=True, tag="reading"):
    """A still was taken.

    Attributes:
        count: of all its lines; the terminal's own rows are the last `height` of them.
        x, y: where its cursor was; `y` is a line of the still.
        last: the last lines, as many as were asked for.
    """

    count: int
    height: int
    x: int
    y: int
    number: int = 0
    last: tuple[Row, ...] = ()


class Found(Wire, frozen=True, kw_only=True, tag="found"):
    """`places` from the oldest to the newest; of very many only the newest. `count`: of all."""

    text: str
    count: int
    places: tuple[Place, ...] = ()


class Taken(Wire, frozen=True, kw_only=True, tag="taken"):
    text: str
    cut: bool = False  # it was too much, and ends early


Request = StartReading | ReadLines | Find | TakeText | StopReading
Answer = Reading | Lines | Found | Taken
