"""Texts in the workspace that a command runs by a name: scripts, targets, tasks."""

from __future__ import annotations

import os
import stat

_MAX_FILE = 65_536  # bytes


def file_text(path: str) -> str | None:
    """The text of a regular file of at most 64 KiB; None where it cannot be had."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _MAX_FILE:
            return None
        data = os.read(handle, _MAX_FILE + 1)
    except OSError:
        return None
    finally:
        os.close(handle)
    if len(data) > _MAX_FILE or b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
