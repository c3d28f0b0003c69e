"""What a plan needs on the disk: something at each guarded place, and the notice behind masks.

A missing file cannot be guarded: only what exists can be mounted over. So an empty directory, which
git does not list, or a file of a few bytes stands there while a task runs, and goes with the last
task that needs it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from supervisor.errors import LaunchFailed
from supervisor.process.containment import NOTICE, NOTICE_FILE, within
from supervisor.process.guards import Guards, Placeholder

_SENTENCE = (
    "# taskpass keeps this from tasks. The variables of your environment hold stand-ins that\n"
    "# work; if the task needs this file, ask the person to start it with --show and its path.\n"
)
# Nothing can be made there, so the task, which has the same rights, cannot either.
_CANNOT = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG)


def write_notice(task_dir: str) -> None:
    """Write what a task finds in the place of something masked."""
    folder = os.path.join(task_dir, NOTICE)
    os.mkdir(folder, 0o755)
    with open(os.path.join(folder, NOTICE_FILE), "w", encoding="utf-8") as file:
        file.write(_SENTENCE)


class Placeholders:
    """The placeholders of all tasks of one supervisor, and who needs them.

    Which ones were made is written down before they are: whatever happens, a later supervisor
    takes away what nobody needs any more. May be used from several threads.
    """

    def __init__(self, books: Path) -> None:
        """`books`: the directory that remembers them, one file for each task."""
        self._books = books
        self._lock = threading.Lock()
        # task → what was made for it: path → content of a file, None: a directory
        self._made: dict[str, dict[str, str | None]] = {}
        self._needed: dict[str, frozenset[str]] = {}  # task → its guarded paths
        with contextlib.suppress(OSError):
            for book in books.iterdir():
                made: dict[str, str | None] = {}  # half a book is of nothing
                with contextlib.suppress(OSError, msgspec.MsgspecError):
                    made = msgspec.json.decode(book.read_bytes(), type=dict[str, str | None])
                self._made[book.name] = made

    def hold(self, task: str, plan: Callable[[], Guards]) -> Guards:
        """Make what the guards of a task need, and keep it until `release`.

        Args:
            plan: finds the guards; called where no other task can take away what it sees.

        Returns:
            The guards, without those where nobody with our rights can make anything.

        Raises:
            LaunchFailed: one cannot be made although the task could make it.
        """
        with self._lock:
            found = plan()
            try:
                if found.missing:
                    self._made[task] = {each.path: each.content for each in found.missing}
                    self._remember(task)
                impossible = [each.path for each in found.missing if not _make(each)]
            except OSError as error:
                self._clean()
                raise LaunchFailed(
                    f"Cannot set the task up: {error.filename or self._books}: {error.strerror}.",
                    hint="Check the disk, or start with --contain off.",
                ) from error
            paths = tuple(path for path in found.paths if path not in impossible)
            self._needed[task] = frozenset(paths)
            return replace(found, paths=paths)

    def adopt(self, task: str, guarded: Iterable[str]) -> None:
        """A running task of an earlier supervisor needs these."""
        with self._lock:
            self._needed[task] = frozenset(guarded)

    def release(self, task: str) -> None:
        """The task is over. What no other task needs goes, if it still is as it was made."""
        with self._lock:
            if self._needed.pop(task, None):
                self._clean()

    def made(self) -> tuple[str, ...]:
        """All that stands for some task now."""
        with self._lock:
            return tuple(path for book in self._made.values() for path in book)

    def sweep(self) -> None:
        """Take away what nobody needs: after all running tasks were adopted."""
        with self._lock:
            self._clean()

    def _clean(self) -> None:
        needed = [path for paths in self._needed.values() for path in paths]
        made = {path: content for book in self._made.values() for path, content in book.items()}
        gone = {path for path in made if not any(within(guard, path) for guard in needed)}
        # The deepest first. To remove one takes the guard away from every task that has it: the
        # kernel unmounts what was mounted there.
        for path in sorted(gone, key=len, reverse=True):
            _take_away(path, made[path])
        for task, book in list(self._made.items()):
            self._made[task] = left = {path: book[path] for path in book.keys() - gone}
            with contextlib.suppress(OSError):  # one too many in a book is tried again later
                if not left:
                    del self._made[task]
                    (self._books / task).unlink(missing_ok=True)
                elif left != book:
                    self._remember(task)

    def _remember(self, task: str) -> None:
        # Not waited for: a power failure may leave an empty directory. What is made is made after
        # this, so that half a book is of nothing. A file of its own, since to replace one makes
        # the file system write the new one out at once.
        self._books.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._books / task).write_bytes(msgspec.json.encode(self._made[task]))


def _make(wanted: Placeholder) -> bool:
    """False where the task could not make it either."""
    try:
        if wanted.content is None:
            os.mkdir(wanted.path, 0o755)
        else:
            _write(wanted.path, wanted.content)
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return False
    return True


def _take_away(path: str, content: str | None) -> None:
    with contextlib.suppress(OSError):
        if content is None:
            os.rmdir(path)  # only an empty one goes
        elif _read(path) == content:
            os.unlink(path)


def _write(path: str, content: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(content)


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read(4096)
