"""A program in tmux, as a person has it: read what it shows, press its keys, click on its words."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from rich.cells import cell_len

from tests.support.live import wait_for

_PATIENCE = 30.0  # seconds for tmux to answer


class TmuxWindow:
    """One window of a tmux server of its own. Use as a context manager."""

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, environ: Mapping[str, str], cols: int, rows: int
    ) -> None:
        self._argv, self._cwd, self._environ = argv, cwd, dict(environ)
        self._size = ("-x", str(cols), "-y", str(rows))

    def __enter__(self) -> TmuxWindow:
        self._folder = tempfile.TemporaryDirectory(prefix="tp-tmux-")
        conf = Path(self._folder.name, "conf")
        conf.write_text("set -g status off\nset -g default-terminal tmux-256color\n")
        self._tmux = ("tmux", "-u", "-S", f"{self._folder.name}/tmux", "-f", str(conf))
        self._run("new-session", "-d", *self._size, *self._argv)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
        self._folder.cleanup()

    def _run(self, *words: str) -> str:
        done = subprocess.run(
            [*self._tmux, *words], capture_output=True, timeout=_PATIENCE, check=True,
            cwd=self._cwd, env=self._environ,
        )  # fmt: skip
        return done.stdout.decode()

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
