"""What an agent wants to put on the person's clipboard waits here for the person's answer.

Reading the clipboard is never answered. Writing is shown on the task's screens; one question
waits at a time, the newest, and nothing of it leaves this process but to be shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from supervisor.protocol import clipboard, holder_wire


class Clipboard:
    """The questions of one agent. `show` tells all screens, `tell` the supervisor."""

    def __init__(
        self,
        show: Callable[[clipboard.ClipboardAsked | clipboard.ClipboardClosed], None],
        tell: Callable[[holder_wire.ClipboardAnswered], None],
    ) -> None:
        self._show = show
        self._tell = tell
        self._number = 0
        self.waiting: clipboard.ClipboardAsked | None = None

    def ask(self, text: str) -> None:
        self._number += 1
        self.waiting = clipboard.ClipboardAsked(number=self._number, text=text)
        self._show(self.waiting)

    def answer(self, message: clipboard.AnswerClipboard) -> None:
        """Only an answer to the question that waits counts: another one was not seen."""
        asked = self.waiting
        if asked is None or asked.number != message.number:
            return
        self.waiting = None
        self._show(clipboard.ClipboardClosed(number=asked.number))
        data = asked.text.encode("utf-8", "replace")
        digest = hashlib.sha256(data).hexdigest()
        self._tell(
            holder_wire.ClipboardAnswered(size=len(data), digest=digest, allowed=message.allow)
        )
