"""Sign-ins at providers, kept usable: refresh tokens, and their rotation.

Many providers give another refresh token with each refresh, and take the use of an old one for a
theft: they end the whole sign-in (RFC 9700 section 4.14.2). So a new one is durable before anything
that came with it is used, one refresh runs at a time, whoever asked may give up and the answer is
still taken, and before a token is sent it is noted that it was: if we die then, the next failure
says what it comes from.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from supervisor.errors import IssuerFailed, TaskpassError
from supervisor.model import CredentialSpec
from supervisor.oauth import grants
from supervisor.oauth.client import Client, client_of
from supervisor.oauth.grants import Tokens
from supervisor.oauth.http import Http
from supervisor.oauth.material import SignIn, sign_in_of
from supervisor.oauth.provider import Provider, discover
from supervisor.oauth.refusal import Refused
from supervisor.ports import Secret, Vault

log = logging.getLogger("supervisor")

_WHERE = ("issuer", "client_id")  # options that say where a refresh token is good
_DISCOVERY_GOOD_FOR = 3600.0  # seconds


@dataclass(frozen=True, slots=True, repr=False)
class Asked:
    """An answer of the token endpoint, and whom it came from. `at`: when it was asked."""

    provider: Provider
    client: Client
    tokens: Tokens
    at: float


class Sessions:
    """The sign-ins behind credentials, by the credential's name.

    Args:
        http: made when it is first needed.
        clock: POSIX seconds.
    """

    def __init__(
        self, vault: Vault, http: Callable[[], Http], clock: Callable[[], float] = time.time
    ) -> None:
        self._vault = vault
        self._make_http = http
        self._http: Http | None = None
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._providers: dict[str, tuple[Provider, float]] = {}
        self._unsaved: dict[str, SignIn] = {}  # rotated, and the vault did not take it
        self._epochs: Counter[str] = Counter()
        self._ended: dict[str, float] = {}  # when an access token was revoked
        self._working: set[asyncio.Task[Asked]] = set()
        self._ending: set[asyncio.Task[bool]] = set()

    @property
    def http(self) -> Http:
        if self._http is None:
            self._http = self._make_http()
        return self._http

    def now(self) -> float:
        return self._clock()

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()

    async def access(self, spec: CredentialSpec, *, scope: str = "", resource: str = "") -> Asked:
        """An access token of the sign-in, made for whoever asks now.

        Raises:
            VaultLocked: the sign-in cannot be read, or its next refresh token not kept.
            IssuerFailed: the provider does not give one; says whether to sign in again.
        """
        work = asyncio.ensure_future(self._refresh(spec, scope, resource))
        self._working.add(work)
        work.add_done_callback(self._working.discard)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            work.add_done_callback(lambda done: self._nobody_waits(spec, done))
            raise

    def ended_a_token(self, name: str) -> None:
        """An access token of this sign-in was revoked: some providers end the sign-in with it."""
        self._ended[name] = self._clock()

    def forget(self, name: str) -> None:
        """Another sign-in takes this name. A refresh of the one before keeps nothing any more."""
        self._epochs[name] += 1
        self._unsaved.pop(name, None)
        self._ended.pop(name, None)

    async def provider(self, spec: CredentialSpec) -> Provider:
        """What the sign-in's provider says of itself; asked for once an hour."""
        issuer = _option(spec, "issuer")
        known = self._providers.get(issuer)
        if known is None or self._clock() > known[1]:
            try:
                found = await discover(self.http, issuer)
            except IssuerFailed as error:
                error.unclear = False  # nothing was asked for yet
                raise
            known = self._providers[issuer] = (found, self._clock() + _DISCOVERY_GOOD_FOR)
        return known[0]

    async def sign_out(self, spec: CredentialSpec) -> None:
        """End the sign-in at the provider: its refresh token, and all that came of it.

        Where the provider cannot be told, the one refresh token there is goes with the vault's.

        Raises:
            VaultLocked, IssuerFailed: it is not confirmed.
        """
        async with self._locks.setdefault(spec.name, asyncio.Lock()):
            held = await self._held(spec, self._epochs[spec.name])
            provider = await self.provider(spec)
            if not provider.revocation_endpoint:
                return
            client = _client(spec, provider, held)
            await grants.revoke(
                self.http, provider.revocation_endpoint, client, held.refresh_token,
                kind="refresh_token",
            )  # fmt: skip

    async def _refresh(self, spec: CredentialSpec, scope: str, resource: str) -> Asked:
        async with self._locks.setdefault(spec.name, asyncio.Lock()):
            epoch = self._epochs[spec.name]
            provider = await self.provider(spec)
            held = await self._held(spec, epoch)
            client = _client(spec, provider, held)
            at = self._clock()
            noted = held.rotates is not False
            if noted:
                await self._keep(spec, replace(held, sent=at), epoch)
            try:
                tokens = await grants.by_refresh(
                    self.http, provider, client, held.refresh_token,
                    scope=scope, resource=resource,
                )  # fmt: skip
            except Refused as no:
                if no.error == "invalid_grant":
                    raise self._over(spec, provider, held) from no
                if noted:
                    await self._keep(spec, replace(held, sent=0.0), epoch)  # nothing was given
                raise
            asked = Asked(provider, client, tokens, at)
            self._ended.pop(spec.name, None)
            if noted or tokens.refresh not in ("", held.refresh_token):
                await self._keep_next(spec, asked, held, epoch)
            return asked

    async def _keep_next(
        self, spec: CredentialSpec, asked: Asked, held: SignIn, epoch: int
    ) -> None:
        newest = asked.tokens.refresh or held.refresh_token
        following = SignIn(
            newest, held.client_secret, rotates=newest != held.refresh_token or bool(held.rotates)
        )
        try:
            await self._keep(spec, following, epoch)
        except TaskpassError:
            # What came with it is not used; and it is not lost while we live.
            if self._epochs[spec.name] == epoch:
                self._unsaved[spec.name] = following
            await self.drop(spec, asked)
            raise

    async def _held(self, spec: CredentialSpec, epoch: int) -> SignIn:
        """The sign-in that `spec` is about, not another that took its name meanwhile."""
        unsaved = self._unsaved.get(spec.name)
        if unsaved is not None:
            await self._keep(spec, unsaved, epoch)
            return unsaved
        held = sign_in_of(spec.name, (await self._vault.secret(spec.name)).value)
        now = next((each for each in self._vault.specs() if each.name == spec.name), None)
        if now is None or any(now.options.get(name) != spec.options.get(name) for name in _WHERE):
            raise _replaced(spec)
        return held

    async def _keep(self, spec: CredentialSpec, sign_in: SignIn, epoch: int) -> None:
        # Nothing may await between this look and the vault, which goes by who comes first.
        if self._epochs[spec.name] != epoch:
            raise _replaced(spec)
        await self._vault.rotate(spec.name, Secret(sign_in.text()))
        self._unsaved.pop(spec.name, None)

    def _over(self, spec: CredentialSpec, provider: Provider, held: SignIn) -> IssuerFailed:
        again = f"Sign in again: taskpass credential signin {spec.name}"
        if held.sent:
            why = "its answer to the last refresh was lost on the way"
        elif spec.name in self._ended:
            why = "it ended the sign-in together with a token that was revoked (RFC 7009 allows it)"
            again += " --revocation none"
        else:
            why = "the sign-in has expired, or was taken back there"
        return IssuerFailed(
            f"{provider.host} gives no tokens for {spec.name}: {why}.", hint=again, unclear=False
        )

    def _nobody_waits(self, spec: CredentialSpec, work: asyncio.Task[Asked]) -> None:
        """Who asked has given up: what came is ended again."""
        if work.cancelled() or work.exception() is not None:
            return
        ending = asyncio.ensure_future(self.drop(spec, work.result()))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)

    async def drop(self, spec: CredentialSpec, asked: Asked) -> bool:
        """End a token that will not be used; whether it is. Else it expires by itself."""
        endpoint = asked.provider.revocation_endpoint
        if not endpoint or not ends_tokens(spec):
            return False
        try:
            await grants.revoke(self.http, endpoint, asked.client, asked.tokens.access)
        except IssuerFailed as error:
            log.warning("a token that nobody uses lives until it expires: %s", error)
            return False
        return True


def ends_tokens(spec: CredentialSpec) -> bool:
    """Whether the provider is to be told of each token's end: at some that ends the sign-in."""
    return spec.options.get("revocation") != "none"


def _replaced(spec: CredentialSpec) -> IssuerFailed:
    return IssuerFailed(
        f"Another sign-in took the place of {spec.name} meanwhile.",
        hint="Try again.",
        unclear=False,
    )


def _client(spec: CredentialSpec, provider: Provider, held: SignIn) -> Client:
    return client_of(provider, _option(spec, "client_id"), held.client_secret)


def _option(spec: CredentialSpec, name: str) -> str:
    try:
        return spec.options[name]
    except KeyError:
        raise IssuerFailed(
            f"{spec.name} does not say its {name}.",
            hint=f"Make it anew: taskpass credential signin {spec.name}",
            unclear=False,
        ) from None
