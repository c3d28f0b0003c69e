"""Every issuer with what it depends on, ready to go wrong: what the fault matrix goes through.

A new issuer joins by a function here and its line in `ISSUERS`.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trustme

from supervisor.errors import IssuerFailed, VaultLocked
from supervisor.issuers.github_app import GitHubAppIssuer
from supervisor.issuers.local_jwt import LocalJwtIssuer
from supervisor.issuers.oauth_exchange import TokenExchangeIssuer
from supervisor.issuers.oauth_refresh import OAuthIssuer
from supervisor.issuers.oauth_tokens import TokenIssuer
from supervisor.issuers.reference import ReferenceIssuer
from supervisor.issuers.stored import StoredSecretIssuer
from supervisor.model import CredentialSpec, Effect, Verb
from supervisor.oauth.http import Http
from supervisor.paths import Paths
from supervisor.ports import Issuer, MintContext, Minted, Secret
from supervisor.tokens.keys import SigningKey
from supervisor.vault.store import open_vault
from tests.support.core_fakes import HOST, REAL, OneCredential, an_effect
from tests.support.desk_issuer import DeskIssuer, TokenDesk
from tests.support.fake_github import FakeGitHub, app_key
from tests.support.faulty_upstream import SKEW, Asked, Fault, FaultyUpstream
from tests.support.oauth_fake import EXCHANGE, FakeProvider, signed_in


@dataclass
class Rigged:
    """One issuer.

    Attributes:
        fail: its next mints go wrong so. CUT: what it makes does not come back.
        live: tokens that are good now, with their end by our clock (POSIX seconds).
        spec: named "api", bound to the effect's host.
        ends_fail: its next revocations go wrong so; None where nothing is revoked elsewhere.
        heal: nothing goes wrong any more.
        release: what is late comes.
        upstream, mints: whom it asks, and which requests make a token.
    """

    issuer: Issuer
    spec: CredentialSpec
    fail: Callable[[Fault], None]
    live: Callable[[], Mapping[str, float]]
    effect: Effect = field(default_factory=an_effect)
    ends_fail: Callable[[Fault], None] | None = None
    heal: Callable[[], None] = lambda: None
    release: Callable[[], None] = lambda: None
    upstream: FaultyUpstream | None = None
    mints: Callable[[Asked], bool] = lambda asked: True


Rigging = Callable[[Path], AbstractAsyncContextManager[Rigged]]


def rig_upstream(
    issuer: Issuer,
    spec: CredentialSpec,
    upstream: FaultyUpstream,
    live: Callable[[], Mapping[str, float]],
    *,
    mints: Callable[[Asked], bool],
    ends: Callable[[Asked], bool],
    effect: Effect | None = None,
) -> Rigged:
    """For an issuer that talks to `upstream`: which requests make a token, and which end one."""
    return Rigged(
        issuer,
        spec,
        lambda fault: upstream.fail(fault, when=mints),
        live,
        effect or an_effect(),
        lambda fault: upstream.fail(fault, when=ends),
        upstream.heal,
        upstream.release,
        upstream,
        mints,
    )


@asynccontextmanager
async def desk(directory: Path) -> AsyncIterator[Rigged]:
    at = TokenDesk()
    async with at.upstream as upstream:
        yield rig_upstream(
            DeskIssuer(upstream.url),
            CredentialSpec("api", "desk", (HOST,), ttl=60),
            upstream,
            at.live,
            mints=lambda asked: asked.method == "POST",
            ends=lambda asked: asked.method == "DELETE",
        )


@dataclass
class _FaultyVault(OneCredential):
    """Gives the standing secret, hangs, is locked, or holds what cannot be used."""

    fault: Fault | None = None

    async def secret(self, name: str) -> Secret:
        match self.fault:
            case Fault.HANG | Fault.LATE:
                await asyncio.Event().wait()
            case Fault.SERVER_ERROR | Fault.CUT:
                raise VaultLocked("The keyring does not answer.", hint="Unlock it.")
            case Fault.GARBAGE:
                return Secret(f"{REAL}\r\nX-Other: 1")
        return Secret(REAL)


@asynccontextmanager
async def stored(directory: Path) -> AsyncIterator[Rigged]:
    vault = _FaultyVault()
    issuer = StoredSecretIssuer(vault)
    issuer.patience = 0.25

    def fail(fault: Fault) -> None:
        vault.fault = fault

    # A standing secret is not a token: what is lent of it ends with our wire.
    yield Rigged(issuer, vault.spec, fail, dict)


@asynccontextmanager
async def reference(directory: Path) -> AsyncIterator[Rigged]:
    """Another vault's program that hangs, fails, or prints what cannot be used."""
    wrong: list[Fault] = []

    async def look(argv: Sequence[str], told: Mapping[str, str]) -> Secret:
        match wrong[0] if wrong else None:
            case Fault.HANG | Fault.LATE:
                await asyncio.Event().wait()
            case Fault.SERVER_ERROR | Fault.CUT:
                raise IssuerFailed("The program ended with exit code 1.", unclear=False)
            case Fault.GARBAGE:
                return Secret(f"{REAL}\r\nX-Other: 1")
        return Secret(REAL)

    vault = open_vault(Paths(directory, directory, directory, directory), keyring=lambda _: None)
    options = {"from": "cmd://pass show api", "program": "/usr/bin/pass"}
    spec = CredentialSpec("api", "reference", (HOST,), options=options)
    yield Rigged(ReferenceIssuer(vault, look), spec, wrong.append, dict)


@asynccontextmanager
async def local_jwt(directory: Path) -> AsyncIterator[Rigged]:
    """Signed here: it cannot hang; its clock can be off, and its key go wrong."""
    made: dict[str, float] = {}
    now = time.time

    class Watched(LocalJwtIssuer):
        patience = 0.25
        fault: Fault | None = None

        async def mint(self, spec: CredentialSpec, context: MintContext) -> Minted:
            match self.fault:
                case Fault.HANG | Fault.LATE:
                    await asyncio.Event().wait()
                case Fault.SERVER_ERROR:
                    raise OSError("the key is gone")
            minted = await super().mint(spec, context)
            made[minted.secret.value] = minted.expires
            if self.fault is Fault.CUT:
                raise OSError("and then it died")
            if self.fault is Fault.GARBAGE:
                return Minted(Secret("a\nb"), float("nan"))
            return minted

        def off(self) -> float:
            return {Fault.AHEAD: SKEW - 5, Fault.BEHIND: -SKEW + 5}.get(self.fault, 0.0)

    issuer: Any = None
    key = SigningKey.from_file(directory / "token.key")
    issuer = Watched(key, "", lambda: now() + issuer.off())

    def fail(fault: Fault) -> None:
        issuer.fault = fault

    yield Rigged(
        issuer,
        CredentialSpec("api", "local-jwt", (HOST,), ttl=60),
        fail,
        lambda: {token: end for token, end in made.items() if end > now()},
    )


class _AppsVault(OneCredential):
    async def secret(self, name: str) -> Secret:
        return Secret(app_key()[0])


@asynccontextmanager
async def github_app(directory: Path) -> AsyncIterator[Rigged]:
    app_key()  # which takes its time to make
    github, authority = FakeGitHub(), trustme.CA()
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with FaultyUpstream(github.answer, tls=serving, host="localhost") as upstream:
        github.clock = upstream.clock
        options = {"app": github.app, "installation": "4711", "api": upstream.url}
        spec = CredentialSpec("api", "github-app", (HOST,), options=options)
        issuer = GitHubAppIssuer(_AppsVault(spec), lambda: Http(lambda: trusting))
        issuer.patience = 0.5  # TLS and RSA on a busy machine
        yield rig_upstream(
            issuer,
            spec,
            upstream,
            github.live,
            mints=lambda asked: asked.method == "POST",
            ends=lambda asked: asked.method == "DELETE",
            effect=Effect(Verb.HTTP, HOST, {"method": "GET", "path": "/repos/ana/app"}),
        )
        await issuer.close()


def _oauth(*, exchange: bool, expiring: bool) -> Rigging:
    @asynccontextmanager
    async def rigged(directory: Path) -> AsyncIterator[Rigged]:
        at, grant = FakeProvider(), EXCHANGE if exchange else "refresh_token"
        options = {"lifetime": "60"} if expiring else {}
        async with signed_in(at, name="api", hosts=(HOST,), options=options) as (sessions, vault):
            await sessions.provider(vault.spec)  # known, as after a first use
            issuer: TokenIssuer = OAuthIssuer(sessions, expiring=expiring)
            if exchange:
                key = SigningKey.from_file(directory / "token.key")
                issuer = TokenExchangeIssuer(sessions, key, expiring=expiring)
            issuer.patience = 1.0  # TLS, twice, on a busy machine
            made = rig_upstream(
                issuer,
                vault.spec,
                at.upstream,
                lambda: {t: end for t, end in at.live().items() if exchange <= (t in at.exchanged)},
                mints=lambda asked: asked.form().get("grant_type") == grant,
                ends=lambda asked: asked.path == "/revoke",
            )
            # Who verifies by itself is told by nobody: these are in sight until they expire.
            yield replace(made, ends_fail=None) if expiring else made

    return rigged


ISSUERS: dict[str, Rigging] = {
    "stored": stored,
    "reference": reference,
    "local-jwt": local_jwt,
    "desk": desk,
    "github-app": github_app,
    "oauth": _oauth(exchange=False, expiring=False),
    "oauth-expiring": _oauth(exchange=False, expiring=True),
    "token-exchange": _oauth(exchange=True, expiring=False),
    "token-exchange-expiring": _oauth(exchange=True, expiring=True),
}
