"""Disk space kept aside, so that a revocation can be written when the disk is full."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

# A commit of one record takes about 16 KiB of write-ahead log: room for some 250 tombstones.
SIZE = 4 * 1024 * 1024


class Reserve:
    """A file of allocated blocks that is given up when nothing else is left."""

    def __init__(self, path: Path, size: int = SIZE) -> None:
        self._path = path
        self._size = size
        self._held = False
        self.problem = ""  # why the space is not held, in the system's words

    def hold(self) -> bool:
        """Whether the space is held; takes it again if it was given up and there is room."""
        if self._held:
            return True
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self.problem = error.strerror or str(error)
            return False
        try:
            self._allocate(fd)
        except OSError as error:
            self.problem = error.strerror or str(error)
            self.release()
            return False
        finally:
            os.close(fd)
        self._held = True
        return True

    def release(self) -> None:
        """Give the space to whoever writes next."""
        self._held = False
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    def _allocate(self, fd: int) -> None:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(fd, 0, self._size)
        elif os.fstat(fd).st_size < self._size:  # macOS
            # Random, because a file system that compresses would keep nothing for zeros.
            os.write(fd, os.urandom(self._size))
        os.fsync(fd)
