"""The app over the fake supervisor, to look at: `python -m tests.support.fake_app [run]`."""

from __future__ import annotations

import sys
import time
from typing import Any, Literal, cast

from tests.support.fake_client import NOW, FakeClient, story
from tui.app import TaskpassApp


def fake_app(
    client: FakeClient, shape: Literal["run", "workspace"] = "workspace", **more: Any
) -> TaskpassApp:
    """The app with `client` behind it and time standing still at `NOW`."""
    more.setdefault("clock", lambda: NOW)
    return TaskpassApp(cast(Any, client), shape=shape, **more)


if __name__ == "__main__":
    began = time.time()
    running = fake_app(
        FakeClient(story()),
        "run" if "run" in sys.argv else "workspace",
        task="t-1",
        clock=lambda: NOW + time.time() - began,
    )
    print("return value:", running.run(), running.farewell)
