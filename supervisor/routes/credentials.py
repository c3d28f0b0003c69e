"""The API's part about credentials: kept, tried, replaced, forgotten."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from supervisor import views
from supervisor.channels.http.proxy import HttpProxyChannel
from supervisor.core import Engine
from supervisor.errors import IssuerFailed, NotFound, TaskpassError, UsageError
from supervisor.model import CredentialSpec, LeaseState
from supervisor.ports import Secret
from supervisor.protocol import credentials as wcred
from supervisor.protocol import wire
from supervisor.protocol.wire import GrantChanged
from supervisor.routes.bodies import as_json, asked_in
from supervisor.routes.probe import Probe


@dataclass(frozen=True, slots=True)
class CredentialRoutes:
    """Thin, as `api`: attestation of who asks is done there, before any of this."""

    engine: Engine
    probe: Probe

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/v1/kinds", self._kinds)
        add("GET", "/v1/credentials", self._list)
        add("POST", "/v1/credentials", self._add)
        add("DELETE", "/v1/credentials/{name}", self._remove)
        add("POST", "/v1/credentials/{name}/rotate", self._rotate)
        add("POST", "/v1/credentials/{name}/test", self._test)

    async def _kinds(self, request: web.Request) -> web.Response:
        issuers = (issuer.kind() for issuer in self.engine.issuers.values())
        return as_json({"issuers": tuple(issuers), "channels": HttpProxyChannel.kinds()})

    async def _list(self, request: web.Request) -> web.Response:
        issuers = self.engine.issuers
        return as_json(
            [
                views.credential_view(spec, issuers[spec.issuer])
                for spec in self.engine.vault.specs()
            ]
        )

    async def _add(self, request: web.Request) -> web.Response:
        asked = await asked_in(request, wire.AddCredential)
        issuer = self.engine.issuers.get(asked.issuer)
        if issuer is None:
            raise UsageError(
                f"There is no issuer {asked.issuer}.",
                hint=f"Choose one of: {', '.join(sorted(self.engine.issuers))}.",
            )
        spec = CredentialSpec(
            name=asked.name,
            issuer=asked.issuer,
            hosts=asked.hosts,
            env=asked.env,
            header=asked.header.lower(),
            scheme=asked.scheme,
            ttl=asked.ttl,
            created=self.engine.clock(),
            options=asked.options,
        )
        spec = await issuer.prepare(spec)
        issuer.check(spec, Secret(asked.secret))
        await self.engine.vault.add(spec, Secret(asked.secret))
        spec = self._spec(spec.name)
        await self.engine.ledger.append(
            "credential.added",
            {"name": spec.name, "issuer": spec.issuer, "hosts": list(spec.hosts)},
        )
        return as_json(views.credential_view(spec, issuer))

    async def _remove(self, request: web.Request) -> web.Response:
        said = request.query
        return as_json(
            await self.remove(
                request.match_info["name"],
                forced=said.get("force") == "1",
                replaced=said.get("replaced") == "1",
            )
        )

    async def remove(
        self, name: str, *, forced: bool = False, replaced: bool = False
    ) -> wcred.EndedLeases:
        """End what is lent of a credential, and forget it.

        Args:
            forced: forget it also when what stands behind it, a sign-in, cannot be ended.
            replaced: leave that: providers may hold the sign-in that follows for the same.

        Raises:
            NotFound, VaultLocked.
            IssuerFailed: the sign-in behind it could not be ended; it is kept.
        """
        spec = self._spec(name)
        # Its secret may be needed to tell the other end; what opens meanwhile ends after.
        ended = await self._end(name)
        if not replaced:
            await self._retire(spec, forced=forced)
        await self.engine.vault.remove(name)
        late = await self._end(name)
        ended = wcred.EndedLeases(
            leases=ended.leases + late.leases,
            connections=ended.connections + late.connections,
            unconfirmed=ended.unconfirmed + late.unconfirmed,
        )
        await self._record("credential.removed", name, ended)
        return ended

    async def _retire(self, spec: CredentialSpec, *, forced: bool) -> None:
        try:
            await self.engine.issuers[spec.issuer].retire(spec)
        except TaskpassError as error:
            if not forced:
                raise IssuerFailed(
                    f"{spec.name} is kept, since its sign-in could not be ended: {error.message}",
                    hint=f"Forget it all the same: taskpass credential remove --force {spec.name}",
                ) from error

    async def _rotate(self, request: web.Request) -> web.Response:
        spec = self._spec(request.match_info["name"])
        name, asked = spec.name, await asked_in(request, wcred.RotateCredential)
        self.engine.issuers[spec.issuer].check(spec, Secret(asked.secret))
        await self.engine.vault.rotate(name, Secret(asked.secret))
        # Whoever was lent the old one: what is asked for from now on is the new one.
        ended = await self._end(name)
        await self._record("credential.rotated", name, ended)
        return as_json(ended)

    async def _test(self, request: web.Request) -> web.Response:
        spec = self._spec(request.match_info["name"])
        asked = await asked_in(request, wcred.TestCredential)
        tested = await self.probe.test(spec, asked)
        await self.engine.ledger.append(
            "credential.tested",
            {"name": spec.name, "host": tested.host, "path": tested.path, "status": tested.status},
        )
        return as_json(tested)

    async def _end(self, name: str) -> wcred.EndedLeases:
        """End what is lent of a credential now, in every task."""
        book, settlement = self.engine.book, self.engine.settlement
        leases = connections = unconfirmed = 0
        for grant in [each for each in book.grants() if each.credential == name]:
            dead = [
                closed
                for lease in book.leases_of(grant=grant.id)
                if (closed := book.close_lease(lease.id, LeaseState.REVOKED, self.engine.clock()))
            ]
            book.drop_grant(grant.id, revoked=False)
            connections += settlement.cut(grant.task, dead)
            leases += len(dead)
            self.engine.desk.publish(GrantChanged(grant=grant, live=False))
            unconfirmed += await settlement.end_upstream(dead)
        return wcred.EndedLeases(leases=leases, connections=connections, unconfirmed=unconfirmed)

    async def _record(self, kind: str, name: str, ended: wcred.EndedLeases) -> None:
        await self.engine.ledger.append(kind, {"name": name, "leases_ended": ended.leases})

    def _spec(self, name: str) -> CredentialSpec:
        for spec in self.engine.vault.specs():
            if spec.name == name:
                return spec
        known = ", ".join(sorted(spec.name for spec in self.engine.vault.specs())) or "none yet"
        raise NotFound(f"There is no credential {name!r}.", hint=f"There are: {known}.")
