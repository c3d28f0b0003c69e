"""What screens say to the supervisor about telling the person."""

from __future__ import annotations

from supervisor.protocol.wire import Wire


class Noticed(Wire, frozen=True, kw_only=True):
    """POST /v1/noticed, by a paired screen: the person knows that these requests wait.

    Attributes:
        looked_at: they are before the person's eyes; else the terminal has told the desktop.
    """

    ids: tuple[str, ...]
    looked_at: bool = True
