"""Who signed in: the ID token, verified (OpenID Connect Core 1.0 section 3.1.3.7)."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import jwt

from supervisor.errors import IssuerFailed
from supervisor.oauth.http import Http
from supervisor.oauth.provider import Provider

LEEWAY = 60.0  # seconds that clocks may differ

# Signatures that the provider alone can make; with an HMAC the client could have made it.
_ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a provider names them. `expires`: POSIX seconds."""

    issuer: str
    subject: str
    name: str  # for people to read: the e-mail address where it is verified, else the subject
    expires: float


async def verified(
    http: Http, provider: Provider, id_token: str, *, client_id: str, nonce: str
) -> Person:
    """The person of an ID token that was made for this client and this sign-in.

    Raises:
        IssuerFailed: it does not verify; says why.
    """
    algorithms = sorted(_ALGORITHMS & set(provider.signing_algorithms or ("RS256",)))
    try:
        head = jwt.get_unverified_header(id_token)
        if head.get("alg") not in algorithms:
            raise _wrong(provider, "is signed in a way we do not take")
        key = await _key(http, provider, str(head.get("kid", "")), str(head["alg"]))
        claims = jwt.decode(
            id_token,
            key,
            algorithms=algorithms,
            audience=client_id,
            issuer=provider.issuer,
            leeway=LEEWAY,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except jwt.ExpiredSignatureError:
        raise _wrong(provider, "has expired: is this machine's clock right?") from None
    except jwt.ImmatureSignatureError:
        raise _wrong(provider, "is from the future: is this machine's clock right?") from None
    except jwt.PyJWTError as error:
        raise _wrong(provider, f"does not verify ({type(error).__name__})") from None
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", "" if several else client_id) != client_id:
        raise _wrong(provider, "was made for another client")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _wrong(provider, "belongs to another sign-in")
    subject = claims["sub"]
    if not subject or len(subject) > 255 or not subject.isprintable():
        raise _wrong(provider, "names nobody")
    return Person(provider.issuer, subject, _name(claims, subject), float(claims["exp"]))


def _name(claims: dict[str, object], subject: str) -> str:
    email = claims.get("email")
    verified_email = claims.get("email_verified") is True and isinstance(email, str)
    if verified_email and isinstance(email, str) and email.isprintable() and len(email) <= 255:
        return email
    return subject


async def _key(http: Http, provider: Provider, kid: str, algorithm: str) -> jwt.PyJWK:
    """The provider's key that the token names; without a name, the only one that fits."""
    if not provider.jwks_uri:
        raise _wrong(provider, "cannot be verified, since the provider publishes no keys")
    answer = await http.get(provider.jwks_uri)
    listed = answer.body.get("keys")
    if answer.status != 200 or not isinstance(listed, list):
        raise _wrong(provider, "cannot be verified, since the provider's keys cannot be read")
    fitting: list[jwt.PyJWK] = []
    for each in listed:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        if each.get("alg", algorithm) != algorithm or (kid and each.get("kid") != kid):
            continue
        try:
            fitting.append(jwt.PyJWK(each, algorithm))
        except jwt.PyJWTError:  # of a type that is not this algorithm's
            continue
    if len(fitting) != 1:
        raise _wrong(provider, "is signed by a key that the provider does not publish")
    return fitting[0]


def _wrong(provider: Provider, why: str) -> IssuerFailed:
    return IssuerFailed(f"The ID token of {provider.host} {why}.", hint="Sign in again.")
