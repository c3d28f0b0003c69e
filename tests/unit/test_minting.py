"""What an issuer answers is looked at, bounded in time, and ended where it is not delivered."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace

import pytest

from supervisor.calls.minting import LONGEST
from supervisor.calls.revoking import SKEW
from supervisor.errors import (
    ConfigError,
    IssuerFailed,
    LedgerFailed,
    Revoked,
    TaskpassError,
)
from supervisor.grants.recovery import recover
from supervisor.model import CredentialSpec, Decision, KillMode, LeaseState, Outcome, Verb
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret
from supervisor.protocol.wire import LeaseChanged
from tests.support.core_fakes import CHILD, HOST, REAL, OneCredential, World
from tests.support.live import until

SPEC = CredentialSpec("api", "elsewhere", (HOST,), ttl=600)


@dataclass
class Elsewhere(Issuer):
    """Gives what the test says, when it says so."""

    name: str = "elsewhere"
    kill_mode: KillMode = KillMode.UPSTREAM
    patience: float = 5.0
    value: str = REAL
    lives: float = 600.0  # seconds
    no_end: bool = False
    gate: asyncio.Event | None = None
    revoked: list[str] = field(default_factory=list)
    made: int = 0

    def kind(self) -> Kind:
        raise NotImplementedError

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 0.0

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        if self.gate is not None:
            await self.gate.wait()
        self.made += 1
        expires = 0.0 if self.no_end else time.time() + self.lives
        return Minted(Secret(self.value), expires, f"handle-{self.made}")

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        self.revoked.append(revocation)


@pytest.fixture
async def world() -> World:
    made = World(vault=OneCredential(SPEC), issuer=Elsewhere())
    made.engine.revoking.pause = lambda tries: 0.002
    return made


def leases(world: World) -> list[LeaseState]:
    return [e.lease.state for e in world.events if isinstance(e, LeaseChanged)]


@pytest.mark.parametrize(
    "value",
    ["", "a" * (LONGEST + 1), "two\nlines", "a\r\nX-Admin: 1", "nul\0", "\x7f", "tab\t"],
    ids=["empty", "oversized", "LF", "CR LF", "NUL", "DEL", "tab"],
)
@pytest.mark.parametrize("mode", [KillMode.WIRE, KillMode.UPSTREAM], ids=str)
async def test_what_no_header_can_carry_is_not_used(
    world: World, mode: KillMode, value: str
) -> None:
    world.issuer.value, world.issuer.kill_mode = value, mode
    handle = await world.handle()
    with pytest.raises(IssuerFailed, match="elsewhere gave") as refusal:
        await world.use(handle)
    assert not value or value not in str(refusal.value)
    await until(lambda: world.issuer.revoked == ["handle-1"], "it to be ended")
    await world.settle_background()
    assert world.engine.revoking.views() == ()


@pytest.mark.parametrize(
    "lives",
    [-3600.0, -SKEW - 5, 600 + SKEW + 5, 1e12, float("inf"), float("-inf"), float("nan")],
)
async def test_a_lie_about_its_expiry_is_not_believed(world: World, lives: float) -> None:
    world.issuer.lives = lives
    handle = await world.handle()
    with pytest.raises(IssuerFailed, match="it is not used"):
        await world.use(handle)
    await until(lambda: world.issuer.revoked == ["handle-1"], "it to be ended")


@pytest.mark.parametrize("lives", [600 - SKEW, 600 + SKEW - 5, 60.0, -SKEW + 5])
async def test_clocks_may_differ_by_five_minutes(world: World, lives: float) -> None:
    world.issuer.lives = lives
    release = await world.use(await world.handle())
    assert release.secret is not None


async def test_what_does_not_say_when_it_ends_is_not_short_lived(world: World) -> None:
    world.issuer.no_end = True
    handle = await world.handle()
    with pytest.raises(IssuerFailed, match="does not say when it expires"):
        await world.use(handle)
    world.issuer.kill_mode = KillMode.WIRE  # a standing secret, whose wire ends
    assert (await world.use(handle)).secret is not None


async def test_what_comes_too_late_is_ended(world: World) -> None:
    world.issuer.gate, world.issuer.patience = asyncio.Event(), 0.02
    handle = await world.handle()
    with pytest.raises(IssuerFailed, match="no credential within"):
        await world.use(handle)
    assert leases(world) == [LeaseState.OPEN, LeaseState.CLOSED]
    (view,) = world.engine.revoking.views()
    assert view.state == LeaseState.UNCONFIRMED  # in sight while it may still come
    world.issuer.gate.set()
    await until(lambda: not world.engine.revoking.views(), "it to be ended")
    assert world.issuer.revoked == ["handle-1"]
    assert "lease.revoked" in world.ledger.kinds


async def test_what_nobody_waits_for_any_more_is_ended(world: World) -> None:
    world.issuer.gate = asyncio.Event()
    using = asyncio.ensure_future(world.use(await world.handle()))
    await until(lambda: "use.intent" in world.ledger.kinds, "it to be asked for")
    await world.settle_background()
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    world.issuer.gate.set()
    await until(lambda: world.issuer.revoked == ["handle-1"], "it to be ended")


@pytest.mark.parametrize("breaks", ["disk", "ledger"])
async def test_a_lease_that_cannot_be_recorded_revokes_what_was_made(
    world: World, breaks: str
) -> None:
    handle = await world.handle()
    if breaks == "ledger":
        world.ledger.fails.add("use.minted")
    else:
        world.owed.error = ConfigError("The disk is full.")
    with pytest.raises(LedgerFailed if breaks == "ledger" else ConfigError):
        await world.use(handle)
    await until(lambda: world.issuer.revoked == ["handle-1"], "it to be ended")
    assert leases(world) == [LeaseState.OPEN, LeaseState.CLOSED]


async def test_it_is_on_the_disk_before_it_is_delivered(world: World) -> None:
    kept: list[int] = []
    world.ledger.during["use.minted"] = lambda: kept.append(len(world.owed.kept))
    await world.use(await world.handle())
    assert kept == [1]


async def test_a_failure_spares_the_lease_that_others_use(world: World) -> None:
    handle = await world.handle()
    good = await world.use(handle)
    world.issuer.value = ""
    with pytest.raises(IssuerFailed):
        await world.use(handle)
    assert world.engine.live(world.task, good.lease)
    await until(lambda: world.issuer.revoked == ["handle-2"], "the other to be ended")


async def test_of_two_at_once_the_failure_of_one_spares_the_other(world: World) -> None:
    handle = await world.handle()
    world.issuer.gate = asyncio.Event()
    slow = asyncio.ensure_future(world.use(handle))
    await until(lambda: "use.intent" in world.ledger.kinds, "it to be asked for")
    world.owed.error = ConfigError("The disk is full.")
    gate, world.issuer.gate = world.issuer.gate, None
    with pytest.raises(ConfigError):
        await world.use(handle)
    world.owed.error = None
    gate.set()
    assert (await slow).secret is not None


async def test_the_history_says_how_long_it_may_live_without_us(world: World) -> None:
    await world.use(await world.handle())
    (intent,) = world.ledger.read(kinds=["use.intent"])
    assert intent["until"] >= time.time() + 590


async def test_an_issuer_that_breaks_is_one_sentence(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(spec: CredentialSpec, context: MintContext) -> Minted:
        raise KeyError(REAL)

    handle = await world.handle()
    world.issuer.mint = broken
    with pytest.raises(IssuerFailed) as refusal:
        await world.use(handle)
    assert isinstance(refusal.value, TaskpassError)
    assert REAL not in str(refusal.value)
    assert refusal.value.hint
    assert "KeyError" in caplog.text
    assert "KeyError: " not in caplog.text  # its text stays out of the log


@pytest.mark.parametrize("ttl", [float("inf"), float("nan"), -1.0, 0.0])
async def test_no_time_to_live_keeps_it_out_of_sight(world: World, ttl: float) -> None:
    spec = replace(SPEC, ttl=ttl)
    world.vault.spec = spec
    await world.use(await world.handle())
    ((owed, _),) = world.owed.kept.values()
    assert time.time() < owed.until < time.time() + 367 * 86_400


async def test_a_grant_is_taken_away_without_waiting_for_the_other_end(world: World) -> None:
    async def hang(spec: CredentialSpec, revocation: str) -> None:
        await asyncio.Event().wait()

    await world.use(await world.handle())
    world.issuer.revoke = hang
    (grant,) = world.engine.book.grants()
    began = time.monotonic()
    view = await world.lifecycle.revoke_grant(grant.id, "ana")
    assert time.monotonic() - began < 1
    assert (view.leases_dead, view.leases_unconfirmed) == (0, 1)
    await until(world.engine.revoking.views, "it to be shown")
    await world.engine.revoking.close()


async def test_nobody_is_asked_again_about_what_they_took_away(world: World) -> None:
    handle = await world.handle()
    await world.use(handle)
    (grant,) = world.engine.book.grants()
    await world.lifecycle.revoke_grant(grant.id, "ana")
    world.policy.answers[Verb.HTTP] = Decision(Outcome.ASK, "sensitive", ("ask-it",))
    with pytest.raises(Revoked, match="was revoked in this task"):
        await world.use(handle)
    assert "approval.asked" not in world.ledger.kinds
    await world.settle_background()
    assert world.ledger.read(kinds=["use.denied"])[-1]["code"] == "revoked"


@pytest.mark.parametrize("ends", ["the call", "the task"])
async def test_the_ledger_alone_tells_what_may_be_live(world: World, ends: str) -> None:
    """Also of what could not be kept: the next supervisor says that it is possibly live."""
    await world.ledger.append("daemon.started", {})

    async def fails(spec: CredentialSpec, revocation: str) -> None:
        raise IssuerFailed("It answers 500.")

    confirms, world.issuer.revoke = world.issuer.revoke, fails
    release = await world.use(await world.handle())
    world.owed.error = ConfigError("The disk is full.")
    world.owed.kept.clear()
    for debt in world.engine.revoking._debts.values():
        debt.kept = False
    if ends == "the task":
        await world.lifecycle.revoke(world.task, "ana")
    else:
        world.exits[CHILD]()
    await until(world.engine.revoking.views, "it to be asked for")
    await world.settle_background()
    (live,) = recover(world.ledger, time.time()).possibly_live
    assert live["lease"] == release.lease
    world.issuer.revoke = confirms
    await until(lambda: not world.engine.revoking.views(), "it to be confirmed")
    assert recover(world.ledger, time.time()).possibly_live == ()
