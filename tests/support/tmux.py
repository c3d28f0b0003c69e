"""A tmux server of a test's own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

PATIENCE = 30.0  # seconds for tmux to answer


class Tmux:
    """One window without a status line, that runs `argv`. Use as a context manager."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cols: int,
        rows: int,
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._argv, self._cwd, self._environ = argv, cwd, environ
        self.cols, self.rows = cols, rows
        self._folder = tempfile.TemporaryDirectory(prefix="tp-tmux-")

    def __enter__(self) -> Self:
        conf = Path(self._folder.name, "conf")
        conf.write_text("set -g status off\nset -g default-terminal tmux-256color\n")
        self._tmux = ("tmux", "-u", "-S", f"{self._folder.name}/tmux", "-f", str(conf))
        self._run("new-session", "-d", "-x", str(self.cols), "-y", str(self.rows), *self._argv)
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
            [*self._tmux, *words], capture_output=True, timeout=PATIENCE, check=True,
            cwd=self._cwd, env=self._environ,
        )  # fmt: skip
        return done.stdout.decode()
