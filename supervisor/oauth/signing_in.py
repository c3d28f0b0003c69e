"""A person signs in: with a browser here, or on another device."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from supervisor.errors import IssuerFailed, TimedOut, UsageError
from supervisor.oauth import grants
from supervisor.oauth.client import Client, register
from supervisor.oauth.grants import Tokens
from supervisor.oauth.http import Http
from supervisor.oauth.loopback import Loopback
from supervisor.oauth.person import Person, verified
from supervisor.oauth.provider import Provider
from supervisor.oauth.refusal import Refused, refused

PATIENCE = 300.0  # seconds for the person in the browser
_INTERVAL = 5.0  # seconds; RFC 8628 section 3.2 and 3.5
_LONGEST_WAIT = 1800.0

# A public address at which a registered client that has no browser could be answered; never used.
_NO_REDIRECT = "http://127.0.0.1/callback"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the sign-in is for."""

    scope: str = ""
    resource: str = ""  # RFC 8707
    more: Mapping[str, str] = field(default_factory=dict)  # what this provider wants on its page


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the person does on another device (RFC 8628 section 3.2). Not the secret half."""

    user_code: str
    verification_uri: str
    complete_uri: str  # with the code in it, "" where there is none
    expires_in: float


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """`person` is None where no ID token was asked for; `nonce` is the one in it."""

    client: Client
    tokens: Tokens
    person: Person | None
    nonce: str = ""


async def with_browser(
    http: Http,
    provider: Provider,
    client: Client | None,
    wanted: Wanted,
    show: Callable[[str], None],
    *,
    patience: float = PATIENCE,
) -> SignedIn:
    """By authorization code with PKCE, S256 (RFC 8252, RFC 7636).

    Args:
        client: None has the provider register one.
        show: is given the URL that the person is to open.

    Raises:
        UsageError, Refused, IssuerFailed, TimedOut.
    """
    if not provider.authorization_endpoint:
        raise UsageError(f"{provider.host} has no sign-in by browser.", hint="Try --device.")
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    async with Loopback(provider, state) as loopback:
        if client is None:
            client = await register(http, provider, loopback.redirect_uri, wanted.scope)
        asked = {
            **wanted.more,
            "response_type": "code",
            "client_id": client.id,
            "redirect_uri": loopback.redirect_uri,
            "state": state,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        asked |= _what(wanted)
        scopes = wanted.scope.split()
        if "openid" in scopes:
            asked["nonce"] = nonce
        if "offline_access" in scopes:
            asked["prompt"] = "consent"  # OpenID Connect Core section 11: else it is ignored
        separator = "&" if urlsplit(provider.authorization_endpoint).query else "?"
        show(f"{provider.authorization_endpoint}{separator}{urlencode(asked)}")
        code = await loopback.code(patience)
        tokens = await grants.by_code(
            http, provider, client, code=code, verifier=verifier, redirect_uri=loopback.redirect_uri
        )
    person = await _person(http, provider, client, wanted, tokens, nonce)
    return SignedIn(client, tokens, person, nonce if person else "")


async def with_device(
    http: Http,
    provider: Provider,
    client: Client | None,
    wanted: Wanted,
    show: Callable[[DeviceCode], None],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> SignedIn:
    """By a code that the person enters on another device (RFC 8628).

    Raises:
        UsageError, Refused, IssuerFailed, TimedOut.
    """
    if not provider.device_authorization_endpoint:
        raise UsageError(
            f"{provider.host} has no sign-in by code.", hint="Sign in where there is a browser."
        )
    if client is None:
        client = await register(http, provider, _NO_REDIRECT, wanted.scope)
    form, headers = client.signed(_what(wanted))
    answer = await http.post(provider.device_authorization_endpoint, form, headers)
    if answer.status != 200:
        raise refused(answer, "a code to sign in")
    device_code = answer.text("device_code")
    shown = DeviceCode(
        answer.text("user_code"),
        answer.text("verification_uri"),
        answer.text("verification_uri_complete"),
        _seconds(answer.body.get("expires_in"), 0.0),
    )
    if not device_code or not _showable(shown):
        raise IssuerFailed(f"{provider.host} gave a code that cannot be used.", hint="Try again.")
    show(shown)
    left = min(shown.expires_in, _LONGEST_WAIT)
    interval = _seconds(answer.body.get("interval"), _INTERVAL)
    while (left := left - interval) >= 0:
        await sleep(interval)
        try:
            tokens = await grants.by_device_code(http, provider, client, device_code)
        except Refused as no:
            if no.error == "slow_down":
                interval += _INTERVAL
            elif no.error == "expired_token":
                break
            elif no.error != "authorization_pending":
                raise
        except IssuerFailed:
            interval *= 2  # section 3.5: a connection that timed out asks for more time
        else:
            # No browser of ours was involved, so no nonce: the device code binds the answer.
            return SignedIn(client, tokens, await _person(http, provider, client, wanted, tokens))
    raise TimedOut("The code was not entered in time; nothing was signed in.", hint="Try again.")


def challenge(verifier: str) -> str:
    """RFC 7636 section 4.2, method S256."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def _what(wanted: Wanted) -> dict[str, str]:
    named = (("scope", wanted.scope), ("resource", wanted.resource))
    return {name: text for name, text in named if text}


async def _person(
    http: Http, provider: Provider, client: Client, wanted: Wanted, tokens: Tokens, nonce: str = ""
) -> Person | None:
    if "openid" not in wanted.scope.split():
        return None
    if not tokens.id_token:
        raise IssuerFailed(
            f"{provider.host} does not say who signed in (no ID token).", hint="Try again."
        )
    return await verified(http, provider, tokens.id_token, client_id=client.id, nonce=nonce)


def _seconds(value: object, otherwise: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return otherwise
    return float(value) if value > 0 else otherwise


def _showable(code: DeviceCode) -> bool:
    """Whether it can be printed on a terminal without doing anything else there."""
    texts = (code.user_code, code.verification_uri, code.complete_uri)
    web_pages = all(not uri or uri.startswith("https://") for uri in texts[1:])
    return (
        bool(code.user_code and code.verification_uri)
        and web_pages
        and code.expires_in > 0
        and all(len(text) < 2048 and text.isprintable() and text.isascii() for text in texts)
    )
