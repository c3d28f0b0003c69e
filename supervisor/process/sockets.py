"""Sockets of the person's session that a task may be let in to: screen and bus. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

_DISPLAY = re.compile(r"(?:unix)?:(\d+)(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class LetIn:
    """`sockets` and `files` (read only) are paths; `environ` is what names them to programs."""

    sockets: tuple[str, ...]
    files: tuple[str, ...]
    environ: Mapping[str, str]


def let_in(environ: Mapping[str, str], *, x11: bool, wayland: bool, dbus: bool) -> LetIn:
    """The sockets of those that are wanted, as the person's environment names them."""
    sockets: list[str] = []
    files: list[str] = []
    kept: list[str] = []
    if x11 and (found := _DISPLAY.fullmatch(environ.get("DISPLAY", ""))):
        sockets.append(f"/tmp/.X11-unix/X{found[1]}")  # noqa: S108 - where X servers listen
        kept.append("DISPLAY")
        if os.path.isabs(environ.get("XAUTHORITY", "")):
            files.append(environ["XAUTHORITY"])
            kept.append("XAUTHORITY")
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    if wayland and (name := environ.get("WAYLAND_DISPLAY", "")):
        path = os.path.join(runtime, name)
        if os.path.isabs(path):
            sockets.append(path)
            kept += ["WAYLAND_DISPLAY", "XDG_RUNTIME_DIR"]
    address = environ.get("DBUS_SESSION_BUS_ADDRESS", "").partition(",")[0]
    if dbus and address.startswith("unix:path=/"):
        sockets.append(address.removeprefix("unix:path="))
        kept.append("DBUS_SESSION_BUS_ADDRESS")
    told = {name: environ[name] for name in kept if name in environ}
    return LetIn(tuple(sockets), tuple(files), told)


def agents(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Sockets that lend keys to whoever reaches them: never let in."""
    path = environ.get("SSH_AUTH_SOCK", "")
    return (path,) if os.path.isabs(path) else ()
