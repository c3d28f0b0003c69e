"""An issuer of the tests' own, and the service it asks: what any upstream issuer comes down to.

POST   /tokens          {"ttl": seconds}  →  {"token": …, "expires_at": POSIX seconds}
DELETE /tokens/current  by bearer         →  204; 401 for one that is not good
GET    /tokens/current  by bearer         →  200 or 401
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from supervisor.errors import IssuerFailed
from supervisor.issuers.scope import require_bound_request
from supervisor.model import CredentialSpec, KillMode
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret
from tests.support.faulty_upstream import Answer, Asked, FaultyUpstream


@dataclass
class TokenDesk:
    """The service: it gives tokens, and knows which are good. `upstream` serves it."""

    tokens: dict[str, float] = field(default_factory=dict)  # token → its end by our clock
    upstream: FaultyUpstream = field(init=False)

    def __post_init__(self) -> None:
        self.upstream = FaultyUpstream(self.answer)

    def live(self) -> dict[str, float]:
        return {token: end for token, end in self.tokens.items() if end > time.time()}

    async def answer(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            token, ttl = "desk_" + secrets.token_hex(16), asked.json()["ttl"]
            self.tokens[token] = time.time() + ttl
            return Answer.of({"token": token, "expires_at": self.upstream.clock() + ttl}, 201)
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.live():
            return Answer.of({"error": "not good"}, 401)
        if asked.method == "DELETE":
            del self.tokens[token]
            return Answer(204)
        return Answer.of({"ok": True})


class DeskIssuer(Issuer):
    name = "desk"
    kill_mode = KillMode.UPSTREAM
    patience = 0.25

    def __init__(self, url: str) -> None:
        self._url = url

    def kind(self) -> Kind:
        return Kind(self.name, "a test's", "host", "all", "a minute", self.kill_mode, "1 s")

    def kill_bound(self, spec: CredentialSpec) -> float:
        return 1.0

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        require_bound_request(spec, context.effect)
        status, content, skew = await self._ask("POST", "/tokens", json={"ttl": spec.ttl})
        if status != 201:
            raise IssuerFailed(f"The desk answers {status}.")
        try:
            token, expires = content["token"], float(content["expires_at"])
        except (KeyError, TypeError, ValueError):
            raise IssuerFailed("The desk's answer holds no token.") from None
        if not isinstance(token, str):
            raise IssuerFailed("The desk's answer holds no token.")
        return Minted(Secret(token), expires - skew, token)

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        if not revocation.startswith("desk_"):
            return
        status, _, _ = await self._ask("DELETE", "/tokens/current", bearer=revocation)
        if status not in (204, 401):
            raise IssuerFailed(f"The desk answers {status}.")

    async def works(self, spec: CredentialSpec, revocation: str) -> bool | None:
        status, _, _ = await self._ask("GET", "/tokens/current", bearer=revocation)
        return {200: True, 401: False}.get(status)

    async def _ask(
        self, method: str, path: str, *, bearer: str = "", json: Any = None
    ) -> tuple[int, Any, float]:
        """Status, content, and by how many seconds the other end's clock is ahead."""
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.request(method, self._url + path, headers=headers, json=json) as response,
            ):
                raw = await response.read()
                content = await response.json(content_type=None) if raw else None
                date = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (aiohttp.ClientError, ValueError, RecursionError) as error:
            raise IssuerFailed(f"The desk cannot be asked ({type(error).__name__}).") from None
        return response.status, content, date - time.time()
