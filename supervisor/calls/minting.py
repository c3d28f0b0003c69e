"""A credential for one use, from whoever makes it: in time, as it must be, and never forgotten.

The issuer has a bounded time; what it makes afterwards is ended. What it answers is looked at
before it may go anywhere. What is needed to end it is on the disk, and the use on record, before it
is delivered; where that fails, it is ended at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from supervisor.calls.patience import within
from supervisor.calls.recorder import Recorder
from supervisor.calls.revoking import SKEW, Revoking, without_text
from supervisor.desk import Desk
from supervisor.errors import Denied, IssuerFailed, LedgerFailed, TaskpassError, VaultLocked
from supervisor.grants.book import Book, TaskEntry
from supervisor.model import CredentialSpec, KillMode, Lease, LeaseState
from supervisor.ports import Issuer, MintContext, Minted
from supervisor.protocol.wire import LeaseChanged

log = logging.getLogger("supervisor")

LONGEST = 16 * 1024  # characters of a credential: more does not fit in the headers of a request
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_YEAR = 366 * 86_400.0  # seconds
_LATE = 60.0  # seconds more that an issuer is listened to, to end what it makes too late


@dataclass(slots=True)
class Minting:
    """Asks issuers."""

    book: Book
    issuers: Mapping[str, Issuer]
    records: Recorder
    revoking: Revoking
    desk: Desk
    clock: Callable[[], float] = time.time
    late: float = _LATE
    _asking: Counter[str] = field(default_factory=Counter)  # by lease

    async def mint(
        self, entry: TaskEntry, lease: Lease, use: str, spec: CredentialSpec, context: MintContext
    ) -> Minted:
        """A credential that may be delivered.

        Raises:
            VaultLocked, Denied: nothing was made.
            IssuerFailed: it hangs, fails, or gives what must not be used.
            VaultLocked, ConfigError, LedgerFailed: its end could not be made sure of, or it could
                not be recorded. What was made is being ended.
        """
        issuer = self.issuers[spec.issuer]
        self._asking[lease.id] += 1
        try:
            minted = await self._ask(issuer, entry, lease, spec, context)
            if minted.revocation or issuer.kill_mode is not KillMode.WIRE:
                await self._keep(issuer, entry, lease, use, spec, minted)
            else:
                _check(issuer, spec, minted, self.clock())
        except TaskpassError:
            if self._asking[lease.id] == 1:
                await self._close(entry, lease)
            raise
        finally:
            self._asking[lease.id] -= 1
            if not self._asking[lease.id]:
                del self._asking[lease.id]
        return minted

    async def _close(self, entry: TaskEntry, lease: Lease) -> None:
        """Unless something was delivered under it, it is over before it began."""
        uses = [held.uses for held in self.book.leases_of(task=lease.task) if held.id == lease.id]
        if uses != [0]:
            return
        closed = self.book.close_lease(lease.id, LeaseState.CLOSED, self.clock())
        if closed is not None:
            self.desk.publish(LeaseChanged(lease=closed))
            if self.revoking.safe(lease.id):
                with contextlib.suppress(LedgerFailed):
                    await self.records.write("lease.closed", entry, leases=[lease.id])

    async def _ask(
        self,
        issuer: Issuer,
        entry: TaskEntry,
        lease: Lease,
        spec: CredentialSpec,
        context: MintContext,
    ) -> Minted:
        if issuer.kill_mode is KillMode.WIRE:  # nothing is made anywhere: it can be broken off
            try:
                return await within(issuer.patience, issuer.mint(spec, context))
            except TimeoutError:
                raise _hangs(issuer) from None
            except TaskpassError:
                raise
            except Exception as error:
                raise _broke(issuer, error) from None
        job = asyncio.ensure_future(issuer.mint(spec, context))
        try:
            await asyncio.wait({job}, timeout=issuer.patience)
        except asyncio.CancelledError:
            left = IssuerFailed(f"Nobody waited for what {issuer.name} would give.")
            self.desk.spawn(self._too_late(job, issuer, entry, lease, spec, left))
            raise
        if not job.done():
            awaited = asyncio.Event()
            hangs = _hangs(issuer)
            self.desk.spawn(self._too_late(job, issuer, entry, lease, spec, hangs, awaited))
            await awaited.wait()
            raise hangs
        try:
            return job.result()
        except (Denied, VaultLocked):
            raise
        except TaskpassError as error:
            await self._unclear(issuer, entry, lease, spec, error)
            raise
        except Exception as error:
            failed = _broke(issuer, error)
            await self._unclear(issuer, entry, lease, spec, failed)
            raise failed from None

    async def _too_late(
        self,
        job: asyncio.Future[Minted],
        issuer: Issuer,
        entry: TaskEntry,
        lease: Lease,
        spec: CredentialSpec,
        why: IssuerFailed,
        awaited: asyncio.Event | None = None,
    ) -> None:
        """End what nobody waits for any more. `awaited`: set when it cannot be forgotten."""
        until = self.clock() + self.late + _lifetime(issuer, spec)
        who = self.records.who(entry)
        expected = await self.revoking.expect(lease.id, spec, who, until, why.message)
        if awaited is not None:
            awaited.set()
        try:
            minted = await asyncio.wait_for(job, self.late)
        except (Denied, VaultLocked):
            await self.revoking.came(expected)
        except IssuerFailed as error:
            if error.unclear:
                await self.revoking.lost(expected, error.message)
            else:
                await self.revoking.came(expected)
        except TimeoutError:
            await self.revoking.lost(expected, why.message)
        except Exception as error:
            await self.revoking.lost(expected, _broke(issuer, error).message)
        else:
            held = self._hold(issuer, entry, lease, spec, minted)
            with contextlib.suppress(TaskpassError):
                await self.revoking.keep(held)
                await self.revoking.came(expected)
            await self.revoking.end_held(held)

    async def _unclear(
        self,
        issuer: Issuer,
        entry: TaskEntry,
        lease: Lease,
        spec: CredentialSpec,
        error: TaskpassError,
    ) -> None:
        """Show what may have been made, until it would have died by itself."""
        if isinstance(error, IssuerFailed) and not error.unclear:
            return
        until = self.clock() + _lifetime(issuer, spec)
        who = self.records.who(entry)
        expected = await self.revoking.expect(lease.id, spec, who, until, error.message)
        await self.revoking.lost(expected, error.message)

    async def _keep(
        self,
        issuer: Issuer,
        entry: TaskEntry,
        lease: Lease,
        use: str,
        spec: CredentialSpec,
        minted: Minted,
    ) -> None:
        """Its end is made sure of, and the use is on record."""
        held = self._hold(issuer, entry, lease, spec, minted)
        try:
            await self.revoking.keep(held)
            _check(issuer, spec, minted, self.clock())
            if minted.revocation:
                await self.records.write(
                    "use.minted", entry, use=use, lease=lease.id, spec=spec.name
                )
        except BaseException:
            self.desk.spawn(self.revoking.end_held(held))
            raise

    def _hold(
        self, issuer: Issuer, entry: TaskEntry, lease: Lease, spec: CredentialSpec, minted: Minted
    ) -> str:
        """Held from here on. What an issuer says of its expiry against reason, we do not repeat."""
        now = self.clock()
        latest = now + _lifetime(issuer, spec) + SKEW
        until = minted.expires if now - SKEW < minted.expires <= latest else latest
        who = self.records.who(entry)
        return self.revoking.hold(lease.id, spec, who, until, minted.revocation)


def _lifetime(issuer: Issuer, spec: CredentialSpec) -> float:
    """What its issuer says, in reason: a person writes what it is made of."""
    said = issuer.lifetime(spec)
    return said if 0 < said < _YEAR else _YEAR


def _hangs(issuer: Issuer) -> IssuerFailed:
    return IssuerFailed(
        f"{issuer.name} gave no credential within {issuer.patience:g} s.",
        hint="Is the other end up? What it makes later is revoked. Try again.",
    )


def _broke(issuer: Issuer, error: Exception) -> IssuerFailed:
    """For an error in the issuer itself. Its text may hold what it worked with."""
    log.error("%s failed: %s", issuer.name, without_text(error))
    return IssuerFailed(f"{issuer.name} failed on this.", hint="See the supervisor's log.")


def _check(issuer: Issuer, spec: CredentialSpec, minted: Minted, now: float) -> None:
    """Whether it can be put in a request, and lives about as long as was asked for.

    Raises:
        IssuerFailed: it is not to be used.
    """
    value, problem = minted.secret.value, ""
    if not value:
        problem = "an empty credential"
    elif len(value) > LONGEST:
        problem = f"a credential of {len(value)} characters"
    elif _CONTROL.search(value):
        problem = "a credential with line breaks or control characters in it"
    elif issuer.kill_mode is not KillMode.WIRE:
        problem = _lie(_lifetime(issuer, spec), minted.expires, now)
    if problem:
        raise IssuerFailed(
            f"{issuer.name} gave {problem} for {spec.name}; it is not used.",
            hint="Look at the service that issues it.",
        )


def _lie(asked: float, expires: float, now: float) -> str:
    """What is wrong about an expiry, in words. Clocks may differ by `SKEW`."""
    if not expires:
        return "a credential that does not say when it expires"
    if not now - SKEW < expires:  # NaN too
        return f"a credential that expired {now - expires:.0f} s ago"
    if expires > now + asked + SKEW:
        return f"a credential for {expires - now:.0f} s, where at most {asked:g} s were asked for"
    return ""
