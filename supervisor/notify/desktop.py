"""Notifications of the desktop by `notify-send`, where there is one and a session bus to ask."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence

from supervisor.notify.words import Waiting, body, summary

_PATIENCE = 5.0  # seconds
_PASSED = ("HOME", "PATH", "LANG", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "DISPLAY",
           "WAYLAND_DISPLAY")  # fmt: skip


def available(environ: Mapping[str, str]) -> bool:
    """Whether a desktop could be told."""
    bus = environ.get("DBUS_SESSION_BUS_ADDRESS") or os.path.exists(
        os.path.join(environ.get("XDG_RUNTIME_DIR") or "/nonexistent", "bus")
    )
    return bool(bus) and shutil.which("notify-send", path=environ.get("PATH")) is not None


async def tell(waiting: Sequence[Waiting], environ: Mapping[str, str]) -> None:
    """Show one notification. Whether it was seen, nobody knows: a failure is no event."""
    urgent = any(one.request.code for one in waiting)
    with contextlib.suppress(OSError):
        child = await asyncio.create_subprocess_exec(
            "notify-send", "--app-name=taskpass", f"--urgency={'critical' if urgent else 'normal'}",
            "--", summary(len(waiting)), body(waiting),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={name: environ[name] for name in _PASSED if name in environ},
            cwd="/",
        )  # fmt: skip
        try:
            async with asyncio.timeout(_PATIENCE):
                await child.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
