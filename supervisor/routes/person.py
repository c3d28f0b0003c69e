"""The API's part about the person: signed in at an OpenID provider, or the account's owner."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from supervisor.identity.person import KnownPerson
from supervisor.model import Verified
from supervisor.ports import LedgerStore
from supervisor.protocol.person import PersonView, SignInPerson
from supervisor.routes.bodies import as_json, asked_in

if TYPE_CHECKING:
    from supervisor.oauth.http import Http


@dataclass(frozen=True, slots=True)
class PersonRoutes:
    """Who asks is attested in `api`. The ID token is verified here, not by who brings it.

    Args:
        http: makes connections to providers.
    """

    person: KnownPerson
    ledger: LedgerStore
    http: Callable[[], Http]

    def add_to(self, app: web.Application) -> None:
        app.router.add_route("GET", "/v1/person", self._show)
        app.router.add_route("POST", "/v1/person", self._sign_in)
        app.router.add_route("DELETE", "/v1/person", self._sign_out)

    async def _show(self, request: web.Request) -> web.Response:
        return self._view()

    async def _sign_in(self, request: web.Request) -> web.Response:
        from supervisor.oauth.person import verified
        from supervisor.oauth.provider import discover

        asked = await asked_in(request, SignInPerson)
        http = self.http()
        try:
            provider = await discover(http, asked.issuer)
            found = await verified(
                http, provider, asked.id_token, client_id=asked.client_id, nonce=asked.nonce
            )
        finally:
            await http.close()
        known = Verified(found.issuer, found.subject, found.name, found.expires)
        await self.ledger.append(
            "person.signed_in",
            {
                "user": self.person.user().label,
                "issuer": known.issuer,
                "subject": known.subject,
                "until": known.until,
            },
        )
        self.person.keep(known)
        return self._view()

    async def _sign_out(self, request: web.Request) -> web.Response:
        before = self.person.user()
        self.person.forget()
        if before.verified is not None:
            await self.ledger.append(
                "person.signed_out",
                {"user": before.label, "issuer": before.verified.issuer,
                 "subject": before.verified.subject},
            )  # fmt: skip
        return self._view()

    def _view(self) -> web.Response:
        user = self.person.user()
        found = user.verified
        view = PersonView(
            user=user.label,
            evidence=user.evidence(time.time()),
            issuer=found.issuer if found else "",
            subject=found.subject if found else "",
            name=found.name if found else "",
            until=found.until if found else 0.0,
        )
        return as_json(view)
