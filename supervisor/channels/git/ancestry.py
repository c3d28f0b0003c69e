"""Whether a push only adds to a branch: proven by the commits themselves.

The wire does not tell a push by force from another. It is one unless the commit that the branch
is at now is an ancestor of the one it is to be at. The task's own objects tell that, and nobody
needs to trust them: a commit's name is the hash of its content, parents included, so each commit
on the way is hashed here again. Whatever cannot be proven counts as force.

The objects are read by `git cat-file` from a repository of ours, which has no configuration but
an empty one: the task's own could name programs that run, commits that stand for others (replace
refs, grafts), or a server to fetch what is missing from.
"""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import os
import re
import resource
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from typing import IO

_MOST = 5000  # commits looked at
_SECONDS = 3.0
_LARGEST = 1 << 20  # bytes of a commit
_MEMORY = 1 << 31  # bytes of address space: packs are mapped
_SLACK = 24 * 3600  # seconds by which the clocks of two committers may differ
_PARENT = re.compile(rb"parent ([0-9a-f]{40,64})")
_DATE = re.compile(rb"committer .*> (\d{1,12}) [+-]\d{4}")


def adds_to(objects: str, old: str, new: str) -> bool:
    """Whether `old` is proven to be an ancestor of `new`, by the objects in this directory.

    Takes up to three seconds; call it in a thread.
    """
    if old == new:
        return True
    try:
        with _reader(objects, len(new)) as reader:
            return _descends(reader, old, new)
    except (OSError, ValueError, subprocess.SubprocessError):
        return False


def _descends(reader: _Reader, old: str, new: str) -> bool:
    base = reader.commit(old)
    if base is None:
        return False  # git itself would not push here without force
    waiting = [(0, new)]
    seen = {new}
    while waiting and len(seen) <= _MOST:
        _, name = heapq.heappop(waiting)  # the youngest first
        found = reader.commit(name)
        if found is None or found[1] < base[1] - _SLACK:
            continue
        for parent in found[0]:
            if parent == old:
                return True
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(waiting, (-found[1], parent))
    return False


class _Reader:
    """Asks one `git cat-file --batch`."""

    def __init__(self, ask: IO[bytes], answers: IO[bytes], digest: str) -> None:
        self._ask = ask
        self._answers = answers
        self._digest = digest

    def commit(self, name: str) -> tuple[list[str], int] | None:
        """Parents and date of a commit; None when it is not there, or is not what it is named.

        Raises:
            OSError, ValueError: git ended, or says what cannot be.
        """
        self._ask.write(name.encode() + b"\n")
        self._ask.flush()
        words = self._answers.readline(256).split()
        if len(words) == 2 and words[1] == b"missing":
            return None
        if len(words) != 3 or words[1] != b"commit" or int(words[2]) > _LARGEST:
            raise ValueError("not a commit")
        content = self._answers.read(int(words[2]) + 1)[:-1]
        whole = b"commit %d\0" % len(content) + content
        if hashlib.new(self._digest, whole, usedforsecurity=False).hexdigest() != name:
            return None
        head = content.partition(b"\n\n")[0].split(b"\n")
        dates = [match for line in head if (match := _DATE.fullmatch(line))]
        parents = [match[1].decode() for line in head if (match := _PARENT.fullmatch(line))]
        return parents, int(dates[0][1]) if dates else 0


@contextlib.contextmanager
def _reader(objects: str, length: int) -> Iterator[_Reader]:
    """`length`: of an object's name, which tells the hash."""
    with tempfile.TemporaryDirectory(prefix="taskpass-git-") as empty:
        digest = "sha1" if length == 40 else "sha256"
        for name in ("objects", "refs"):
            os.mkdir(os.path.join(empty, name))
        with open(os.path.join(empty, "HEAD"), "w") as file:
            file.write("ref: refs/heads/none\n")
        with open(os.path.join(empty, "config"), "w") as file:
            file.write(
                "[core]\nbare = true\nrepositoryformatversion = 1\n"
                "commitGraph = false\nmultiPackIndex = false\n"
                f"[extensions]\nobjectFormat = {digest}\n"
            )
        process = subprocess.Popen(
            ["git", "cat-file", "--batch"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=empty,
            env={
                "PATH": os.defpath,
                "HOME": empty,
                "GIT_DIR": empty,
                "GIT_OBJECT_DIRECTORY": objects,
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_NO_REPLACE_OBJECTS": "1",
                "GIT_NO_LAZY_FETCH": "1",
                "GIT_OPTIONAL_LOCKS": "0",
            },
        )
        # Files of the task's may be pipes, or of any size.
        timer = threading.Timer(_SECONDS, process.kill)
        timer.start()
        try:
            with contextlib.suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            assert process.stdin is not None
            assert process.stdout is not None
            yield _Reader(process.stdin, process.stdout, digest)
        finally:
            timer.cancel()
            process.kill()
            with contextlib.suppress(OSError), process:
                pass
