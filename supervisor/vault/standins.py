"""Which stand-in is whose: kept beside the sockets, so that it lives as long as tasks can.

A task outlives the supervisor, and its environment holds stand-ins: the next supervisor must know
them even while the keyring is locked. Only digests are kept, so that whoever reads the file can
still not present one.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from supervisor.errors import ConfigError
from supervisor.paths import replace_file


class StandIns:
    """Task and text → name of the credential.

    Args:
        path: a file in the runtime directory. One that cannot be read counts as empty: what is
            not known is not resolved.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, tuple[str, str]] = {}  # digest → task, name
        try:
            content = json.loads(path.read_bytes())
            self._known = {
                str(key): (str(task), str(name)) for key, (task, name) in content.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            self._known = {}

    def resolve(self, task: str, text: str) -> str:
        # Looked up by digest: how long it takes tells nothing about how much of it is right.
        return self._known.get(_digest(task, text), ("", ""))[1]

    def add(self, task: str, name: str, text: str) -> bool:
        """Whether `text` now stands for `name`; False where it stands for another one already.

        Raises:
            ConfigError: it cannot be kept.
        """
        return self.add_all(task, [(name, text)])

    def add_all(self, task: str, pairs: Sequence[tuple[str, str]]) -> bool:
        """`add` for several (name, text), written down once; False: one of them is another's,
        and none was added.

        Raises:
            ConfigError: they cannot be kept.
        """
        new: dict[str, tuple[str, str]] = {}
        for name, text in pairs:
            digest = _digest(task, text)
            owner = (new.get(digest) or self._known.get(digest) or ("", name))[1]
            if owner != name:
                return False
            if digest not in self._known:
                new[digest] = (task, name)
        if new:
            self._replace({**self._known, **new})
        return True

    def forget_task(self, task: str) -> None:
        self._keep(lambda owner, name: owner != task)

    def forget_name(self, name: str) -> None:
        self._keep(lambda owner, other: other != name)

    def _keep(self, wanted: Callable[[str, str], bool]) -> None:
        kept = {key: value for key, value in self._known.items() if wanted(*value)}
        if len(kept) < len(self._known):
            self._known = kept
            # Forgetting must not depend on a disk; names and tasks are checked again elsewhere.
            with contextlib.suppress(ConfigError):
                self._replace(kept)

    def _replace(self, known: dict[str, tuple[str, str]]) -> None:
        replace_file(self._path, json.dumps(known).encode())
        self._known = known


def _digest(task: str, text: str) -> str:
    return hashlib.sha256(f"{task}\0{text}".encode("utf-8", "surrogatepass")).hexdigest()
