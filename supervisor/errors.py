"""One base error, and the one place where errors become exit codes and HTTP statuses.

Every error a person can meet carries three things: what happened (`message`), a stable
machine-readable `code`, and what to do next (`hint`). Nothing here ever holds a secret.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:  # not imported for real: typing is 2 ms of every start
    from typing import ClassVar


class TaskpassError(Exception):
    """Base of all our errors.

    Attributes:
        code: stable identifier, `snake_case`, part of the API.
        status: HTTP status the API answers with.
        exit_code: what the CLI exits with (125 is ours, as in env(1); 3 denied; 4 timed out).
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(TaskpassError):
    """The request itself is wrong: unknown profile, bad argument."""

    code, status, exit_code = "usage", 400, 2


class ConfigError(TaskpassError):
    """A file a person wrote cannot be used; the message names file, line and column."""

    code, status, exit_code = "config", 400, 2


class PolicyError(ConfigError):
    """A policy does not parse or does not fit the schema."""

    code = "policy"


class NotFound(TaskpassError):
    """No such task, credential, approval, record."""

    code, status, exit_code = "not_found", 404, 1


class Denied(TaskpassError):
    """Policy, or a person, said no. The hint names the way that works."""

    code, status, exit_code = "denied", 403, 3


class NotAttested(Denied):
    """The peer could not be shown to be what it must be. Nothing is given."""

    code = "not_attested"


class TimedOut(TaskpassError):
    """Nobody answered in time; that means denied."""

    code, status, exit_code = "timed_out", 408, 4


class InvalidToken(Denied):
    """A token that does not verify; the code is RFC 6750's."""

    code, status = "invalid_token", 401


class Revoked(Denied):
    """The task's epoch has moved on, or it is frozen."""

    code = "revoked"


class AgentNotFound(TaskpassError):
    """The program to run does not exist (exit 127, as env(1))."""

    code, status, exit_code = "agent_not_found", 404, 127


class AgentNotExecutable(TaskpassError):
    """The program exists and cannot be executed (exit 126, as env(1))."""

    code, status, exit_code = "agent_not_executable", 400, 126


class LaunchFailed(TaskpassError):
    """We could not set the task up; nothing of it runs."""

    code, status, exit_code = "launch_failed", 500, 125


class DaemonUnavailable(TaskpassError):
    """The supervisor cannot be reached, is not ours, or speaks another version."""

    code, status, exit_code = "daemon_unavailable", 503, 125


class VersionMismatch(DaemonUnavailable):
    """Client and supervisor speak different protocol versions."""

    code, status = "version_mismatch", 426


class LedgerFailed(TaskpassError):
    """A record could not be made durable (disk full, read-only). No record: no credential."""

    code, status, exit_code = "ledger_failed", 507, 1


class LedgerBroken(TaskpassError):
    """The chain does not verify; the message names the first bad record."""

    code, status, exit_code = "ledger_broken", 500, 1


class VaultLocked(TaskpassError):
    """The keyring is locked, absent, or one we refuse to trust."""

    code, status, exit_code = "vault_locked", 423, 1


class IssuerFailed(TaskpassError):
    """Who makes a credential, or ends it, did not do so: it hangs, errs or answers nonsense.

    Attributes:
        unclear: something may have been made that nobody here knows of. False where the other end
            was not reached, or said no.
    """

    code, status, exit_code = "issuer_failed", 502, 1

    def __init__(self, message: str, *, hint: str = "", unclear: bool = True) -> None:
        super().__init__(message, hint=hint)
        self.unclear = unclear


def of_code(code: str) -> type[TaskpassError]:
    """The error that `code` names; the base for one we do not know (a newer supervisor's)."""
    kinds = [TaskpassError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return next((kind for kind in kinds if kind.code == code), TaskpassError)
