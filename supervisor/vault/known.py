"""The secrets that are in memory: of this vault, and of others for the length of a task."""

from __future__ import annotations

from supervisor.ports import Secret
from supervisor.vault.redact import Redactor


class KnownSecrets:
    """Whatever was loaded so far, and one redactor of it all, made anew only after a change."""

    def __init__(self) -> None:
        self._own: dict[str, Secret] = {}
        self._borrowed: dict[tuple[str, str], Secret] = {}  # task and name → of another vault
        self._redactor: Redactor | None = None

    def get(self, name: str) -> Secret | None:
        return self._own.get(name)

    def keep(self, name: str, secret: Secret) -> None:
        self._own[name] = secret
        self._redactor = None

    def drop(self, name: str) -> None:
        self._own.pop(name, None)
        self._redactor = None

    def borrow(self, task: str, name: str, secret: Secret) -> None:
        self._borrowed[task, name] = secret
        self._redactor = None

    def borrowed(self, task: str, name: str) -> Secret | None:
        return self._borrowed.get((task, name))

    def give_back(self, task: str) -> None:
        """Forget what the task borrowed."""
        kept = {key: each for key, each in self._borrowed.items() if key[0] != task}
        if len(kept) < len(self._borrowed):
            self._borrowed, self._redactor = kept, None

    def is_own(self, text: str) -> bool:
        return any(text == known.value for known in self._own.values())

    def redactor(self) -> Redactor:
        """Masks them all."""
        if self._redactor is None:
            lent = {f"{name} in {task}": each for (task, name), each in self._borrowed.items()}
            known = self._own | lent
            self._redactor = Redactor({name: each.value for name, each in known.items()})
        return self._redactor
