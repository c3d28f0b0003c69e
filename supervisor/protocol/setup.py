"""What clients and supervisor say to each other about setting up, undoing and leaving."""

from __future__ import annotations

from supervisor.protocol.wire import Wire


class UndoView(Wire, frozen=True, kw_only=True):
    """One change that can be undone (`undo.Entry`)."""

    id: str
    at: float
    what: str
    paths: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()


class RecordUndo(Wire, frozen=True, kw_only=True):
    """POST /v1/undo: credentials that are about to be added. Files only the supervisor records."""

    what: str
    credentials: tuple[str, ...]


class CopyUndo(Wire, frozen=True, kw_only=True):
    """POST /v1/undo/ID/copy"""

    folder: str  # absolute


class Copied(Wire, frozen=True, kw_only=True):
    paths: tuple[str, ...]


class Leave(Wire, frozen=True, kw_only=True):
    """POST /v1/leave: undo everything, forget every credential. No task may be running."""

    leave_changed: bool = False  # what was changed since stays as it is


class Left(Wire, frozen=True, kw_only=True):
    """What that did.

    Attributes:
        undone: in words, newest first.
        credentials: that were forgotten.
        changed: why some entries were not undone, in words.
    """

    undone: tuple[str, ...] = ()
    credentials: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


class NeedsView(Wire, frozen=True, kw_only=True):
    """What a project says its tasks need.

    Attributes:
        digest: of the proposal, "" where there is none.
        needs: in words, one line each.
        state: "waiting", "accepted" or "refused"; "" where nothing is needed.
    """

    workspace: str
    digest: str = ""
    needs: tuple[str, ...] = ()
    state: str = ""


class AnswerNeeds(Wire, frozen=True, kw_only=True):
    """POST /v1/needs: to accept takes a paired screen."""

    workspace: str
    digest: str  # of what the person was shown
    accept: bool


class WithdrawNeeds(Wire, frozen=True, kw_only=True):
    """POST /v1/needs/withdraw"""

    cwd: str
