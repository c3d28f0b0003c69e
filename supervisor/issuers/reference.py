"""A secret that lies in another vault: looked up there when it is used, and kept nowhere."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from supervisor.errors import IssuerFailed
from supervisor.issuers.scope import require_bound_request
from supervisor.model import CredentialSpec, KillMode
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret, Vault
from supervisor.vault import references
from supervisor.vault.lookup import look_up
from supervisor.vault.surrogate import template

_KEPT = 60.0  # seconds, for further requests of the same call
_CALLS = 64  # of which something is kept at a time

LookUp = Callable[[tuple[str, ...], Mapping[str, str]], Awaitable[Secret]]


class ReferenceIssuer(Issuer):
    """Use-scoped, as a stored secret: what ends is our putting it on the wire.

    One call that makes many requests asks the other vault once: what was looked up is kept in
    memory for the same call, for a minute at most.
    """

    name = "reference"
    kill_mode = KillMode.WIRE
    patience = 20.0

    def __init__(
        self, vault: Vault, look: LookUp = look_up, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._vault = vault
        self._look = look
        self._clock = clock
        # (credential, call) → when it is looked up again, and what is or will be known
        self._known: OrderedDict[tuple[str, str], tuple[float, asyncio.Task[Secret]]] = (
            OrderedDict()
        )

    def kind(self) -> Kind:
        return Kind(
            name=self.name,
            title="a secret in another vault (cmd://, op://, vault://, env://), looked up at use",
            resource="host",
            verb="policy, at each request",
            lifetime="use-scoped; the secret itself stands where it is",
            kill_mode=self.kill_mode,
            bound="0.1 s: the connection is cut",
        )

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 0.1

    async def prepare(self, spec: CredentialSpec) -> CredentialSpec:
        """Looked up once when it is added: that it works is seen at once, and stand-ins get the
        shape of what came. The secret itself is dropped."""
        reference = references.parse(spec.options.get(references.FROM, ""))
        if reference.variable:
            return spec
        secret = await self._ask(spec)
        return replace(spec, options={**spec.options, "shape": template(secret.value)})

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        require_bound_request(spec, context.effect)
        reference = references.parse(spec.options.get(references.FROM, ""))
        if reference.variable:
            secret = self._vault.borrowed(context.task.id, spec.name)
            if secret is None:
                raise IssuerFailed(
                    f"{reference.variable} was not set where this task was started.",
                    hint="Set it and start the task anew; a supervisor that was started again has "
                    "forgotten it.",
                )
            return Minted(secret, 0.0)
        secret = await self._once_a_call(spec, context.call)
        # Known for masking as long as the task lives: it may meet its own text again.
        self._vault.borrow(context.task.id, spec.name, secret)
        return Minted(secret, 0.0)

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        """Nothing is left to end: the proxy has cut the connection."""

    async def _once_a_call(self, spec: CredentialSpec, call: str) -> Secret:
        key = (spec.name, call)
        now = self._clock()
        until, asking = self._known.get(key, (0.0, None))
        if asking is None or until <= now or (asking.done() and not _succeeded(asking)):
            asking = asyncio.ensure_future(self._ask(spec))
            self._known[key] = (now + _KEPT, asking)
            self._known.move_to_end(key)
        for old, (end, _) in list(self._known.items()):
            if end <= now or len(self._known) > _CALLS:
                del self._known[old]
        # Several requests wait for one answer: one that is cut leaves the others theirs.
        return await asyncio.shield(asking)

    async def _ask(self, spec: CredentialSpec) -> Secret:
        argv, told = references.command_of(spec)
        return await self._look(argv, told)


def _succeeded(task: asyncio.Task[Secret]) -> bool:
    return not task.cancelled() and task.exception() is None
