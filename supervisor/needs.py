"""Which needs of which projects the person accepted, pinned by their digest.

    state/needs.json    {workspace: {"digest", "accepted", "at"}}

A proposal that says anything else is another one, and is asked about again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from supervisor.errors import NotFound
from supervisor.model import Need
from supervisor.paths import replace_file
from supervisor.policy.needs import digest


class _Answer(msgspec.Struct, frozen=True):
    digest: str
    accepted: bool
    at: float


class Needs:
    """The person's answers.

    Args:
        path: where they are kept. A file that cannot be used accepts nothing.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        try:
            self._answers = msgspec.json.decode(path.read_bytes(), type=dict[str, _Answer])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            self._answers = {}

    def accepted(self, workspace: str, needs: Sequence[Need]) -> tuple[Need, ...]:
        """What of a project's needs is in force: all of them as they were accepted, or none."""
        answer = self._answers.get(workspace)
        known = answer is not None and answer.accepted and answer.digest == digest(needs)
        return tuple(needs) if known else ()

    def answered(self, workspace: str, needs: Sequence[Need]) -> bool:
        """Whether the person has said yes or no to just these."""
        answer = self._answers.get(workspace)
        return answer is not None and answer.digest == digest(needs)

    def answer(self, workspace: str, needs: Sequence[Need], shown: str, *, accepted: bool) -> None:
        """Keep what the person said.

        Args:
            shown: digest of the needs as the person saw them.

        Raises:
            NotFound: the project asks for something else by now, or for nothing.
            ConfigError: it cannot be kept; what was in force stays so.
        """
        if not needs or digest(needs) != shown:
            raise NotFound(
                "The project's needs are not those that were shown.",
                hint="Look at them again: taskpass needs.",
            )
        answers = {**self._answers, workspace: _Answer(shown, accepted, self._clock())}
        self._keep(answers)

    def withdraw(self, workspace: str) -> bool:
        """Forget the answer; whether there was one. Raises ConfigError."""
        if workspace not in self._answers:
            return False
        self._keep({key: value for key, value in self._answers.items() if key != workspace})
        return True

    def _keep(self, answers: dict[str, _Answer]) -> None:
        replace_file(self._path, msgspec.json.encode(answers))
        self._answers = answers
