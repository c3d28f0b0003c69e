"""A call that was judged, and that its task's container cannot carry out."""

from __future__ import annotations

from supervisor.errors import Denied
from supervisor.model import Call


class OutOfReach(Denied):
    """Refused before anybody is asked: what `call` needs cannot be shown to its task.

    Its record tells what policy made of it: that does not depend on where the task runs.
    """

    def __init__(self, message: str, *, hint: str, call: Call) -> None:
        super().__init__(message, hint=hint)
        self.call = call
