"""Whether this machine's clock can be relied on: leases, tokens and certificates end by it."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path

from supervisor.doctor.report import Finding, State
from supervisor.errors import TaskpassError
from supervisor.ledger.reading import reading

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 512  # more than struct timex takes anywhere
_BACK = 60.0  # seconds that two readings may differ by


def clock(ledger: Path, now: float | None = None) -> Finding:
    """Against the newest record, and by the kernel's word on its synchronisation."""
    now = time.time() if now is None else now
    newest = _newest(ledger)
    if newest - now > _BACK:
        ahead = newest - now
        what = f"the newest record is {ahead:.0f} s in the future: the clock was set back"
        step = "set the clock right: what is lent lives longer than it should meanwhile"
        return Finding("clock", State.PROBLEM, what, step)
    if not _synchronised():
        what = "is not synchronised with a time server, by the kernel's word"
        return Finding("clock", State.NOTE, what, "timedatectl set-ntp true, on the machine itself")
    return Finding("clock", State.OK, "synchronised")


def _newest(ledger: Path) -> float:
    """When the newest record was written; 0.0 without one, or where it cannot be read."""
    try:
        with reading(ledger) as rows:
            for row in rows.rows(newest_first=True):
                return float(row.record()["time"])
    except TaskpassError:
        pass
    return 0.0


def _synchronised() -> bool:
    if sys.platform != "linux":
        return True
    request = ctypes.create_string_buffer(_TIMEX_BYTES)  # modes 0: only asks
    return int(ctypes.CDLL(None, use_errno=True).adjtimex(request)) != _TIME_ERROR
