"""What a person types to start a task, read. Pure but for looking whether a directory is there."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from supervisor.errors import UsageError
from supervisor.sizes import bytes_of

PRESETS: Final = ("", "standard", "strict")
OPTIONS: Final = ("overlay", "record")
LIMITS: Final = ("minutes", "calls", "changes", "memory", "cpus", "processes")


@dataclass(frozen=True, slots=True)
class FoundAgent:
    """An agent that is installed: `claude`, "Claude Code 2.1.330"."""

    program: str
    title: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A task to start.

    Attributes:
        branch: of a new work tree to start in, "" for the directory itself.
        limits: as fields of `wire.StartTask`.
        preset: "" for the person's own.
        options: of `OPTIONS`: its changes wait for a review; what its terminal shows is kept.
    """

    argv: tuple[str, ...]
    purpose: str
    cwd: str
    branch: str
    limits: dict[str, Any]
    preset: str
    options: frozenset[str]


def read(
    command: str,
    purpose: str,
    directory: str,
    branch: str = "",
    limits: str = "",
    preset: str = "",
    options: str = "",
) -> Wanted:
    """Read the fields.

    Raises:
        UsageError: one of them says nothing that can be done; the sentence tells which.
    """
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(
            "The command has a quote that does not close.", hint="Close it, or write \\' for one."
        ) from error
    if not argv:
        raise UsageError("There is no command.", hint="Type one, such as: claude")
    cwd = Path(directory.strip() or ".").expanduser()
    if not cwd.is_dir():
        raise UsageError(f"There is no directory {cwd}.", hint="Choose one that exists.")
    chosen = preset.strip()
    if chosen not in PRESETS:
        raise UsageError(f"There is no preset “{chosen}”.", hint="Say standard or strict.")
    if unknown := sorted({*options.split()}.difference(OPTIONS)):
        raise UsageError(f"There is no option “{unknown[0]}”.", hint=f"Say {' or '.join(OPTIONS)}.")
    return Wanted(
        argv=argv,
        purpose=purpose.strip(),
        cwd=str(cwd.resolve()),
        branch=branch.strip(),
        limits=_limits(limits),
        preset=chosen,
        options=frozenset(options.split()),
    )


def _limits(source: str) -> dict[str, Any]:
    """`minutes=60 memory=4G` as fields of `wire.StartTask`. Raises UsageError."""
    found: dict[str, Any] = {}
    for term in source.split():
        name, _, value = term.partition("=")
        if name == "memory":
            found[name] = bytes_of(value)
            continue
        try:
            number = float(value)
            if name not in LIMITS or not 0 < number < float("inf"):
                raise ValueError
        except ValueError:
            raise UsageError(
                f"“{term}” is no limit.", hint=f"Write NAME=NUMBER with {', '.join(LIMITS)}."
            ) from None
        match name:
            case "minutes":
                found["max_age"] = number * 60
            case "cpus":
                found["cpus"] = number
            case "processes":
                found["processes"] = int(number)
            case _:
                found[f"max_{name}"] = int(number)
    return found
