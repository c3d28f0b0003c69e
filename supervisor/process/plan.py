"""Makes the plan of one contained task: from what its profile needs, what the person lets in,
and what lies in its workspace."""

from __future__ import annotations

from dataclasses import dataclass

from supervisor.ports import Containment, Mount
from supervisor.process.guards import guards
from supervisor.process.placeholders import Placeholders


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a plan is made from. Paths are absolute.

    Attributes:
        mode: "standard" or "strict".
        mounts: what the agent's profile needs.
        absent: our own state.
    """

    task: str
    mode: str
    workspace: str
    cwd: str
    home: str
    mounts: tuple[Mount, ...] = ()
    absent: tuple[str, ...] = ()


def make_plan(wanted: Wanted, placeholders: Placeholders) -> Containment:
    """The plan, with everything on the disk that it rests on.

    Raises:
        LaunchFailed: something that must be guarded cannot be.
    """
    strict = wanted.mode == "strict"
    writable = [mount.path for mount in wanted.mounts if mount.writable]
    found = placeholders.hold(
        wanted.task,
        lambda: guards(wanted.workspace, wanted.cwd, wanted.home, writable, strict=strict),
    )
    return Containment(
        mode=wanted.mode,
        workspace=wanted.workspace,
        mounts=(*wanted.mounts, *(Mount(path, writable=True) for path in found.outside)),
        guarded=found.paths,
        absent=wanted.absent,
    )
