"""One line for who runs taskpass without a terminal, where nothing can be asked."""

from __future__ import annotations

import contextlib
import os
import sys

from supervisor import places


def tell_once() -> None:
    """Say once that there is `taskpass setup`. Asks nothing, changes nothing of the person's."""
    marker = places.setup_markers()[1]
    with contextlib.suppress(OSError):
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        print(
            "taskpass: nothing is lent to tasks by itself; `taskpass setup` in a terminal shows "
            "what could be.",
            file=sys.stderr,
            flush=True,
        )
