"""Faults of issuers and ends of supervisors in any order: no token is ever lost sight of.

A token that is good elsewhere is under a lease, or shown as not confirmed dead; and once the other
end answers again, all are dead but those that nobody here ever heard of.
"""

from __future__ import annotations

import asyncio
import copy
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.errors import IssuerFailed, TaskpassError, VaultLocked
from supervisor.grants.recovery import recover
from supervisor.model import CredentialSpec, KillMode, Process
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret
from tests.support.core_fakes import HOST, MemoryLedger, MemoryOwed, OneCredential, World
from tests.support.live import until

SPEC = CredentialSpec("api", "elsewhere", (HOST,), ttl=600)
LOST = ("dies", "hangs", "crash")  # after these a token may live that nobody here knows


@dataclass
class Elsewhere(Issuer):
    """The service and its issuer in one: tokens that live until they are ended."""

    tokens: set[str]
    crashed: Callable[[], None]
    name: str = "elsewhere"
    kill_mode: KillMode = KillMode.UPSTREAM
    patience: float = 0.01
    goes_wrong: str = ""
    ends: bool = True
    gone: bool = False  # its supervisor is dead

    def kind(self) -> Kind:
        return Kind(self.name, "a test's", "host", "all", "10 min", self.kill_mode, "0 s")

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 0.0

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        wrong, self.goes_wrong = self.goes_wrong, ""
        if wrong == "says no":
            raise IssuerFailed("It says no.", unclear=False)
        token = f"token-{time.monotonic_ns()}"
        self.tokens.add(token)
        if wrong == "dies":
            raise IssuerFailed("The connection is gone.")
        if wrong == "late":
            await asyncio.sleep(2 * self.patience)
        if wrong == "crash":
            self.crashed()
        if wrong in ("hangs", "crash"):
            await asyncio.Event().wait()
        lies = {"lies": 9e9, "has no end": 0.0, "was over": 1.0}
        expires = lies.get(wrong, time.time() + spec.ttl)
        return Minted(Secret("" if wrong == "is empty" else token), expires, token)

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        await asyncio.sleep(0)
        if self.gone:
            await asyncio.Event().wait()
        if not self.ends:
            raise IssuerFailed("It does not answer.")
        self.tokens.discard(revocation)

    async def works(self, spec: CredentialSpec, revocation: str) -> bool | None:
        return revocation in self.tokens


@dataclass
class Story:
    """Supervisors, one after the other, over the same ledger and the same disk."""

    tokens: set[str] = field(default_factory=set)
    lost: int = 0
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    owed: MemoryOwed = field(default_factory=MemoryOwed)
    children: int = 200
    handles: list[tuple[str, Process]] = field(default_factory=list)

    async def begin(self) -> None:
        self.issuer = Elsewhere(self.tokens, self._crash)
        self.world = World(
            ledger=self.ledger, vault=OneCredential(SPEC), issuer=self.issuer, owed=self.owed
        )
        self.engine = self.world.engine
        self.engine.minting.late = 0.03
        self.engine.revoking.pause = lambda tries: 0.001
        self.handles = []
        recovered = recover(self.ledger, time.time())
        body = {"possibly_live": list(recovered.possibly_live)}
        await self.ledger.append("daemon.started", body)
        await self.engine.revoking.resume(recovered.possibly_live)

    def _crash(self) -> None:
        """The disk is as it is now; whatever the dead one still does changes nothing."""
        self.issuer.gone = True
        self.ledger = MemoryLedger(copy.deepcopy(self.ledger.records))
        self.owed = MemoryOwed(dict(self.owed.kept))

    async def do(self, event: str) -> None:
        match event.split(":"):
            case ["use", wrong]:
                await self._use(wrong)
            case ["settle"] if self.handles:
                _, child = self.handles.pop()
                self.world.exits[child]()
            case ["revoke grant"]:
                for grant in list(self.engine.book.grants()):
                    await self.world.lifecycle.revoke_grant(grant.id, "ana")
            case ["revoke"]:
                await self.world.lifecycle.revoke(self.world.task, "ana")
                await self._new_task()
            case ["restart"]:
                self._crash()
                await self.engine.revoking.close()
                await self.begin()
            case ["ends", works]:
                self.issuer.ends = works == "well"
        await self._quiet()
        self._look()

    async def _use(self, wrong: str) -> None:
        self.children += 1
        child = Process(self.children, 1 << 40)
        self.world.family.parents[child] = Process(100, 1)
        handle = await self.world.handle(child)
        self.handles.append((handle, child))
        self.lost += wrong in LOST
        if wrong == "cannot be recorded":
            self.ledger.fails.add("use.minted")
        elif wrong == "cannot be kept":
            self.owed.error = VaultLocked("The disk is full.")
        else:
            self.issuer.goes_wrong = wrong
        using = asyncio.ensure_future(self.world.use(handle, child=child))
        if wrong == "leaves":
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            using.cancel()
        with suppress(TaskpassError, asyncio.CancelledError):
            if wrong == "crash":
                await until(lambda: self.issuer.gone or using.done(), "it to die")
                using.cancel()
            await using
        self.ledger.fails.clear()
        self.owed.error = None
        if self.issuer.gone:
            await self.engine.revoking.close()
            await self.begin()

    async def _new_task(self) -> None:
        """The revoked one stays so; work goes on in another supervisor's task."""
        await self._quiet()
        self._look()
        self._crash()
        await self.engine.revoking.close()
        await self.begin()

    async def _quiet(self) -> None:
        await until(lambda: not self.engine.desk._background, "background work to end")

    def _look(self) -> None:
        revoking = self.engine.revoking
        leased = sum(revoking.owes(lease.id) for lease in self.engine.book.leases())
        shown = len(revoking.views())
        assert len(self.tokens) <= leased + shown, "a token is out of sight"

    @property
    def owed_and_known(self) -> int:
        """Tokens of which there is a handle, and that are still to be ended."""
        return sum(owed.known for owed, _ in self.owed.kept.values())

    async def finish(self) -> None:
        """The other end answers again, and everything is over."""
        self.issuer.ends = True
        await self.world.lifecycle.revoke(self.world.task, "ana")
        await until(lambda: not self.engine.revoking.busy, "all that can be told to be told")
        await self._quiet()
        self._look()
        await self.engine.revoking.close()


WRONGS = ("", "says no", "dies", "late", "hangs", "lies", "has no end", "was over", "is empty",
          "cannot be recorded", "cannot be kept", "leaves", "crash")  # fmt: skip
EVENTS = st.sampled_from(
    [
        *(f"use:{wrong}" for wrong in WRONGS),
        *("settle", "settle", "revoke grant", "revoke", "restart", "ends:well", "ends:badly"),
    ]
)


async def _play(events: Sequence[str]) -> Story:
    """A story that is over. After each event, and in the end, every token was accounted for."""
    story = Story()
    await story.begin()
    for event in events:
        await story.do(event)
    await story.finish()
    return story


@settings(max_examples=25, deadline=None)
@given(st.lists(EVENTS, max_size=8))
def test_in_any_order_no_token_is_lost_sight_of(events: list[str]) -> None:
    story = asyncio.run(_play(events))
    assert len(story.tokens) <= story.lost
    assert story.owed_and_known == 0


@pytest.mark.full
@pytest.mark.timeout(600)  # it waits for most of them
@settings(max_examples=1500, deadline=None)
@given(st.lists(EVENTS, max_size=25))
def test_in_any_long_order_no_token_is_lost_sight_of(events: list[str]) -> None:
    story = asyncio.run(_play(events))
    assert len(story.tokens) <= story.lost
    assert story.owed_and_known == 0


@pytest.mark.parametrize("wrong", WRONGS)
@pytest.mark.parametrize("after", ["settle", "restart", "revoke", "revoke grant"])
def test_each_fault_before_each_end(wrong: str, after: str) -> None:
    story = asyncio.run(_play(["ends:badly", f"use:{wrong}", after, "restart", "ends:well"]))
    assert len(story.tokens) <= story.lost == (wrong in LOST)
    assert story.owed_and_known == 0
