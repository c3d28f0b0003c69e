"""The requests that give and end tokens: RFC 6749, 7009, 7662, 8628, 8693, 8707, 9396."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor.errors import IssuerFailed
from supervisor.oauth.client import Client
from supervisor.oauth.http import Answer, Http
from supervisor.oauth.provider import Provider
from supervisor.oauth.refusal import Refused, refused

ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
JWT = "urn:ietf:params:oauth:token-type:jwt"
TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"

_TOKEN = re.compile(r"[\x21-\x7e]{1,16384}")
_LONGEST = 366 * 86400.0  # seconds; who says more does not mean seconds


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold the tokens
class Tokens:
    """An answer of the token endpoint. `lifetime`: seconds, 0 where it was not said."""

    access: str
    lifetime: float = 0.0
    refresh: str = ""
    id_token: str = ""
    scope: str = ""


async def by_code(
    http: Http, provider: Provider, client: Client, *, code: str, verifier: str, redirect_uri: str
) -> Tokens:
    """Redeem an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": verifier,
    }
    return await _tokens(http, provider, client, form, "the sign-in")


async def by_refresh(
    http: Http,
    provider: Provider,
    client: Client,
    refresh_token: str,
    *,
    scope: str = "",
    resource: str = "",
    hint: str = "",
) -> Tokens:
    """A new access token, perhaps with a new refresh token (RFC 6749 section 6, RFC 8707).

    Raises:
        Refused: by the provider; `hint` says what to do then.
        IssuerFailed: it did not answer, or not with tokens. It may have taken the refresh token.
    """
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    form |= {name: text for name, text in (("scope", scope), ("resource", resource)) if text}
    return await _tokens(http, provider, client, form, "a token for the sign-in", hint)


async def by_device_code(
    http: Http, provider: Provider, client: Client, device_code: str
) -> Tokens:
    """Ask once whether the code was entered (RFC 8628 section 3.4). Raises as `by_refresh`."""
    form = {"grant_type": DEVICE_CODE, "device_code": device_code}
    return await _tokens(http, provider, client, form, "the sign-in")


async def by_exchange(
    http: Http,
    provider: Provider,
    client: Client,
    *,
    subject_token: str,
    actor_token: str,
    resource: str,
    audience: str = "",
    scope: str = "",
    details: Sequence[Mapping[str, Any]] = (),
) -> Tokens:
    """A token for who the subject is, in the hands of the actor (RFC 8693 section 2.1).

    Args:
        subject_token: an access token of the person's.
        actor_token: a JWT that says who acts.
        resource: URI of the service that it is for.
        details: authorization_details (RFC 9396).

    Raises:
        Refused, IssuerFailed.
    """
    form = {
        "grant_type": TOKEN_EXCHANGE,
        "subject_token": subject_token,
        "subject_token_type": ACCESS_TOKEN,
        "actor_token": actor_token,
        "actor_token_type": JWT,
        "requested_token_type": ACCESS_TOKEN,
        "resource": resource,
    }
    form |= {name: text for name, text in (("audience", audience), ("scope", scope)) if text}
    if details:
        form["authorization_details"] = json.dumps(list(details), separators=(",", ":"))
    return await _tokens(http, provider, client, form, "a token for this call")


async def revoke(
    http: Http, endpoint: str, client: Client, token: str, *, kind: str = "access_token"
) -> None:
    """End a token (RFC 7009). One that is not known any more ends cleanly.

    Raises:
        Refused, IssuerFailed: the end is not confirmed.
    """
    form, headers = client.signed({"token": token, "token_type_hint": kind})
    answer = await http.post(endpoint, form, headers)
    if answer.status != 200 and answer.body.get("error") != "invalid_token":
        raise refused(answer, "to end a token")


async def active(http: Http, endpoint: str, client: Client, token: str) -> bool:
    """Whether the provider still takes a token (RFC 7662). Raises Refused, IssuerFailed."""
    form, headers = client.signed({"token": token, "token_type_hint": "access_token"})
    answer = await http.post(endpoint, form, headers)
    if answer.status != 200:
        raise refused(answer, "to say whether a token still works")
    told = answer.body.get("active")
    if not isinstance(told, bool):
        raise IssuerFailed(f"{answer.host} does not say whether a token still works.")
    return told


def is_jwt(token: str) -> bool:
    """Whether a service could verify it by itself, without asking who made it."""
    head, *rest = token.split(".")
    if len(rest) != 2:
        return False
    try:
        return "alg" in json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, TypeError):
        return False


async def _tokens(
    http: Http, provider: Provider, client: Client, form: dict[str, str], what: str, hint: str = ""
) -> Tokens:
    signed, headers = client.signed(form)
    answer = await http.post(provider.token_endpoint, signed, headers)
    # Some say no with a status that says yes.
    if answer.status != 200 or "error" in answer.body:
        raise refused(answer, what, hint)
    return _checked(answer, what)


def _checked(answer: Answer, what: str) -> Tokens:
    access = answer.text("access_token")
    kind = answer.text("token_type")
    if not _TOKEN.fullmatch(access):
        raise IssuerFailed(
            f"{answer.host} answered with no usable token when asked for {what}.",
            hint="Nothing of it was used.",
        )
    if kind.lower() != "bearer":
        raise IssuerFailed(
            f"{answer.host} answered with a token that is no bearer token.",
            hint="We cannot prove possession of a key with each request; ask for bearer tokens.",
        )
    refresh, id_token = answer.text("refresh_token"), answer.text("id_token")
    if any(text and not _TOKEN.fullmatch(text) for text in (refresh, id_token)):
        raise IssuerFailed(
            f"{answer.host} answered with a malformed token.", hint="Nothing of it was used."
        )
    return Tokens(access, _lifetime(answer), refresh, id_token, answer.text("scope"))


def _lifetime(answer: Answer) -> float:
    """`expires_in`; digits in quotes are common enough."""
    value = answer.body.get("expires_in")
    if value is None:
        return 0.0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= _LONGEST:
        raise IssuerFailed(
            f"{answer.host} gave a token with a lifetime that cannot be.",
            hint="Nothing of it was used.",
        )
    return float(value)


__all__ = [
    "ACCESS_TOKEN", "DEVICE_CODE", "JWT", "TOKEN_EXCHANGE", "Refused", "Tokens", "active",
    "by_code", "by_device_code", "by_exchange", "by_refresh", "is_jwt", "revoke",
]  # fmt: skip
