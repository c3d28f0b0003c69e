"""What bounds a task: what was asked for it, and whether this machine can hold it to that."""

from __future__ import annotations

from dataclasses import replace

from supervisor.errors import LaunchFailed
from supervisor.model import Limits
from supervisor.process import cgroup
from supervisor.protocol import wire
from supervisor.sizes import size_words


def asked_for(request: wire.StartTask, own: Limits) -> Limits:
    """`own` limits of the person's, with what was said for this one task."""
    return replace(
        own,
        max_age=request.max_age or own.max_age,
        max_call_age=request.max_call_age or own.max_call_age,
        max_calls=request.max_calls or own.max_calls,
        max_changes=request.max_changes,
        memory=request.memory or own.memory,
        cpus=request.cpus or own.cpus,
        processes=request.processes or own.processes,
    )


def check(limits: Limits, delegation: cgroup.Delegation) -> None:
    """Refuse limits that nothing would hold the task to.

    Raises:
        LaunchFailed: says why the machine cannot.
    """
    if reason := cgroup.missing(limits, delegation):
        raise LaunchFailed(
            f"A task cannot be limited to {' and '.join(in_words(limits))} here: {reason}.",
            hint=f"Leave the limit out, or {cgroup.HINT}",
        )


def in_words(limits: Limits) -> tuple[str, ...]:
    """`4 GB of memory`, `1.5 processors`, `300 processes`: those that there are."""
    words = []
    if limits.memory:
        words.append(f"{size_words(limits.memory)} of memory")
    if limits.cpus:
        words.append(f"{limits.cpus:g} processor{'' if limits.cpus == 1 else 's'}")
    if limits.processes:
        words.append(f"{limits.processes} processes")
    return tuple(words)
