"""What a job's token vouches for, once it is shown to be its CI system's (RFC 7519, RFC 7517)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import jwt

from supervisor.ci.systems import System
from supervisor.errors import Denied
from supervisor.model import Job

LEEWAY = 30.0  # seconds that clocks may differ
_LONGEST = 16 * 1024  # characters
_ALGORITHMS = ("RS256", "ES256")  # what the four sign with; an HMAC the job could make itself

Keys = Callable[[str], Awaitable[Mapping[str, Any]]]


async def verified(
    token: str, system: System, keys: Keys, *, audience: str, issuer: str = ""
) -> Job:
    """The job that `token` was made for.

    Args:
        keys: gets the JWK set at a URL. Raises IssuerFailed.
        audience: whom it must be for.
        issuer: of the configuration, "" for the system's own.

    Raises:
        Denied: it is not shown to be the system's, or is of a job that gets nothing.
        IssuerFailed: the provider's keys cannot be had.
    """
    if len(token) > _LONGEST:
        raise _wrong(system, "is too long")
    try:
        head = jwt.get_unverified_header(token)
        claimed = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        raise _wrong(system, "is no token") from None
    algorithm, kid = head.get("alg"), head.get("kid")
    if algorithm not in _ALGORITHMS:
        raise _wrong(system, "is signed in a way that is not taken")
    if not isinstance(kid, str) or not kid:
        raise _wrong(system, "names no key")
    provider = _provider(system, issuer or system.issuer, claimed.get("iss"))
    key = _key(await keys(provider + system.keys), kid, str(algorithm))
    if key is None:
        raise _wrong(system, "is signed by a key that the provider does not publish")
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=[str(algorithm)],
            audience=_audience(system, provider, audience),
            issuer=provider,
            leeway=LEEWAY,
            options={"require": ["iss", "aud", "exp", "iat"]},
        )
    except jwt.ExpiredSignatureError:
        raise _wrong(system, "has expired") from None
    except jwt.ImmatureSignatureError:
        raise _wrong(system, "is not valid yet: is this machine's clock right?") from None
    except jwt.InvalidAudienceError:
        raise _wrong(system, "is for another audience") from None
    except jwt.PyJWTError:
        raise _wrong(system, "does not verify") from None
    return system.job(claims)


def _provider(system: System, expected: str, said: object) -> str:
    """The issuer whose keys count."""
    if not isinstance(said, str):
        raise _wrong(system, "names no issuer")
    if system.by_organization:
        base, _, organization = said.rpartition("/")
        known = base == expected and organization.replace("-", "").isalnum()
    else:
        known = said == expected
    if not known:
        raise _wrong(system, "comes from another issuer")
    return said


def _audience(system: System, provider: str, ours: str) -> Sequence[str]:
    """Who it may be for: us, or the organization alone where the system has no other way."""
    return (ours, provider.rpartition("/")[2]) if system.by_organization else (ours,)


def _key(listed: Mapping[str, Any], kid: str, algorithm: str) -> jwt.PyJWK | None:
    found = listed.get("keys")
    fitting = [
        each
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, dict)
        and each.get("kid") == kid
        and each.get("use", "sig") == "sig"
        and each.get("alg", algorithm) == algorithm
    ]
    if len(fitting) != 1:
        return None
    try:
        return jwt.PyJWK(fitting[0], algorithm)
    except jwt.PyJWTError:  # of a type that is not this algorithm's
        return None


def _wrong(system: System, why: str) -> Denied:
    return Denied(f"The {system.title} token {why}, so this job has no identity.")
