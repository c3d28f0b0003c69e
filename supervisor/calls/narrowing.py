"""Stand-ins that are good for one call and one repository: what git's helper hands out. In memory.

The stand-in in a task's environment is good wherever its credential is bound. This one is not: what
a call got for one repository opens no other, and is nothing once the call has ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from supervisor.errors import Denied
from supervisor.model import Effect
from supervisor.vault.surrogate import same_shape

_MOST = 4096  # kept; the oldest go first, and git asks again


@dataclass(frozen=True, slots=True)
class Narrow:
    """What one of them is good for. `repository`: path at the host, without `.git`."""

    credential: str
    call: str
    host: str
    repository: str

    def covers(self, effect: Effect) -> bool:
        path = str(effect.attributes.get("path", "")).lower()
        base = f"/{self.repository}".lower()
        return effect.resource == self.host and (
            path == base or path.startswith((f"{base}/", f"{base}.git/"))
        )


@dataclass(slots=True)
class NarrowStandIns:
    """Gives and knows them. `opens`: whether a call is open."""

    opens: Callable[[str], bool]
    _given: dict[tuple[str, Narrow], str] = field(default_factory=dict)  # by task
    _known: dict[tuple[str, str], Narrow] = field(default_factory=dict)  # task and text
    _key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)

    def give(self, task: str, narrow: Narrow, like: str) -> str:
        """The stand-in for this, of the shape of `like`; the same one while it is kept."""
        if (text := self._given.get((task, narrow))) is not None:
            return text
        self._forget()
        text = same_shape(like, self._key, task, repr(narrow))
        self._given[task, narrow] = text
        self._known[task, text] = narrow
        return text

    def resolve(self, task: str, call: str, effect: Effect, text: str) -> str:
        """Name of the credential that `text` stands for in this call, "" for none.

        Raises:
            Denied: it was given to another call, or for another repository of that host.
        """
        narrow = self._known.get((task, text))
        if narrow is None:
            return ""
        if narrow.host == effect.resource and not (narrow.call == call and narrow.covers(effect)):
            raise Denied(
                f"This stand-in was given for {narrow.host}/{narrow.repository} and one call; "
                "nothing real left.",
                hint="Let git ask for itself, at the repository's own address.",
            )
        return narrow.credential

    def _forget(self) -> None:
        over = [key for key in self._given if not self.opens(key[1].call)]
        if not over and len(self._given) >= _MOST:
            over = [next(iter(self._given))]
        for key in over:
            del self._known[key[0], self._given.pop(key)]
