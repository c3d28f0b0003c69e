"""Strict verification of call tokens.

Stricter than the library beneath: the algorithm is pinned per key, keys that are not for
verifying are refused, base64url must be canonical, no member may occur twice, and nothing in a
token's header can choose or bring a key (PyJWT 2.15 accepts six Wycheproof cases of this sort).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from supervisor.errors import ConfigError, InvalidToken
from supervisor.tokens.encoding import decode

TYPE = "at+jwt"  # RFC 9068
SKEW = 5.0  # seconds that clocks may differ
LIFETIME = 60.0  # seconds between `iat` and `exp`, at most

_LONGEST = 16 * 1024  # characters
_LATEST = 2**53  # a time beyond it is no time; refuses NaN and infinities as well
_ALLOWED_HEADER = frozenset({"alg", "typ", "kid"})
_REQUIRED = ("iss", "aud", "sub", "jti", "iat", "nbf", "exp")


class TokenVerifier:
    """Verifies tokens of one issuer.

    Args:
        jwks: a JWK set (RFC 7517); only P-256 keys for ES256 signatures are taken.
        issuer: the `iss` every token must have.
        clock: POSIX seconds.

    Raises:
        ConfigError: a key cannot be used for verifying.
    """

    def __init__(
        self, jwks: Mapping[str, Any], issuer: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._keys = dict(_public_key(jwk) for jwk in jwks["keys"])
        self._issuer = issuer
        self._clock = clock
        self._algorithm = ECAlgorithm(ECAlgorithm.SHA256)

    def verify(self, token: str, *, audience: str) -> dict[str, Any]:
        """The claims of a good token.

        Raises:
            InvalidToken: says what is wrong, never what the token contains.
        """
        header, payload = self.signed(token)
        if header.get("typ") != TYPE:
            raise _invalid("is of another type")
        claims = _object(payload, "claims")
        self._check(claims, audience)
        return claims

    def signed(self, token: str) -> tuple[dict[str, Any], bytes]:
        """Header and payload of a compact JWS that one of the keys has signed; no claim is read.

        Raises:
            InvalidToken: as `verify`.
        """
        if len(token) > _LONGEST:
            raise _invalid("is too long")
        segments = token.split(".")
        if len(segments) != 3:
            raise _invalid("does not have three parts")
        header_text, payload_text, signature_text = segments
        header = _object(_bytes(header_text, "header"), "header")
        if header.keys() - _ALLOWED_HEADER:
            raise _invalid("has header members that are not allowed")
        kid = header.get("kid")
        key = self._keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise _invalid("is signed by an unknown key")
        if header.get("alg") != "ES256":
            raise _invalid("does not use the algorithm of its key")
        payload = _bytes(payload_text, "claims")
        message = f"{header_text}.{payload_text}".encode()
        if not self._algorithm.verify(message, key, _bytes(signature_text, "signature")):
            raise _invalid("has a signature that does not verify")
        return header, payload

    def _check(self, claims: Mapping[str, Any], audience: str) -> None:
        missing = [name for name in _REQUIRED if name not in claims]
        if missing:
            raise _invalid(f"lacks {', '.join(missing)}")
        if claims["iss"] != self._issuer:
            raise _invalid("comes from another issuer")
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if audience not in audiences:
            raise _invalid("is for another audience")
        if not all(isinstance(claims[name], str) and claims[name] for name in ("sub", "jti")):
            raise _invalid("has a subject or id that is not text")
        issued, begins, ends = (_time(claims, name) for name in ("iat", "nbf", "exp"))
        now = self._clock()
        if not 0 < ends - issued <= LIFETIME:
            raise _invalid("is made to live too long")
        if now >= ends + SKEW:
            raise _invalid("has expired")
        if now < begins - SKEW or now < issued - SKEW:
            raise _invalid("is not valid yet")


def _public_key(jwk: Mapping[str, Any]) -> tuple[str, ec.EllipticCurvePublicKey]:
    try:
        if (jwk["kty"], jwk["crv"], jwk["alg"]) != ("EC", "P-256", "ES256"):
            raise ValueError("it is not a P-256 key for ES256")
        if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ["verify"]):
            raise ValueError("it is not for verifying")
        if "d" in jwk:
            raise ValueError("it holds its private half")
        x, y = decode(jwk["x"]), decode(jwk["y"])
        if len(x) != 32 or len(y) != 32:
            raise ValueError("its coordinates have the wrong length")
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1()
        )
        return str(jwk["kid"]), numbers.public_key()
    except KeyError as error:
        raise ConfigError(f"A key in the JWK set lacks {error}.") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"A key in the JWK set cannot be used: {error}.") from error


def _object(data: bytes, part: str) -> dict[str, Any]:
    try:
        value = json.loads(data, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"has a {part} part that is not JSON") from error
    if not isinstance(value, dict):
        raise _invalid(f"has a {part} part that is not an object")
    return value


def _bytes(text: str, part: str) -> bytes:
    try:
        return decode(text)
    except ValueError as error:
        raise _invalid(f"has a {part} part that is not canonical base64url") from error


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a member occurs twice")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _time(claims: Mapping[str, Any], name: str) -> float:
    value = claims[name]
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value < _LATEST:
        raise _invalid(f"has an {name} that is not a time")
    return float(value)


def _invalid(what: str) -> InvalidToken:
    return InvalidToken(f"The token {what}.", hint="Ask for a new one with a new call.")
