"""Pictures of the real screen over a live supervisor.

The screen runs in a process of its own with a terminal, since only that may be paired; it draws
into memory, at the size that is asked for. `Photographer` tells it what to wait for, which keys
to press and what to keep.
"""

from __future__ import annotations

import asyncio
import json
import os
import pty
import sys
import time
from pathlib import Path
from typing import Any

from tests.support.live import Install

_PATIENCE = 60.0  # seconds for something to appear


class Photographer:
    """One running screen; use as a context manager."""

    def __init__(
        self, install: Install, size: tuple[int, int], *, shape: str = "workspace", task: str = ""
    ) -> None:
        self._install = install
        self._options = json.dumps({"size": size, "shape": shape, "task": task})

    def __enter__(self) -> Photographer:
        ask_read, ask_write = os.pipe()
        tell_read, tell_write = os.pipe()
        self._pid, self._master = pty.fork()
        if self._pid == 0:
            os.dup2(ask_read, 0)
            os.set_inheritable(tell_write, True)
            os.closerange(tell_write + 1, 256)
            os.chdir(self._install.project)
            environ = {
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "COLORTERM": "truecolor",
                "TZ": "UTC",
            }
            os.execve(
                sys.executable,
                [sys.executable, "-m", __name__, self._options, str(tell_write)],
                self._install.environ | environ,
            )
        os.close(ask_read)
        os.close(tell_write)
        self._ask = os.fdopen(ask_write, "w")
        self._told = os.fdopen(tell_read)
        return self

    def press(self, *keys: str) -> None:
        """Press keys, by Textual's names."""
        self._do({"press": keys})

    def shows(self, *texts: str) -> None:
        """Wait until all of these are on the screen."""
        self._do({"shows": texts})

    def picture(self) -> str:
        """The screen as SVG."""
        return str(self._do({"picture": True}))

    def _do(self, what: dict[str, Any]) -> Any:
        self._ask.write(json.dumps(what) + "\n")
        self._ask.flush()
        line = self._told.readline()
        answer = json.loads(line) if line else {"error": "the screen has gone"}
        assert "error" not in answer, answer["error"]
        return answer["done"]

    def __exit__(self, *_: object) -> None:
        self._ask.close()
        self._told.close()
        os.waitpid(self._pid, 0)
        os.close(self._master)


async def _serve(options: dict[str, Any], tell: int) -> None:
    from textual.widgets import Input

    from supervisor.client_setup import SetupClient
    from tui.app import TaskpassApp

    Input.cursor_blink = False
    app = TaskpassApp(SetupClient(), shape=options["shape"], task=options["task"])
    loop = asyncio.get_running_loop()
    async with app.run_test(size=tuple(options["size"]), notifications=True) as pilot:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            asked = json.loads(line)
            answer: dict[str, Any] = {"done": True}
            if keys := asked.get("press"):
                await pilot.press(*keys)
            elif texts := asked.get("shows"):
                deadline = time.monotonic() + _PATIENCE
                while missing := [text for text in texts if text not in _screen(app)]:
                    if time.monotonic() > deadline:
                        answer = {"error": f"never shown: {missing} in\n{_screen(app)}"}
                        break
                    await pilot.pause(0.05)
            else:
                await pilot.pause()
                answer = {"done": app.export_screenshot(title="taskpass")}
            os.write(tell, json.dumps(answer).encode() + b"\n")


def _screen(app: Any) -> str:
    strips = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.argv[1]), int(sys.argv[2])))
