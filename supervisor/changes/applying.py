"""Carry changes over into the real workspace, and nowhere else.

Every step goes from a descriptor of the workspace downwards and follows no link (openat2(2)), so
whatever links the task made, or the real workspace has, nothing outside is touched. A file appears
whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence

from supervisor.changes.change import Change, Type
from supervisor.changes.comparing import Layers
from supervisor.process import linux
from supervisor.safefiles import DIRECTORY, ORDINARY, STRAIGHT, copy, open_plain, parts, scratch


def apply(layers: Layers, changes: Sequence[Change]) -> None:
    """Make the real workspace have these changes, and take them out of the upper layer.

    `changes` are as `comparing.compare` gave them, without conflicts. What is applied is on disk
    before it leaves the upper layer.

    Raises:
        OSError: one could not be applied; those before it are, and differ no more.
    """
    real = os.open(layers.lower, DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for change in sorted(changes, key=lambda c: c.path.split("/")):
            _one(real, layers, change)
    finally:
        os.close(real)
    os.sync()
    for change in changes:
        if change.after is not Type.DIRECTORY:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(os.path.join(layers.upper, change.path))


def _one(real: int, layers: Layers, change: Change) -> None:
    head, name = os.path.split(change.path)
    upper = os.path.join(layers.upper, change.path)
    parent = _parent(real, layers.upper, head)
    try:
        if change.before not in (Type.NONE, change.after):
            _remove(parent, name, layers.began)
        elif change.before in (Type.FILE, Type.LINK):
            _check_unchanged(parent, name, layers.began)
        if change.after is Type.DIRECTORY:
            _put_directory(parent, name, change)
        elif change.after is Type.LINK:
            with scratch(parent, name, new=change.before is Type.NONE) as made:
                os.symlink(change.target, made, dir_fd=parent)
        elif change.after is Type.FILE:
            with (
                open_plain(upper) as source,
                scratch(parent, name, new=change.before is Type.NONE) as made,
            ):
                copy(source, parent, made, change.mode)
    finally:
        os.close(parent)


def _parent(real: int, upper: str, path: str) -> int:
    """The directory at `path`, made where it is missing, with the modes it has in the layer."""
    at = os.dup(real)
    seen = upper
    for part in parts(path):
        seen = os.path.join(seen, part)
        try:
            below = linux.openat2(at, part, DIRECTORY, STRAIGHT)
        except FileNotFoundError:
            os.mkdir(part, stat.S_IMODE(os.lstat(seen).st_mode) & ORDINARY, dir_fd=at)
            below = linux.openat2(at, part, DIRECTORY, STRAIGHT)
        finally:
            os.close(at)
        at = below
    return at


def _check_unchanged(parent: int, name: str, began: int) -> None:
    """Once more, right before it goes: a person may be at work on it."""
    with contextlib.suppress(FileNotFoundError):
        info = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if not stat.S_ISDIR(info.st_mode) and info.st_ctime_ns >= began:
            raise OSError(errno.EBUSY, "it was changed in the real workspace meanwhile", name)


def _remove(parent: int, name: str, began: int) -> None:
    _check_unchanged(parent, name, began)
    try:
        inner = linux.openat2(parent, name, DIRECTORY, STRAIGHT)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        os.unlink(name, dir_fd=parent)
        return
    try:
        for child in os.listdir(inner):
            _remove(inner, child, began)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=parent)


def _put_directory(parent: int, name: str, change: Change) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=parent)
    made = linux.openat2(parent, name, DIRECTORY, STRAIGHT)
    try:
        os.fchmod(made, change.mode & ORDINARY)
    finally:
        os.close(made)
