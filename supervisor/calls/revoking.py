"""The end of credentials at whoever made them: asked for until confirmed, and shown till then.

What was made is held (`hold`, `keep`) before it is delivered. When its lease ends, its issuer is
told (`end`); what is not confirmed is tried again, with growing and jittered pauses, by this
supervisor and by those after it (`resume`). Nothing is forgotten before it is dead: ended there,
and where that can be asked no longer taken, or expired by itself.

Records, each about one credential: `lease.revoked` (confirmed; `works`: whether the other end still
takes it), `lease.unconfirmed` (the first attempt failed), `lease.irrevocable` (nothing to ask with,
or asked `GIVE_UP` times in vain; asked on all the same), `lease.expired` (it died by itself).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from supervisor.calls.owed import Owed, OwedStore
from supervisor.errors import IssuerFailed, TaskpassError
from supervisor.model import CredentialSpec, KillMode, Lease, LeaseState, new_id
from supervisor.ports import Issuer, LedgerStore, Secret
from supervisor.protocol.wire import Event, OwedChanged, OwedView

log = logging.getLogger("supervisor")

GIVE_UP = 6  # attempts, about a minute, after which it is called irrevocable
SKEW = 300.0  # seconds that the other end's clock may be behind ours
_FIRST = 3.0  # seconds that whoever ends a lease waits for the first answers
_ATTEMPT = 15.0  # seconds that one may take
_LONGEST_PAUSE = 300.0  # seconds
_LOOK = 3600.0  # seconds, after which the clock is looked at again


def pause_after(tries: int) -> float:
    """Seconds to wait after so many attempts: doubled each time, jittered so that not all of a
    task's credentials come at once."""
    return min(_LONGEST_PAUSE, 2.0 ** min(tries, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


def without_text(error: Exception) -> str:
    """An error for the log: what it is and where, without words that may hold a secret."""
    return "".join((type(error).__name__, "\n", *traceback.format_tb(error.__traceback__)))


@dataclass(slots=True)
class _Debt:
    """What is owed, and how far it has come."""

    owed: Owed
    revocation: Secret | None  # None: in the store, or nothing
    state: LeaseState = LeaseState.OPEN
    ended: float = 0.0
    tries: int = 0
    problem: str = ""
    kept: bool = False  # on the disk
    tried: asyncio.Event = field(default_factory=asyncio.Event)  # at least once, to its end


@dataclass(slots=True)
class Revoking:
    """Ends upstream what issuers made."""

    issuers: Mapping[str, Issuer]
    store: OwedStore
    ledger: LedgerStore
    publish: Callable[[Event], None]
    clock: Callable[[], float] = time.time
    pause: Callable[[int], float] = pause_after
    patience: float = _ATTEMPT
    _debts: dict[str, _Debt] = field(default_factory=dict)  # by id
    _working: set[asyncio.Task[None]] = field(default_factory=set)

    # ── before delivery ─────────────────────────────────────────────────────────────────

    def hold(
        self,
        lease: str,
        spec: CredentialSpec,
        who: Mapping[str, Any],
        until: float,
        revocation: str,
    ) -> str:
        """Something was made under `lease` that dies at `until` (POSIX seconds) by itself.

        From here on the end of the lease is its end, and its id is returned. An issuer may give
        the same again to several uses of a lease.
        """
        for debt in self._debts.values():
            held = debt.revocation.value if debt.revocation else ""
            if (debt.owed.lease, debt.state, held) == (lease, LeaseState.OPEN, revocation):
                debt.owed = replace(debt.owed, until=max(until, debt.owed.until))
                return debt.owed.id
        owed = Owed(new_id("o"), lease, spec, self.clock(), until, who)
        self._debts[owed.id] = _Debt(owed, Secret(revocation) if revocation else None)
        return owed.id

    async def keep(self, held: str) -> None:
        """Make what is held durable, where there is anybody to tell of its end.

        Raises:
            VaultLocked, ConfigError: it is not. It is held all the same.
        """
        debt = self._debts.get(held)
        if debt is None or debt.revocation is None or debt.kept:
            return
        await self.store.put(debt.owed, debt.revocation.value)
        debt.kept = True
        if held not in self._debts:  # its end was confirmed meanwhile
            await self.store.drop(held)

    async def expect(
        self, lease: str, spec: CredentialSpec, who: Mapping[str, Any], until: float, why: str
    ) -> str:
        """Something may have been made under `lease` that nobody here knows; its id.

        Shown till it `came`; if it is `lost`, till it would have died by itself, at `until`.
        """
        owed = Owed(new_id("o"), lease, spec, self.clock(), until, who, known=False)
        debt = _Debt(owed, None, LeaseState.UNCONFIRMED, self.clock(), problem=why)
        self._debts[owed.id] = debt
        with contextlib.suppress(TaskpassError):
            await self.store.put(owed, "")
            debt.kept = True
        self.publish(OwedChanged(owed=_view(debt)))
        return owed.id

    async def came(self, expected: str) -> None:
        """What was expected is known now, or nothing was made."""
        await self._forget(self._debts[expected])

    async def lost(self, expected: str, why: str) -> None:
        """It will not come: nothing can revoke it."""
        debt = self._debts[expected]
        debt.state, debt.problem = LeaseState.IRREVOCABLE, why
        await self._irrevocable(debt)
        self._work(debt)

    # ── the end ─────────────────────────────────────────────────────────────────────────

    def owes(self, lease: str) -> bool:
        """Whether something made under `lease` may be live elsewhere."""
        return any(debt.owed.lease == lease for debt in self._debts.values())

    def safe(self, lease: str) -> bool:
        """Whether we could die now, and nobody would forget what was made under `lease`."""
        return all(debt.kept for debt in self._debts.values() if debt.owed.lease == lease)

    def views(self) -> tuple[OwedView, ...]:
        """What is ended here and not known to be dead."""
        return tuple(_view(d) for d in self._debts.values() if d.state is not LeaseState.OPEN)

    @property
    def busy(self) -> bool:
        """Whether the other end of something has still to be told."""
        return any(
            debt.state is LeaseState.UNCONFIRMED
            or (debt.state is LeaseState.IRREVOCABLE and debt.owed.known)
            for debt in self._debts.values()
        )

    async def end(self, leases: Sequence[Lease]) -> int:
        """Have everything ended that was made for `leases`; how much is not confirmed yet.

        Waits a few seconds for the first answers; what is not confirmed then goes on behind.
        """
        ids = {lease.id for lease in leases}
        return await self._end([d for d in self._debts.values() if d.owed.lease in ids])

    async def end_held(self, held: str) -> None:
        """As `end`, of what was not delivered: its lease goes on."""
        await self._end([debt for debt in self._debts.values() if debt.owed.id == held])

    async def resume(self, unsettled: Sequence[Mapping[str, Any]]) -> None:
        """Take up what an earlier supervisor left.

        Args:
            unsettled: leases with an intent and no end on record (`Recovered.possibly_live`).
        """
        for owed in await self.store.load():
            state = LeaseState.UNCONFIRMED if owed.known else LeaseState.IRREVOCABLE
            debt = self._debts[owed.id] = _Debt(owed, None, state, self.clock(), kept=True)
            self._work(debt)
        for lease in unsettled:
            if not self.owes(lease["lease"]):
                self._possibly_live(lease)

    async def close(self) -> None:
        """Stop trying; what is owed is on the disk."""
        for work in self._working:
            work.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)

    # ── behind it ───────────────────────────────────────────────────────────────────────

    async def _end(self, ending: Sequence[_Debt]) -> int:
        for debt in ending:
            if debt.state is LeaseState.OPEN:
                self._begin(debt)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIRST):
                for debt in ending:
                    await debt.tried.wait()
        return sum(debt.owed.id in self._debts for debt in ending)

    def _begin(self, debt: _Debt) -> None:
        debt.ended = self.clock()
        if debt.revocation is not None:
            debt.state = LeaseState.UNCONFIRMED
        elif self._mode(debt) is KillMode.VERIFIER:
            debt.state = LeaseState.EXPIRING
            debt.tried.set()
        else:
            debt.state = LeaseState.IRREVOCABLE
            debt.problem = "Its issuer gave nothing to revoke it with."
        self._work(debt)

    def _possibly_live(self, lease: Mapping[str, Any]) -> None:
        """The supervisor before us died while it may have been made."""
        spec = CredentialSpec(lease["credential"], lease.get("issuer", ""), ())
        now = self.clock()
        owed = Owed(new_id("o"), lease["lease"], spec, now, lease["until"], lease, known=False)
        why = "The supervisor died while it may have been made."
        debt = _Debt(owed, None, LeaseState.POSSIBLY_LIVE, now, problem=why)
        if self._mode(debt) is not KillMode.WIRE:  # its wires died with it
            self._debts[owed.id] = debt
            self._work(debt)

    def _mode(self, debt: _Debt) -> KillMode:
        issuer = self.issuers.get(debt.owed.spec.issuer)
        return issuer.kill_mode if issuer else KillMode.UPSTREAM

    def _work(self, debt: _Debt) -> None:
        self.publish(OwedChanged(owed=_view(debt)))
        work = asyncio.ensure_future(self._until_dead(debt))
        self._working.add(work)
        work.add_done_callback(self._reap)

    def _reap(self, work: asyncio.Task[None]) -> None:
        self._working.discard(work)
        if not work.cancelled() and (error := work.exception()) is not None:
            log.error("revoking failed", exc_info=error)

    async def _until_dead(self, debt: _Debt) -> None:
        owed = debt.owed
        while True:
            if owed.known and debt.state in (LeaseState.UNCONFIRMED, LeaseState.IRREVOCABLE):
                with contextlib.suppress(TaskpassError):
                    await self.keep(owed.id)
                await self._attempt(debt)
            debt.tried.set()
            if owed.id not in self._debts:
                return
            # What nobody can be told about has no pauses; our own tokens need no allowance.
            offline = debt.state is LeaseState.EXPIRING
            left = owed.until + (0.0 if offline else SKEW) - self.clock()
            if left <= 0:
                await self._expired(debt)
                return
            asks = owed.known and not offline
            await asyncio.sleep(min(left, self.pause(debt.tries) if asks else _LOOK))

    async def _attempt(self, debt: _Debt) -> None:
        """Tell the issuer once; `debt` is gone, or says what came of it."""
        debt.tries += 1
        try:
            works = await self._revoke(debt)
            await self._record("lease.revoked", debt, works=_in_words(works), tries=debt.tries)
        except TaskpassError as error:
            debt.problem = error.message
        except Exception as error:
            log.error("revoking %s failed: %s", debt.owed.spec.name, without_text(error))
            debt.problem = f"{debt.owed.spec.issuer} failed."
        else:
            await self._confirmed(debt)
            return
        log.warning("%s is not confirmed dead: %s", debt.owed.spec.name, debt.problem)
        if debt.tries == GIVE_UP:
            debt.state = LeaseState.IRREVOCABLE
            await self._irrevocable(debt)
        elif debt.tries == 1:
            with contextlib.suppress(TaskpassError):
                await self._record("lease.unconfirmed", debt, problem=debt.problem)
        self.publish(OwedChanged(owed=_view(debt)))

    async def _revoke(self, debt: _Debt) -> bool | None:
        """Whether the other end still takes it: False, or None where it cannot be asked.

        Raises:
            TaskpassError: it is not ended.
        """
        spec = debt.owed.spec
        issuer = self.issuers.get(spec.issuer)
        if issuer is None:
            raise IssuerFailed(f"There is no issuer {spec.issuer} here any more.")
        if debt.revocation is None:
            debt.revocation = Secret(await self.store.revocation(debt.owed))
        try:
            async with asyncio.timeout(self.patience):
                await issuer.revoke(spec, debt.revocation.value)
        except TimeoutError:
            raise IssuerFailed(
                f"{spec.issuer} did not confirm it within {self.patience:g} s."
            ) from None
        works = None
        with contextlib.suppress(TimeoutError, TaskpassError):
            async with asyncio.timeout(self.patience):
                works = await issuer.works(spec, debt.revocation.value)
        if works:
            raise IssuerFailed(f"{spec.issuer} says that it ended it, and it still works.")
        return works

    async def _confirmed(self, debt: _Debt) -> None:
        if self._mode(debt) is KillMode.VERIFIER and debt.owed.until > self.clock():
            debt.state, debt.problem = LeaseState.EXPIRING, ""
            self.publish(OwedChanged(owed=_view(debt)))
            return
        await self._forget(debt)

    async def _expired(self, debt: _Debt) -> None:
        if debt.state in (LeaseState.UNCONFIRMED, LeaseState.IRREVOCABLE):
            with contextlib.suppress(TaskpassError):
                await self._record("lease.expired", debt, tries=debt.tries)
        await self._forget(debt)

    async def _forget(self, debt: _Debt) -> None:
        self._debts.pop(debt.owed.id, None)
        self.publish(OwedChanged(owed=_view(debt), live=False))
        try:
            await self.store.drop(debt.owed.id)
        except TaskpassError as error:
            log.error("%s", error)  # the next supervisor asks once more, which is harmless

    async def _irrevocable(self, debt: _Debt) -> None:
        with contextlib.suppress(TaskpassError):
            await self._record("lease.irrevocable", debt, problem=debt.problem)

    async def _record(self, kind: str, debt: _Debt, **body: Any) -> None:
        owed = debt.owed
        await self.ledger.append(
            kind,
            {
                **owed.who,
                "lease": owed.lease,
                "credential": owed.spec.name,
                "issuer": owed.spec.issuer,
                "until": owed.until,
                **body,
            },
        )


def _view(debt: _Debt) -> OwedView:
    owed = debt.owed
    return OwedView(
        id=owed.id,
        lease=owed.lease,
        task=str(owed.who.get("task", "")),
        credential=owed.spec.name,
        issuer=owed.spec.issuer,
        state=debt.state,
        ended=debt.ended,
        until=owed.until,
        tries=debt.tries,
        problem=debt.problem,
    )


def _in_words(works: bool | None) -> str:
    return "cannot be asked" if works is None else "no"
