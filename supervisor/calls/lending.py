"""What a use is lent: the credential it asks for, under which grant, with which lease."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from supervisor.calls.canaries import Canaries
from supervisor.calls.narrowing import NarrowStandIns
from supervisor.calls.recorder import Recorder
from supervisor.desk import Desk
from supervisor.errors import Denied, NotFound
from supervisor.grants.book import Book, CallEntry, TaskEntry
from supervisor.model import CredentialSpec, Effect, Grant, Lease, new_id
from supervisor.policy import needs
from supervisor.ports import Issuer, Vault
from supervisor.protocol.wire import GrantChanged, LeaseChanged
from supervisor.vault.standing import FILE, lent_in

_TELL_AFTER = 0.1  # seconds
_GRANT_LIFETIME = 30 * 60.0  # seconds; a grant in use is made anew by the next decision


@dataclass(frozen=True, slots=True)
class Lending:
    """Finds them in the book, or enters them there and tells the screens."""

    book: Book
    vault: Vault
    issuers: Mapping[str, Issuer]
    records: Recorder
    desk: Desk
    canaries: Canaries
    clock: Callable[[], float] = time.time
    narrow: NarrowStandIns = field(init=False)
    _untold: set[str] = field(default_factory=set)  # leases whose uses screens do not know yet

    def __post_init__(self) -> None:
        narrow = NarrowStandIns(lambda call: self.book.call(call) is not None)
        object.__setattr__(self, "narrow", narrow)

    async def asked_for(
        self, entry: TaskEntry, call: CallEntry, effect: Effect, surrogates: Sequence[str]
    ) -> tuple[CredentialSpec | None, str]:
        """Which credential the request asks for, and the surrogate it carries for it.

        Raises:
            Denied: a surrogate at a host it is not bound to: a canary has sung.
            Revoked: a person took that grant away.
        """
        for candidate in surrogates:
            task, top = entry.task.id, entry.top.task.id  # stand-ins are the agent's, for all of it
            name = self.vault.resolve(top, candidate) or self.narrow.resolve(
                top, call.call.id, effect, candidate
            )
            known = name or self.vault.canary(candidate)
            if not known:
                continue
            spec = next(s for s in self.vault.specs() if s.name == known)
            here = bool(name) and lent_in(spec, entry.task.workspace)
            if here and effect.resource in spec.hosts:
                # Before policy is asked, and a person: their answer stands already.
                self.book.find_grant(task, spec.name, effect.resource, self.clock())
                return spec, candidate
            if not self.canaries.listens(entry, effect):
                continue
            await self.canaries.hit(entry, call, effect, known)
            if not here:
                raise Denied(
                    f"The stand-in for {known} was carried here from another project; nothing real "
                    "left.",
                    hint=f"It is good in tasks that work where {spec.options.get(FILE)} lies.",
                )
            raise Denied(
                f"The stand-in for {known} was sent to {effect.resource}, where it is not bound; "
                "nothing real left.",
                hint=f"It is good at: {', '.join(spec.hosts)}.",
            )
        return None, ""

    def bound_at(self, resource: str) -> bool:
        """Whether any credential is good there."""
        return any(resource in spec.hosts for spec in self.vault.specs())

    def lease(
        self, entry: TaskEntry, call: CallEntry, spec: CredentialSpec, effect: Effect
    ) -> Lease:
        """The call's lease of this credential at this resource, under the task's grant over it.

        Raises:
            Revoked: a person took that grant away.
        """
        grant = self._grant(entry, spec, effect)
        lease = self.book.lease_for(call, grant)
        if lease is None:
            lease = Lease(
                id=new_id("l"),
                grant=grant.id,
                task=entry.task.id,
                call=call.call.id,
                epoch=call.call.epoch,
                opened=self.clock(),
                expires=min(call.deadline, grant.expires),
            )
            self.book.open_lease(call, lease)
            self.desk.publish(LeaseChanged(lease=lease))
        return lease

    def _grant(self, entry: TaskEntry, spec: CredentialSpec, effect: Effect) -> Grant:
        now = self.clock()
        grant = self.book.find_grant(entry.task.id, spec.name, effect.resource, now)
        if grant is None:
            issuer = self.issuers[spec.issuer]
            grant = Grant(
                id=new_id("g"),
                task=entry.task.id,
                credential=spec.name,
                resource=effect.resource,
                issuer=spec.issuer,
                kill_mode=issuer.kill_mode,
                kill_bound=issuer.kill_bound(spec),
                created=now,
                expires=min(
                    now + _GRANT_LIFETIME,
                    *(above.task.ends for above in entry.chain),
                    # Counted from the start of the agent's own task, as what was accepted says.
                    needs.ends(entry.task.needs, effect.resource, entry.top.task.created, now),
                ),
            )
            self.book.add_grant(grant)
            self.desk.publish(GrantChanged(grant=grant))
        return grant

    def count_use(self, lease: str) -> None:
        """The credential goes out once more. Screens hear of it a little later, once for many."""
        self.book.count_use(lease, self.clock())
        if lease not in self._untold:
            self._untold.add(lease)
            asyncio.get_running_loop().call_later(_TELL_AFTER, self._tell_uses, lease)

    def _tell_uses(self, lease: str) -> None:
        self._untold.discard(lease)
        held = self.book.lease(lease)
        if held is None:  # closed: its end was told, with its uses
            return
        self.desk.publish(LeaseChanged(lease=held))
        with contextlib.suppress(NotFound):
            self.desk.publish(GrantChanged(grant=self.book.grant(held.grant)))
