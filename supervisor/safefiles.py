"""Files put where they belong: whole or not at all, and through no link on the way (openat2(2)).

For directories that somebody else may be at work in: every step goes from a descriptor downwards.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from typing import IO

from supervisor.process import linux

ORDINARY = 0o777  # neither setuid nor setgid nor sticky is ever carried over
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY
STRAIGHT = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS


def parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part]


def make_directories(root: int, path: str, mode: int = ORDINARY) -> int:
    """A descriptor of the directory at `path` below `root`; made where it is missing.

    Raises:
        OSError: a link or a file is in the way.
    """
    at = os.dup(root)
    for part in parts(path):
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, mode, dir_fd=at)
            below = linux.openat2(at, part, DIRECTORY, STRAIGHT)
        finally:
            os.close(at)
        at = below
    return at


def open_plain(path: str) -> IO[bytes]:
    """A file that is none but a regular one, to read. Raises OSError."""
    return plain(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC))


def plain(descriptor: int) -> IO[bytes]:
    """The file behind a descriptor opened with O_NONBLOCK, which it takes over.

    Raises:
        OSError: it is not a regular one.
    """
    file = os.fdopen(descriptor, "rb", buffering=0)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file")
    return file


@contextlib.contextmanager
def scratch(parent: int, name: str, *, new: bool) -> Iterator[str]:
    """A name to make something under, which then is `name`; a `new` one takes nobody's place."""
    made = f".taskpass.{secrets.token_hex(8)}"
    try:
        yield made
        if new:
            os.link(made, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
        else:
            os.rename(made, name, src_dir_fd=parent, dst_dir_fd=parent)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(made, dir_fd=parent)


def copy(source: IO[bytes], parent: int, name: str, mode: int) -> None:
    """A new file with the content and times of `source`. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(name, flags, 0o600, dir_fd=parent), "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fchmod(target.fileno(), mode & ORDINARY)
        info = os.fstat(source.fileno())
        os.utime(target.fileno(), ns=(info.st_atime_ns, info.st_mtime_ns))
