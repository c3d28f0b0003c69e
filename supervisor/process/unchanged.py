"""Whether what a task had to leave as it is was still so when it ended.

In tier B nothing keeps some of it from a change. In tier A the kernel takes a guard away when
somebody outside replaces the guarded file, as git does with its configuration; from then on the
task could write there. So each guarded path gets a mark when the task starts, and one that differs
at its end is put on record.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from itertools import islice

from supervisor.process.containment import within

_MOST = 500  # entries of a directory that are looked at


def marks(paths: Iterable[str], but: Iterable[str] = ()) -> dict[str, str]:
    """A mark for each path, which changes with what is there: content, mode, names in it.

    Args:
        but: paths in them that may change: the task's own, and what is put there for any task.
    """
    free = tuple(but)
    return {path: _mark(path, free) for path in paths}


def differing(before: Mapping[str, str], but: Iterable[str] = ()) -> list[str]:
    """The paths that are not as they were marked."""
    now = marks(before, but)
    return [path for path, mark in before.items() if now[path] != mark]


def _mark(path: str, free: tuple[str, ...]) -> str:
    state = hashlib.blake2b(_of(path), digest_size=16)
    if os.path.isdir(path) and not os.path.islink(path):
        for entry in islice(_below(path, free), _MOST):
            state.update(entry.encode(errors="surrogateescape") + b"\0" + _of(entry))
    return state.hexdigest()


def _of(path: str) -> bytes:
    try:
        info = os.lstat(path)
    except OSError:
        return b"missing"
    if stat.S_ISDIR(info.st_mode):  # its time changes with every name in it, also with free ones
        return b"%d %o %d %d" % (info.st_ino, info.st_mode, info.st_uid, info.st_gid)
    # Who writes, replaces or renames cannot set the time of change back (inode(7)).
    return b"%d %d" % (info.st_ino, info.st_ctime_ns)


def _below(folder: str, free: tuple[str, ...]) -> Iterable[str]:
    def bound(path: str) -> bool:
        return not any(within(path, at) for at in free)

    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if bound(os.path.join(root, name)))
        for name in sorted((*folders, *files)):
            path = os.path.join(root, name)
            if bound(path):
                yield path
