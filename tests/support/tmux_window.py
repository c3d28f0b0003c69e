"""A program in tmux, as a person has it: read what it shows, press its keys, click on its words."""

from __future__ import annotations

import re

from rich.cells import cell_len

from tests.support.live import wait_for
from tests.support.tmux import Tmux


class TmuxWindow(Tmux):
    """The window of a person."""

    def text(self) -> str:
        """What tmux shows now."""
        return self._run("capture-pane", "-p")

    def shows(self, pattern: str) -> None:
        """Wait until the screen matches a regular expression."""
        try:
            wait_for(lambda: re.search(pattern, self.text()), pattern)
        except AssertionError as error:
            raise AssertionError(f"never shown: {pattern!r} in\n{self.text()}") from error

    def send(self, data: bytes) -> None:
        """Bytes as the terminal outside would send them."""
        self._run("send-keys", "-H", *(f"{byte:02x}" for byte in data))

    def click(self, words: str) -> None:
        """Press and release the left button on the first cell of `words`, as SGR (mode 1006)."""
        self.shows(re.escape(words))
        y, line = next((y, each) for y, each in enumerate(self.text().split("\n")) if words in each)
        x = cell_len(line[: line.index(words)])
        for final in "Mm":
            self.send(f"\x1b[<0;{x + 1};{y + 1}{final}".encode())
