"""The end of credentials at their issuers: asked for until confirmed, and in sight till then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from supervisor.calls.revoking import GIVE_UP, SKEW, Revoking, pause_after
from supervisor.errors import IssuerFailed, VaultLocked
from supervisor.model import CredentialSpec, KillMode, Lease, LeaseState
from supervisor.ports import Issuer, Kind, MintContext, Minted
from supervisor.protocol.wire import OwedChanged, OwedView
from tests.support.core_fakes import HOST, MemoryLedger, MemoryOwed
from tests.support.live import until

SPEC = CredentialSpec("api", "elsewhere", (HOST,), ttl=600)
WHO = {"user": "ana@host", "agent": "generic", "runtime": "laptop", "task": "t-1", "epoch": 1}


@dataclass
class Elsewhere(Issuer):
    """Ends tokens, unless told otherwise."""

    name: str = "elsewhere"
    kill_mode: KillMode = KillMode.UPSTREAM
    error: Exception | None = None
    still_works: bool | None = False
    asked: list[str] = field(default_factory=list)

    def kind(self) -> Kind:
        raise NotImplementedError

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 0.0

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        raise NotImplementedError

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        self.asked.append(revocation)
        if self.error is not None:
            raise self.error

    async def works(self, spec: CredentialSpec, revocation: str) -> bool | None:
        return self.still_works


@dataclass
class Desk:
    """A `Revoking` whose pauses are short, and what it tells."""

    issuer: Elsewhere = field(default_factory=Elsewhere)
    store: MemoryOwed = field(default_factory=MemoryOwed)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    events: list[Any] = field(default_factory=list)
    now: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.revoking = Revoking(
            {"elsewhere": self.issuer}, self.store, self.ledger, self.events.append,
            clock=lambda: self.now, pause=lambda tries: 0.002, patience=0.05,
        )  # fmt: skip

    async def lent(self, revocation: str = "token", lease: str = "l-1") -> Lease:
        held = self.revoking.hold(lease, SPEC, WHO, self.now + 600, revocation)
        await self.revoking.keep(held)
        return Lease(lease, "g-1", "t-1", "c-1", 1, self.now, self.now + 60)

    @property
    def view(self) -> OwedView:
        (view,) = self.revoking.views()
        return view

    def records(self, kind: str) -> list[dict[str, Any]]:
        return self.ledger.read(kinds=[kind])


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    made = Desk()
    yield made
    await made.revoking.close()


async def test_what_is_under_a_lease_is_on_the_disk_and_not_shown(desk: Desk) -> None:
    lease = await desk.lent()
    assert desk.revoking.owes(lease.id)
    assert desk.revoking.views() == ()
    assert [kept for _, kept in desk.store.kept.values()] == ["token"]


async def test_what_its_issuer_confirms_is_dead(desk: Desk) -> None:
    lease = await desk.lent()
    assert await desk.revoking.end([lease]) == 0
    (record,) = desk.records("lease.revoked")
    assert WHO.items() <= record.items()
    assert (record["lease"], record["credential"], record["works"]) == ("l-1", "api", "no")
    assert desk.revoking.views() == ()
    assert not desk.revoking.owes(lease.id)
    assert desk.store.kept == {}
    assert [event.live for event in desk.events if isinstance(event, OwedChanged)] == [True, False]


async def test_that_it_cannot_be_asked_is_on_record(desk: Desk) -> None:
    desk.issuer.still_works = None
    await desk.revoking.end([await desk.lent()])
    assert desk.records("lease.revoked")[0]["works"] == "cannot be asked"


async def test_what_still_works_is_not_dead_whatever_its_issuer_says(desk: Desk) -> None:
    desk.issuer.still_works = True
    assert await desk.revoking.end([await desk.lent()]) == 1
    assert "still works" in desk.view.problem
    assert not desk.records("lease.revoked")
    desk.issuer.still_works = False
    await until(lambda: desk.records("lease.revoked"), "it to be confirmed")


@pytest.mark.parametrize(
    "error",
    [IssuerFailed("It answers 500."), VaultLocked("The keyring is locked."), OSError("a bug")],
    ids=lambda error: type(error).__name__,
)
async def test_what_is_not_confirmed_is_asked_again_until_it_is(
    desk: Desk, error: Exception
) -> None:
    desk.issuer.error = error
    assert await desk.revoking.end([await desk.lent()]) == 1
    (record,) = desk.records("lease.unconfirmed")
    assert record["problem"]
    assert "bug" not in record["problem"]  # what a program says of itself may hold a secret
    assert desk.revoking.busy
    desk.issuer.error = None
    await until(lambda: not desk.revoking.views(), "it to be confirmed")
    assert len(desk.issuer.asked) == desk.records("lease.revoked")[0]["tries"] > 1
    assert not desk.revoking.busy


async def test_after_some_attempts_it_is_called_irrevocable_and_still_asked(desk: Desk) -> None:
    desk.issuer.error = IssuerFailed("It answers 500.")
    await desk.revoking.end([await desk.lent()])
    await until(lambda: desk.records("lease.irrevocable"), "it to be given up")
    assert desk.view.state == LeaseState.IRREVOCABLE
    assert desk.view.tries >= GIVE_UP
    assert len(desk.records("lease.unconfirmed")) == 1
    desk.issuer.error = None
    await until(lambda: not desk.revoking.views(), "it to be confirmed")
    assert len(desk.records("lease.irrevocable")) == 1


async def test_an_issuer_that_hangs_holds_nobody_up_for_long(desk: Desk) -> None:
    async def hang(spec: CredentialSpec, revocation: str) -> None:
        await asyncio.Event().wait()

    desk.issuer.revoke = hang  # type: ignore[method-assign]
    began = time.monotonic()
    assert await desk.revoking.end([await desk.lent()]) == 1
    assert time.monotonic() - began < 3
    assert "within 0.05 s" in desk.view.problem


async def test_what_nobody_can_end_is_shown_until_it_dies(desk: Desk) -> None:
    desk.issuer.error = IssuerFailed("It answers 500.")
    await desk.revoking.end([await desk.lent()])
    desk.now += 600 + SKEW - 1
    asked = len(desk.issuer.asked)
    await until(lambda: len(desk.issuer.asked) > asked + 1, "it to be asked again")
    assert desk.view.until < desk.now  # it says so itself; the other end's clock may be behind
    desk.now += 2
    await until(lambda: not desk.revoking.views(), "it to be dead")
    assert desk.records("lease.expired")
    assert desk.store.kept == {}


async def test_a_token_that_is_verified_offline_is_shown_until_it_expires(desk: Desk) -> None:
    desk.issuer.kill_mode = KillMode.VERIFIER
    for end in (0.05, 0.02):  # of two under one lease, the later one counts
        held = desk.revoking.hold("l-1", SPEC, WHO, desk.now + end, "")
        await desk.revoking.keep(held)
    lease = Lease("l-1", "g-1", "t-1", "c-1", 1, desk.now, desk.now + 60)
    assert await desk.revoking.end([lease]) == 1
    assert desk.view.state == LeaseState.EXPIRING
    assert desk.view.until == pytest.approx(desk.now + 0.05)
    assert not desk.revoking.busy
    desk.now += 0.06
    await until(lambda: not desk.revoking.views(), "it to expire")
    assert desk.ledger.kinds == []  # how it ends was known from the start
    assert desk.issuer.asked == []


async def test_told_or_not_a_token_that_is_verified_offline_lives_to_its_expiry(
    desk: Desk,
) -> None:
    desk.issuer.kill_mode = KillMode.VERIFIER
    await desk.revoking.end([await desk.lent()])
    assert desk.issuer.asked == ["token"]
    assert desk.records("lease.revoked")
    assert desk.view.state == LeaseState.EXPIRING


async def test_the_end_of_one_lease_spares_the_others(desk: Desk) -> None:
    first = await desk.lent("one", "l-1")
    await desk.lent("two", "l-2")
    await desk.revoking.end([first])
    assert desk.issuer.asked == ["one"]
    assert desk.revoking.owes("l-2")


async def test_the_same_token_for_two_uses_is_ended_once(desk: Desk) -> None:
    await desk.lent()
    lease = await desk.lent()
    assert len(desk.store.kept) == 1
    await desk.revoking.end([lease])
    await desk.revoking.end([lease])
    assert desk.issuer.asked == ["token"]


async def test_the_next_supervisor_goes_on_asking(desk: Desk) -> None:
    desk.issuer.error = IssuerFailed("It answers 500.")
    await desk.revoking.end([await desk.lent("ended", "l-1")])
    await desk.lent("still lent", "l-2")
    await desk.revoking.close()

    after = Desk(store=desk.store, ledger=desk.ledger)
    await after.revoking.resume([])
    assert {view.lease for view in after.revoking.views()} == {"l-1", "l-2"}
    await until(lambda: not after.revoking.views(), "both to be confirmed")
    assert set(after.issuer.asked) == {"ended", "still lent"}
    assert desk.store.kept == {}
    assert after.records("lease.revoked")[0]["user"] == "ana@host"


async def test_an_issuer_that_is_there_no_more_leaves_it_in_sight(desk: Desk) -> None:
    await desk.lent()
    after = Desk(store=desk.store)
    after.revoking.issuers = {}
    await after.revoking.resume([])
    await until(lambda: after.view.problem, "it to be tried")
    assert "no issuer elsewhere" in after.view.problem
    await after.revoking.close()


async def test_a_lease_of_which_only_the_intent_is_known_is_possibly_live(desk: Desk) -> None:
    lease = {
        "lease": "l-9", "task": "t-1", "credential": "api", "issuer": "elsewhere",
        "until": desk.now + 600,
    }  # fmt: skip
    await desk.revoking.resume([lease])
    assert (desk.view.state, desk.view.lease) == (LeaseState.POSSIBLY_LIVE, "l-9")
    assert not desk.revoking.busy


async def test_a_wire_that_died_with_its_supervisor_is_not_possibly_live(desk: Desk) -> None:
    desk.issuer.kill_mode = KillMode.WIRE
    lease = {"lease": "l-9", "task": "t-1", "credential": "api", "issuer": "elsewhere",
             "until": desk.now + 600}  # fmt: skip
    await desk.revoking.resume([lease])
    assert desk.revoking.views() == ()


async def test_a_revocation_that_cannot_be_recorded_is_not_forgotten(desk: Desk) -> None:
    desk.ledger.fails.add("lease.revoked")
    assert await desk.revoking.end([await desk.lent()]) == 1
    assert desk.store.kept
    desk.ledger.fails.clear()
    await until(lambda: not desk.revoking.views(), "it to be on record")
    assert desk.records("lease.revoked")


async def test_nothing_told_holds_what_revokes(desk: Desk) -> None:
    desk.issuer.error = IssuerFailed("It answers 500.")
    await desk.revoking.end([await desk.lent("token-4fz81kq90x")])
    told = repr(desk.events) + repr(desk.ledger.records) + repr(desk.revoking._debts)
    assert "4fz81kq90x" not in told


def test_pauses_grow_with_jitter_to_five_minutes_at_most() -> None:
    for tries, longest in ((1, 2), (3, 8), (6, 64), (9, 300), (60, 300)):
        pauses = {pause_after(tries) for _ in range(50)}
        assert longest / 2 <= min(pauses) < max(pauses) <= longest
        assert len(pauses) > 40
