"""What access tokens of a provider have in common, however they were asked for.

A token is made for one lease, kept in memory as long as the lease uses it, and ended at the
provider. What is needed for that goes with it (`Handle`): the credential itself may be gone, or the
supervisor another one, when it is ended.

Some tokens cannot be ended: a JWT is verified by services on their own, and some providers end the
whole sign-in with any of its tokens. These live out their time, and are another kind of issuer that
says so (`…-expiring`).
"""

from __future__ import annotations

import asyncio
import json
from abc import abstractmethod
from dataclasses import dataclass
from urllib.parse import urlsplit

from supervisor.errors import IssuerFailed, UsageError, VaultLocked
from supervisor.issuers.oauth_session import Asked, Sessions, ends_tokens
from supervisor.issuers.scope import require_bound_request
from supervisor.model import CredentialSpec, Effect, KillMode
from supervisor.oauth import grants
from supervisor.oauth.client import Client
from supervisor.oauth.material import sign_in_of
from supervisor.oauth.provider import checked_issuer
from supervisor.oauth.refusal import Refused
from supervisor.ports import Issuer, Kind, MintContext, Minted, Secret

EXPIRING = "-expiring"
ENDED_WITHIN = 10.0  # seconds for the provider's confirmation
SKEW = 60.0  # seconds that services commonly allow clocks to differ when they verify by themselves
_LONGEST = 86_400.0  # seconds
_LEFT = 10.0  # seconds that a token must still live to be used again

_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, repr=False)
class Handle:
    """What ends one token. Secret."""

    token: str
    name: str  # of the credential
    ends_at: str  # revocation endpoint
    asks_at: str  # introspection endpoint, "" for none
    works_at: str  # a GET that the token opens, "" for none
    client: Client

    def text(self) -> str:
        client = [self.client.id, self.client.secret, self.client.method]
        return json.dumps(
            [self.token, self.name, self.ends_at, self.asks_at, self.works_at, client],
            separators=(",", ":"),
        )


def handle_of(text: str) -> Handle | None:
    """What `Handle.text` made; None for anything else."""
    try:
        token, name, ends_at, asks_at, works_at, client = json.loads(text)
        handle = Handle(token, name, ends_at, asks_at, works_at, Client(*client))
    except (ValueError, TypeError):
        return None
    texts = (token, name, ends_at, asks_at, works_at, *client)
    return handle if all(isinstance(each, str) for each in texts) and ends_at else None


@dataclass(frozen=True, slots=True, repr=False)
class _Kept:
    asked_for: object
    minted: Minted


class TokenIssuer(Issuer):
    """Base: subclasses ask for the token, and say what narrows it.

    Args:
        expiring: its tokens live out their time; `kill_bound` says how long that is.
    """

    family: str  # the name, without what tells that tokens expire
    title: str  # as in `Kind`
    resource: str

    def __init__(self, sessions: Sessions, *, expiring: bool = False) -> None:
        self.sessions = sessions
        self.expiring = expiring
        self.name = self.family + (EXPIRING if expiring else "")
        self.kill_mode = KillMode.VERIFIER if expiring else KillMode.UPSTREAM
        self._kept: dict[str, list[_Kept]] = {}  # by lease
        self._making: dict[str, asyncio.Lock] = {}  # by lease

    def kind(self) -> Kind:
        return Kind(
            name=self.name,
            title=self.title,
            resource=self.resource,
            verb="read or all, by scope",
            lifetime="as the provider gives it",
            kill_mode=self.kill_mode,
            bound=f"its lifetime and {SKEW:g} s: services verify it by themselves"
            if self.expiring
            else f"{ENDED_WITHIN:g} s once the provider answers; else its lifetime",
        )

    @abstractmethod
    def narrowing(self, spec: CredentialSpec, effect: Effect) -> object:
        """What a token for this effect is narrowed to; alike for effects that can share one."""

    @abstractmethod
    async def ask(self, spec: CredentialSpec, context: MintContext) -> Asked:
        """Have the provider make one. Raises VaultLocked, IssuerFailed."""

    def kill_bound(self, spec: CredentialSpec) -> float:
        return _lifetime(spec) + SKEW if self.expiring else ENDED_WITHIN

    def lifetime(self, spec: CredentialSpec) -> float:
        """Providers say it themselves; one that can be ended may live for a day."""
        return _lifetime(spec) if self.expiring else _said(spec) or _LONGEST

    async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        require_bound_request(spec, context.effect)
        self._forget_expired(self.sessions.now())
        # Requests of one call often come together: one asks, the others use what it is given.
        making = self._making.setdefault(context.lease, asyncio.Lock())
        try:
            async with making:
                return await self._mint(spec, context)
        finally:
            if not making.locked():
                self._making.pop(context.lease, None)

    async def _mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
        wanted = self.narrowing(spec, context.effect)
        now = self.sessions.now()
        for kept in self._kept.get(context.lease, ()):
            if kept.asked_for == wanted and kept.minted.expires - now > _LEFT:
                return kept.minted
        asked = await self.ask(spec, context)
        try:
            minted = self._minted(spec, asked)
        except IssuerFailed as error:
            error.unclear = not await self.sessions.drop(spec, asked)
            raise
        self._kept.setdefault(context.lease, []).append(_Kept(wanted, minted))
        return minted

    async def prepare(self, spec: CredentialSpec) -> CredentialSpec:
        again = f"taskpass credential signin {spec.name} --issuer https://id.example.com --host …"
        if not spec.options.get("issuer") or not spec.options.get("client_id"):
            raise UsageError(f"{spec.name} is made by signing in.", hint=again)
        issuer = checked_issuer(spec.options["issuer"])
        _said(spec)
        works_at = urlsplit(spec.options.get("works_at", ""))
        theirs = {*spec.hosts, urlsplit(issuer).netloc}
        if works_at.geturl() and (works_at.scheme != "https" or works_at.netloc not in theirs):
            raise UsageError(
                "What a token is tried at must be an https address where it is good.",
                hint=f"It is good at: {', '.join(sorted(theirs))}.",
            )
        return spec

    def check(self, spec: CredentialSpec, secret: Secret) -> None:
        try:
            sign_in_of(spec.name, secret.value)
        except VaultLocked:
            raise UsageError(
                f"What {spec.name} needs is a sign-in, which nobody can type.",
                hint=f"taskpass credential signin {spec.name}",
            ) from None
        self.forget(spec.name)

    async def retire(self, spec: CredentialSpec) -> None:
        await self.sessions.sign_out(spec)

    def forget(self, name: str) -> None:
        """Another sign-in takes this name: nothing of the one before may be used for it."""
        self.sessions.forget(name)

    async def revoke(self, spec: CredentialSpec, revocation: str) -> None:
        for lease, kept in list(self._kept.items()):
            if any(each.minted.revocation == revocation for each in kept):
                del self._kept[lease]
        handle = handle_of(revocation)
        if handle is None:
            return
        try:
            await grants.revoke(self.sessions.http, handle.ends_at, handle.client, handle.token)
        except Refused as no:
            # It ends no tokens of that type: then they expire, which is what was said of them.
            if not (self.expiring and no.error == "unsupported_token_type"):
                raise
        self.sessions.ended_a_token(handle.name)

    async def works(self, spec: CredentialSpec, revocation: str) -> bool | None:
        """By introspection; else by a GET of the address given for that."""
        handle = handle_of(revocation)
        if handle is None or self.expiring:
            return None
        http = self.sessions.http
        if handle.asks_at and handle.client.secret:  # RFC 7662 section 2.1: not for everybody
            return await grants.active(http, handle.asks_at, handle.client, handle.token)
        if handle.works_at:
            status = (await http.get(handle.works_at, bearer=handle.token)).status
            if status == 401:
                return False
            return True if status < 300 else None
        return None

    async def close(self) -> None:
        await self.sessions.close()

    def _minted(self, spec: CredentialSpec, asked: Asked) -> Minted:
        """Raises IssuerFailed: the token is not of the kind that this issuer says it makes."""
        tokens, provider = asked.tokens, asked.provider
        lifetime = tokens.lifetime or _said(spec)
        again = f"Sign in again: taskpass credential signin {spec.name}"
        if not lifetime:
            raise IssuerFailed(
                f"{provider.host} does not say how long its tokens live.",
                hint="Give it as documented there, with --lifetime at the sign-in.",
            )
        if self.expiring and lifetime > _lifetime(spec):
            raise IssuerFailed(
                f"{provider.host} gave a token for {lifetime:g} s, longer than at the sign-in.",
                hint=f"{again} --lifetime {lifetime:g}",
            )
        if not self.expiring and (grants.is_jwt(tokens.access) or not provider.revocation_endpoint):
            raise IssuerFailed(
                f"{provider.host} gave a token that nobody can end before it expires.",
                hint=f"{again} --revocation none",
            )
        handle = ""
        if provider.revocation_endpoint and ends_tokens(spec):
            handle = Handle(
                tokens.access,
                spec.name,
                provider.revocation_endpoint,
                provider.introspection_endpoint,
                spec.options.get("works_at", ""),
                asked.client,
            ).text()
        return Minted(Secret(tokens.access), asked.at + lifetime, handle)

    def _forget_expired(self, now: float) -> None:
        for lease, kept in list(self._kept.items()):
            live = [each for each in kept if each.minted.expires > now]
            if live:
                self._kept[lease] = live
            else:
                del self._kept[lease]


def scope_for(spec: CredentialSpec, effect: Effect) -> str:
    """What a token for `effect` may do there: less where it only reads, if that was said."""
    reads = effect.attributes.get("method") in _READS
    both = spec.options.get("scope", "")
    return spec.options.get("read_scope", both) if reads else both


def _said(spec: CredentialSpec) -> float:
    """The lifetime that was given at the sign-in, seconds; 0 for none."""
    text = spec.options.get("lifetime", "")
    try:
        seconds = float(text) if text else 0.0
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 366 * 86400:
        raise UsageError(f"{spec.name} has a lifetime {text[:40]!r} that is no number of seconds.")
    return seconds


def _lifetime(spec: CredentialSpec) -> float:
    return _said(spec) or spec.ttl
