"""What a revocation has come to: nothing is called dead before the supervisor has said so."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from supervisor.model import KillMode, Lease, LeaseState
from supervisor.protocol import wire
from tests.support.fake_client import NOW, grant, story, task_view
from tui.reckoning import Reckoning, Verdict
from tui.screens.revoked import text
from tui.world import World

MODES = (KillMode.WIRE, KillMode.VERIFIER, KillMode.UPSTREAM)


class Scene:
    """One task with one open lease of each kind, and what is told of its end."""

    def __init__(self) -> None:
        self.world = World()
        self.task = task_view(1, "flaky checkout")
        self.leases = [
            Lease(f"l-{mode}", f"g-{mode}", "t-1", f"c-{mode}", 2, NOW - 8, NOW + 60, uses=1)
            for mode in MODES
        ]
        self.tell(
            wire.Snapshot(
                session="s",
                now=NOW,
                tasks=(self.task,),
                grants=tuple(
                    grant(f"g-{mode}", f"cred-{mode}", "api.example.com", left=600, whole=900,
                          mode=mode)
                    for mode in MODES
                ),
                leases=tuple(self.leases),
            )
        )  # fmt: skip
        self.reckoning = Reckoning(self.world, [self.task])

    def tell(self, *events: wire.Event) -> None:
        for event in events:
            self.world.apply(event)

    def record(self, kind: str, **body: Any) -> None:
        self.tell(wire.Recorded(record={"kind": kind, "task": "t-1", **body}))

    def refuse(self) -> None:
        """As the supervisor tells it: leases and grants are gone, then the task is revoked."""
        self.record("task.revoked", outliving=["l-verifier", "l-upstream"])
        for lease in self.leases:
            self.tell(wire.LeaseChanged(lease=replace(lease, state=LeaseState.REVOKED)))
        self.tell(wire.TaskChanged(task=msgspec.structs.replace(self.task, state="revoked")))
        self.reckoning.answer = wire.RevokedView(
            tasks=("t-1",), leases_dead=1, leases_unconfirmed=2, connections_cut=2, took_ms=4.0
        )

    def owe(self, mode: str, state: LeaseState, *, live: bool = True, **more: Any) -> None:
        view = wire.OwedView(
            id=f"o-{mode}", lease=f"l-{mode}", task="t-1", credential=f"cred-{mode}",
            issuer="elsewhere", state=state, ended=NOW, until=NOW + 44, **more,
        )  # fmt: skip
        self.tell(wire.OwedChanged(owed=view, live=live))

    @property
    def verdicts(self) -> dict[str, Verdict]:
        self.reckoning.look(self.world)
        return {held.lease: held.verdict for held in self.reckoning.fates[0].held}

    @property
    def counts(self) -> tuple[int, int]:
        self.reckoning.look(self.world)
        return self.reckoning.counts

    @property
    def text(self) -> str:
        self.reckoning.look(self.world)
        return text("every task", self.reckoning, NOW, 76).plain


def test_nothing_is_dead_before_it_is_acknowledged() -> None:
    scene = Scene()
    assert set(scene.verdicts.values()) == {Verdict.WAITING}
    assert "revoking every task…" in scene.text
    assert "… refusing" in scene.text
    assert "✓" not in scene.text


def test_what_others_must_confirm_is_open_until_they_do() -> None:
    scene = Scene()
    scene.refuse()
    assert scene.verdicts == {
        "l-wire": Verdict.DEAD, "l-verifier": Verdict.ASKING, "l-upstream": Verdict.ASKING,
    }  # fmt: skip
    scene.owe("verifier", LeaseState.EXPIRING)
    scene.owe("upstream", LeaseState.UNCONFIRMED, tries=2, problem="It answered 503.")
    assert scene.verdicts["l-verifier"] is Verdict.EXPIRING
    assert "dies by itself in 44s" in scene.text
    assert "asked 2×, not confirmed yet" in scene.text
    assert "It answered 503." in scene.text
    scene.record("task.killed", processes_left=0, leases_unconfirmed=2)
    assert scene.counts == (2, 4)  # the wire's lease and the processes
    scene.owe("upstream", LeaseState.UNCONFIRMED, live=False)
    scene.owe("verifier", LeaseState.EXPIRING, live=False)
    assert set(scene.verdicts.values()) == {Verdict.DEAD}
    assert "4 of 4 confirmed dead" in scene.text


def test_an_issuer_that_was_asked_once_owes_nothing_more() -> None:
    scene = Scene()
    scene.refuse()
    scene.record("task.killed", processes_left=0, leases_unconfirmed=0)
    assert set(scene.verdicts.values()) == {Verdict.DEAD}


def test_what_nobody_can_revoke_is_never_called_dead() -> None:
    scene = Scene()
    scene.refuse()
    scene.owe("upstream", LeaseState.IRREVOCABLE, problem="Its issuer gave nothing.")
    scene.record("task.killed", processes_left=0, leases_unconfirmed=1)
    assert scene.verdicts["l-upstream"] is Verdict.STUCK
    assert "! cred-upstream" in scene.text
    assert "not confirmed, dies in 44s" in scene.text


def test_processes_that_could_not_be_ended_are_counted() -> None:
    scene = Scene()
    scene.refuse()
    assert "… ending its processes" in scene.text
    revoked = msgspec.structs.replace(scene.task, state="revoked", tree_left=2)
    scene.tell(wire.TaskChanged(task=revoked))
    assert "! 2 processes left" in scene.text
    assert scene.counts[0] == 1
    scene.tell(wire.TaskChanged(task=msgspec.structs.replace(revoked, tree_left=0)))
    assert "✓ process tree gone" in scene.text


def test_what_an_earlier_lease_left_behind_is_in_the_list() -> None:
    scene = Scene()
    owed = wire.OwedView(
        id="o-9", lease="l-9", task="t-1", credential="old-token", issuer="elsewhere",
        state=LeaseState.EXPIRING, ended=NOW, until=NOW + 30,
    )  # fmt: skip
    scene.tell(wire.OwedChanged(owed=owed))
    scene.refuse()
    assert scene.verdicts["l-9"] is Verdict.EXPIRING
    assert "old-token" in scene.text


def test_a_problem_stands_in_place_of_the_summary() -> None:
    scene = Scene()
    scene.reckoning.problem = "The history cannot be written. The task stays refused and frozen."
    assert "stays refused and frozen" in scene.text


def test_what_other_tasks_hold_is_not_in_it() -> None:
    world = World()
    world.apply(story())
    two = world.tasks["t-2"]
    reckoning = Reckoning(world, [two])
    reckoning.look(world)
    assert reckoning.fates[0].leases == ()
    assert "no lease was open" in text("task 2", reckoning, NOW, 76).plain
