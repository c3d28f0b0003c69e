"""Puts starts on record that were refused: words that would take an agent's hooks away, say."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Awaitable
from typing import TypeVar

from supervisor.calls.recorder import Recorder
from supervisor.errors import TaskpassError
from supervisor.model import Outcome, User
from supervisor.protocol.wire import StartTask

_PREVIEW = 2000  # characters of a command line that are kept
_T = TypeVar("_T")


async def recorded(
    records: Recorder, user: User, profile: str, request: StartTask, start: Awaitable[_T]
) -> _T:
    """What `start` gives. Where it refuses, that is on record as `task.refused`.

    Raises:
        TaskpassError: of `start`; whether it could be recorded or not, nothing runs.
    """
    try:
        return await start
    except TaskpassError as error:
        body = {
            "user": user.label,
            "agent": profile,
            "cwd": request.cwd,
            "preview": records.redact(shlex.join(request.argv))[:_PREVIEW],
            "outcome": Outcome.DENY,
            "code": error.code,
            "reason": records.redact(error.message)[:_PREVIEW],
        }
        with contextlib.suppress(TaskpassError):
            await records.ledger.append("task.refused", body)
        raise
