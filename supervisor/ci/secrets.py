"""What of a job's environment no agent gets, and what its output must not show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from supervisor.ci.systems import OWN_VARIABLE, System
from supervisor.vault.redact import Redactor

_SHORTEST = 6  # characters: shorter values are words that stand everywhere
_OPEN = 64 * 1024  # bytes of a line that are waited for
_OVERLAP = 4 * 1024  # … and of them, those that may be the beginning of a secret


def without_secrets(
    environ: Mapping[str, str], system: System | None
) -> tuple[dict[str, str], dict[str, str]]:
    """The environment for the agent, and what was taken out of it."""
    patterns = (OWN_VARIABLE, *(system.secrets if system else ()))
    taken = {
        name: value
        for name, value in environ.items()
        if any(fnmatchcase(name, pattern) for pattern in patterns)
    }
    return {name: value for name, value in environ.items() if name not in taken}, taken


def worth_hiding(values: Mapping[str, str]) -> dict[str, str]:
    """What to look for: each value, and each line of those that have several."""
    found: dict[str, str] = {}
    for name, value in values.items():
        for number, line in enumerate(value.splitlines()):
            if len(line.strip()) >= _SHORTEST:
                found[f"{name} {number}"] = line.strip()
    return found


class Mask:
    """Covers secrets in a stream of output, line by line."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._redactor = Redactor(secrets)
        self._open = b""

    def feed(self, data: bytes) -> bytes:
        """What can be shown of it by now."""
        self._open += data
        end = self._open.rfind(b"\n") + 1
        if not end and len(self._open) > _OPEN:
            # A line without an end: what may become a secret stays until more has come.
            shown = self._redactor.mask(self._open)
            self._open = shown[-_OVERLAP:]
            return shown[:-_OVERLAP]
        shown, self._open = self._open[:end], self._open[end:]
        return self._redactor.mask(shown) if shown else b""

    def rest(self) -> bytes:
        shown, self._open = self._redactor.mask(self._open), b""
        return shown
