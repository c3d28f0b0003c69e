"""What a revocation has come to so far, lease by lease. Pure.

The supervisor acknowledges once everything is refused and cut and that is durable. What comes
after it, the end of the processes and of credentials at whoever made them, is followed here from
its events until nothing is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from supervisor.model import Grant, KillMode, Lease, LeaseState, TaskState
from supervisor.protocol import wire
from tui.text import task_state
from tui.world import World


class Verdict(Enum):
    """How dead something is."""

    WAITING = auto()  # not acknowledged yet
    DEAD = auto()
    ASKING = auto()  # the other end has not confirmed it
    EXPIRING = auto()  # nobody can be told: it dies by itself
    STUCK = auto()  # asked in vain, or there is nothing to ask with


@dataclass(frozen=True, slots=True)
class Held:
    """A lease that was open when everything was taken away. `owed`: the issuer's part of it."""

    lease: str
    call: str
    credential: str
    resource: str
    mode: KillMode
    verdict: Verdict
    owed: wire.OwedView | None = None


@dataclass(slots=True)
class Fate:
    """What becomes of one task."""

    task: wire.TaskView
    leases: tuple[Lease, ...]
    grants: dict[str, Grant]
    refused: bool = False
    outliving: frozenset[str] | None = None  # leases that may be accepted elsewhere
    tree_left: int | None = None  # processes that could not be ended
    family: frozenset[str] = frozenset()  # itself and its subagents' tasks, which fall with it
    settled: bool = False  # issuers have been asked once
    owed: dict[str, wire.OwedView] = field(default_factory=dict)  # by lease

    def look(self, world: World) -> None:
        """Take in what the world has become."""
        self.task = world.tasks.get(self.task.id, self.task)
        self.refused = self.refused or task_state(self.task.state) is TaskState.REVOKED
        if self.task.tree_left is not None:
            self.tree_left = self.task.tree_left
        for record in reversed(world.records):
            if record.get("task") != self.task.id:
                continue
            match record.get("kind"):
                case "task.killed":
                    self.settled = True
                    self.tree_left = int(record.get("processes_left", 0))
                case "task.revoked":
                    self.refused = True
                    self.outliving = frozenset(record.get("outliving", ()))
                    break  # nothing of this task before it matters here
        self.owed = {owed.lease: owed for owed in world.owed.values() if owed.task in self.family}

    @property
    def held(self) -> list[Held]:
        """Its open leases as they stand, and what earlier ones left behind."""
        found = []
        for lease in self.leases:
            grant = self.grants.get(lease.grant)
            found.append(
                Held(
                    lease.id, lease.call,
                    grant.credential if grant else "", grant.resource if grant else "",
                    grant.kill_mode if grant else KillMode.WIRE,
                    self._verdict(lease, grant), self.owed.get(lease.id),
                )
            )  # fmt: skip
        own = {lease.id for lease in self.leases}
        found += [
            Held(
                owed.lease, "", owed.credential, "", KillMode.VERIFIER, _of_state(owed.state), owed
            )
            for owed in self.owed.values()
            if owed.lease not in own
        ]
        return found

    def _verdict(self, lease: Lease, grant: Grant | None) -> Verdict:
        if not self.refused:
            return Verdict.WAITING
        if owed := self.owed.get(lease.id):
            return _of_state(owed.state)
        if self.settled or grant is None or grant.kill_mode is KillMode.WIRE:
            return Verdict.DEAD
        # Until the issuer has been asked, only what the supervisor ruled out is known to be dead.
        if self.outliving is not None and lease.id not in self.outliving:
            return Verdict.DEAD
        return Verdict.ASKING


def _of_state(state: str) -> Verdict:
    match state:
        case LeaseState.EXPIRING:
            return Verdict.EXPIRING
        case LeaseState.IRREVOCABLE | LeaseState.POSSIBLY_LIVE:
            return Verdict.STUCK
        case _:
            return Verdict.ASKING


class Reckoning:
    """One revocation, from the moment it was asked for.

    Args:
        world: as it is before anything is taken away.
        tasks: whose access ends.
    """

    def __init__(self, world: World, tasks: Iterable[wire.TaskView]) -> None:
        self.answer: wire.RevokedView | None = None
        self.problem = ""  # why it is not acknowledged
        self.fates = [
            Fate(
                task,
                tuple(one for one in world.leases.values() if one.task in family),
                {grant.id: grant for grant in world.grants.values() if grant.task in family},
                family=family,
            )
            for task in tasks
            for family in (world.family(task.id),)
        ]

    def look(self, world: World) -> None:
        for fate in self.fates:
            fate.look(world)

    @property
    def counts(self) -> tuple[int, int]:
        """How many leases and process trees are confirmed dead, and of how many."""
        verdicts = [held.verdict for fate in self.fates for held in fate.held]
        trees = [fate.tree_left == 0 for fate in self.fates]
        dead = sum(verdict is Verdict.DEAD for verdict in verdicts) + sum(trees)
        return dead, len(verdicts) + len(trees)
