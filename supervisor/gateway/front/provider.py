"""The authorization server's decisions, behind the SDK's endpoints: a person makes them.

An authorization request starts a task for the client, in which the person is asked in the same
inbox as about anything else; the page that the browser shows meanwhile has the same code as the
question. Their yes gives a code, and the code tokens that live no longer than the task.
"""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from mcp.server.auth.provider import (
    AccessToken,
    AuthorizationCode,
    AuthorizationParams,
    AuthorizeError,
    OAuthAuthorizationServerProvider,
    RefreshToken,
    TokenError,
    construct_redirect_uri,
)
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from pydantic import ConfigDict

from supervisor.gateway.front.clients import SCOPES, Clients
from supervisor.gateway.front.guests import Guest
from supervisor.gateway.front.tokens import Issued, Kind, Tokens
from supervisor.intake.reports import Visitor

_MOST_WAITING = 4  # clients that wait for a person at a time: anybody may ask
_REMEMBERED = 64  # requests whose page may still be looked at


@dataclass(slots=True)
class Request:
    """One authorization request, while its page is open."""

    guest: Guest
    client: str
    params: AuthorizationParams
    scopes: tuple[str, ...]
    answered: str = ""  # where its browser was sent, once there was an answer


class GuestToken(AccessToken):
    """An access token, with the task that it is for."""

    guest: Guest
    model_config = ConfigDict(arbitrary_types_allowed=True)


@dataclass(slots=True)
class Provider(OAuthAuthorizationServerProvider[AuthorizationCode, RefreshToken, GuestToken]):
    """For one MCP server.

    Args:
        issuer: our own public address, without a slash at its end.
        resource: that of the MCP endpoint: what all tokens are for.
        server: its name in the person's list.
        workspace: where the tasks of clients work.
    """

    issuer: str
    resource: str
    server: str
    workspace: str
    clients: Clients
    tokens: Tokens = field(default_factory=Tokens)
    _requests: OrderedDict[str, Request] = field(default_factory=OrderedDict)
    _guests: set[Guest] = field(default_factory=set)

    async def close(self) -> None:
        """End the tasks of all clients."""
        for guest in list(self._guests):
            await guest.leave()

    # ── clients ─────────────────────────────────────────────────────────────────────────

    async def get_client(self, client_id: str) -> OAuthClientInformationFull | None:
        return await self.clients.find(client_id)

    async def register_client(self, client_info: OAuthClientInformationFull) -> None:
        self.clients.register(client_info)

    # ── authorization ───────────────────────────────────────────────────────────────────

    async def authorize(
        self, client: OAuthClientInformationFull, params: AuthorizationParams
    ) -> str:
        """Ask a person; the URL of the page that waits for them."""
        if params.resource is not None and params.resource.rstrip("/") != self.resource:
            raise AuthorizeError("invalid_target", f"Tokens are for {self.resource} only.")
        scopes = tuple(scope for scope in SCOPES if scope in (params.scopes or SCOPES[:1]))
        if not scopes or set(params.scopes or ()) - set(SCOPES):
            raise AuthorizeError("invalid_scope", f"Scopes are {', '.join(SCOPES)}.")
        waiting = [each for each in self._guests if each.session is None]
        if len(waiting) >= _MOST_WAITING:
            raise AuthorizeError("access_denied", "Too many clients wait for the person already.")
        visitor = Visitor(
            server=self.server,
            client=client.client_id[:400],
            name=(client.client_name or "")[:100],
            redirect=str(params.redirect_uri)[:400],
            scopes=scopes,
            code=f"{secrets.randbelow(10_000):04}",
        )
        guest = Guest(visitor, self.workspace, self._gone)
        self._guests.add(guest)
        guest.enter()
        id = secrets.token_urlsafe(24)
        self._requests[id] = Request(guest, client.client_id, params, scopes)
        while len(self._requests) > _REMEMBERED:
            self._requests.popitem(last=False)
        return f"{self.issuer}/consent/{id}"

    def request(self, id: str) -> Request | None:
        """The request of a page, None for one that is not known."""
        return self._requests.get(id)

    async def outcome(self, request: Request, patience: float) -> str:
        """Where the browser goes with the answer, "" while there is none."""
        admitted = await request.guest.admitted(patience)
        if admitted is None:
            return ""
        if not request.answered:
            request.answered = self._answer(request, admitted)
        return request.answered

    def _answer(self, request: Request, admitted: bool) -> str:
        params = request.params
        told = {"error": "access_denied", "error_description": "The person did not let it in."}
        if admitted:
            told = {
                "code": self.tokens.issue(
                    "code", request.guest, request.client, request.scopes, self.resource,
                    redirect=str(params.redirect_uri),
                    explicit=params.redirect_uri_provided_explicitly,
                    challenge=params.code_challenge,
                )
            }  # fmt: skip
        # RFC 9207: who answers, so that a client cannot be told another's code.
        return construct_redirect_uri(
            str(params.redirect_uri), **told, state=params.state, iss=self.issuer
        )

    def _gone(self, guest: Guest) -> None:
        self._guests.discard(guest)
        self.tokens.void(guest)

    # ── tokens ──────────────────────────────────────────────────────────────────────────

    async def load_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: str
    ) -> AuthorizationCode | None:
        issued = self._of(client, "code", authorization_code)
        if issued is None:
            await self._replayed(authorization_code)
            return None
        return AuthorizationCode.model_validate(
            {
                "code": authorization_code,
                "scopes": list(issued.scopes),
                "expires_at": issued.expires,
                "client_id": issued.client,
                "code_challenge": issued.challenge,
                "redirect_uri": issued.redirect,
                "redirect_uri_provided_explicitly": issued.explicit,
                "resource": issued.resource,
            }
        )

    async def exchange_authorization_code(
        self, client: OAuthClientInformationFull, authorization_code: AuthorizationCode
    ) -> OAuthToken:
        issued = self._of(client, "code", authorization_code.code)
        if issued is None or not self.tokens.use_up(authorization_code.code):
            raise TokenError("invalid_grant", "The code was used, or its task has ended.")
        # More for the same client (a step-up) takes the place of what it had.
        for earlier in self.tokens.guests(client.client_id) - {issued.guest}:
            less = set(earlier.visitor.scopes) < set(issued.scopes)
            if less and earlier.visitor.redirect == issued.guest.visitor.redirect:
                await earlier.leave()
        return self._pair(issued)

    async def load_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: str
    ) -> RefreshToken | None:
        issued = self._of(client, "refresh", refresh_token)
        if issued is None:
            await self._replayed(refresh_token)
            return None
        return RefreshToken(
            token=refresh_token,
            client_id=issued.client,
            scopes=list(issued.scopes),
            expires_at=int(issued.expires),
            resource=issued.resource,
        )

    async def exchange_refresh_token(
        self, client: OAuthClientInformationFull, refresh_token: RefreshToken, scopes: list[str]
    ) -> OAuthToken:
        issued = self._of(client, "refresh", refresh_token.token)
        if issued is None or not self.tokens.use_up(refresh_token.token):
            raise TokenError("invalid_grant", "The token was used, or its task has ended.")
        return self._pair(issued)

    async def load_access_token(self, token: str) -> GuestToken | None:
        issued = self.tokens.find("access", token)
        if issued is None or not await issued.guest.answers():
            return None
        return GuestToken(
            token=token,
            client_id=issued.client,
            scopes=list(issued.scopes),
            expires_at=int(issued.expires),
            resource=issued.resource,
            subject=self.server,
            claims={"iss": self.issuer},
            guest=issued.guest,
        )

    async def revoke(self, client: str, text: str) -> None:
        """RFC 7009, by a client: one access token, or with a refresh token all that it holds."""
        kinds: tuple[Kind, ...] = ("access", "refresh")
        for kind in kinds:
            issued = self.tokens.find(kind, text)
            if issued is None or issued.client != client:
                continue
            if kind == "access":
                self.tokens.use_up(text)
            else:
                self.tokens.void(issued.guest)
                await issued.guest.leave()

    async def revoke_token(self, token: GuestToken | RefreshToken) -> None:
        await self.revoke(token.client_id, token.token)

    async def _replayed(self, text: str) -> None:
        """A code or refresh token that is shown twice ends the task: one of the two stole it."""
        guest = self.tokens.spent_by(text)
        if guest is not None:
            self.tokens.void(guest)
            await guest.leave()

    def _of(self, client: OAuthClientInformationFull, kind: Kind, text: str) -> Issued | None:
        issued = self.tokens.find(kind, text)
        return issued if issued is not None and issued.client == client.client_id else None

    def _pair(self, issued: Issued) -> OAuthToken:
        guest, client, scopes = issued.guest, issued.client, issued.scopes
        access = self.tokens.issue("access", guest, client, scopes, self.resource)
        refresh = self.tokens.issue("refresh", guest, client, scopes, self.resource)
        valid = self.tokens.find("access", access)
        if valid is None:
            raise TokenError("invalid_grant", "Its task has ended.")
        return OAuthToken(
            access_token=access,
            expires_in=int(valid.expires - time.time()),
            scope=" ".join(scopes),
            refresh_token=refresh,
        )
