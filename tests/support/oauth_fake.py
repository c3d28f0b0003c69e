"""A small OAuth provider whose answers a test bends, and a vault that keeps one sign-in.

What real providers do is seen with `oidc_provider`; this one does what they may do, on demand.
"""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trustme

from supervisor.errors import VaultLocked
from supervisor.issuers.oauth_session import Sessions
from supervisor.model import CredentialSpec
from supervisor.oauth.http import Http
from supervisor.oauth.material import SignIn, sign_in_of
from supervisor.ports import Secret
from tests.support.core_fakes import OneCredential
from tests.support.faulty_upstream import Answer, Asked, FaultyUpstream

CLIENT, CLIENT_SECRET = "cli", "client-s3cret-4fz81kq90x"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


@dataclass
class FakeProvider:
    """Gives tokens for refresh tokens and by exchange, and ends them.

    Attributes:
        rotates: another refresh token with each refresh; an old one ends the sign-in.
        takes_along: ending an access token ends the sign-in.
        lifetime: seconds; its tokens die then.
        answer_with: members that take the place of those of the next token answers.
        metadata: likewise, of what it says about itself.
    """

    rotates: bool = True
    takes_along: bool = False
    lifetime: float = 60.0
    answer_with: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    refresh: str = "refresh-0-vq7m2x8k4t"
    access: dict[str, float] = field(default_factory=dict)  # good ones, with their end
    exchanged: set[str] = field(default_factory=set)  # of all that were given
    forms: list[dict[str, str]] = field(default_factory=list)  # of the token endpoint
    authority: trustme.CA = field(default_factory=trustme.CA)
    upstream: FaultyUpstream = field(init=False)
    _old: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert("localhost").configure_cert(context)
        self.upstream = FaultyUpstream(self.answer, tls=context, host="localhost")

    @property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.cert_pem.bytes().decode())

    def live(self) -> dict[str, float]:
        now = time.time()
        return {token: end for token, end in self.access.items() if end > now}

    async def answer(self, asked: Asked) -> Answer:
        match asked.path:
            case "/.well-known/openid-configuration":
                return Answer.of(self._document())
            case "/token":
                return self._token(asked)
            case "/revoke":
                return self._revoke(asked)
            case "/introspect":
                return Answer.of({"active": asked.form()["token"] in self.live()})
            case "/me":
                bearer = asked.headers.get("authorization", "").removeprefix("Bearer ")
                return Answer.of({}, 200 if bearer in self.live() else 401)
        return Answer.of({"error": "not_found"}, 404)

    def _document(self) -> dict[str, Any]:
        url = self.upstream.url
        return {
            "issuer": url,
            "token_endpoint": f"{url}/token",
            "authorization_endpoint": f"{url}/auth",
            "device_authorization_endpoint": f"{url}/device",
            "revocation_endpoint": f"{url}/revoke",
            "introspection_endpoint": f"{url}/introspect",
            "jwks_uri": f"{url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "none"],
        } | self.metadata

    def _token(self, asked: Asked) -> Answer:
        form = asked.form()
        self.forms.append(form)
        if form["grant_type"] == EXCHANGE:
            if form["subject_token"] not in self.live():
                return Answer.of({"error": "invalid_request"}, 400)
            given = self._given()
            self.exchanged.add(next(reversed(self.access)))
            return given
        if form["refresh_token"] in self._old:
            self._end_all()  # taken for a theft (RFC 9700 section 4.14.2)
        if form["refresh_token"] != self.refresh:
            return Answer.of({"error": "invalid_grant"}, 400)
        if not self.rotates:
            return self._given()
        self._old.add(self.refresh)
        self.refresh = f"refresh-{secrets.token_hex(8)}"
        return self._given(refresh_token=self.refresh)

    def _given(self, **more: str) -> Answer:
        token = f"access-{secrets.token_hex(16)}"
        self.access[token] = time.time() + self.lifetime
        content = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": int(self.lifetime),
            **more,
        }
        content |= self.answer_with
        return Answer.of({name: value for name, value in content.items() if value is not None})

    def _revoke(self, asked: Asked) -> Answer:
        token = asked.form()["token"]
        if self.access.pop(token, None) is not None and self.takes_along:
            self._end_all()
        if token == self.refresh:
            self._end_all()
        return Answer()

    def _end_all(self) -> None:
        self.refresh = ""
        self.access.clear()


@dataclass
class SignInVault(OneCredential):
    """Keeps a sign-in. `full`: nothing more."""

    text: str = ""
    full: bool = False
    kept: list[SignIn] = field(default_factory=list)

    @property
    def sign_in(self) -> SignIn:
        return sign_in_of(self.spec.name, self.text)

    async def secret(self, name: str) -> Secret:
        return Secret(self.text)

    async def rotate(self, name: str, secret: Secret) -> None:
        if self.full:
            raise VaultLocked("The keyring is locked.", hint="Unlock it.")
        self.text = secret.value
        self.kept.append(self.sign_in)


@asynccontextmanager
async def signed_in(
    provider: FakeProvider,
    *,
    issuer: str = "oauth",
    hosts: tuple[str, ...] = ("api.example.com",),
    options: Mapping[str, str] | None = None,
    name: str = "crm",
    patience: float = 5.0,
) -> AsyncIterator[tuple[Sessions, SignInVault]]:
    """A sign-in at the provider, which runs until the end."""
    async with provider.upstream as upstream:
        spec = CredentialSpec(
            name,
            issuer,
            hosts,
            options={"issuer": upstream.url, "client_id": CLIENT, **(options or {})},
        )
        vault = SignInVault(spec, text=SignIn(provider.refresh, CLIENT_SECRET).text())
        sessions = Sessions(vault, lambda: Http(lambda: provider.trust, patience))
        try:
            yield sessions, vault
        finally:
            await sessions.close()
