"""Negative cases in the manner of Wycheproof's JWS vectors: each would be accepted by somebody."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import ConfigError, InvalidToken
from supervisor.tokens.encoding import decode, encode
from supervisor.tokens.keys import SigningKey, thumbprint
from supervisor.tokens.verify import TokenVerifier

NOW = 1_000_000
AUDIENCE = "https://api.example.com"
ISSUER = "https://taskpass.invalid"
PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = SigningKey(PRIVATE)
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "user:ana@host",
    "jti": "j-1",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 60,
}
HEADER = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}


def verifier(at: float = NOW) -> TokenVerifier:
    return TokenVerifier(KEY.jwks(), ISSUER, clock=lambda: at)


def part(value: Any) -> str:
    return encode(value if isinstance(value, bytes) else json.dumps(value).encode())


def signed(header: Any, claims: Any, key: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    """A token with exactly these parts and a good signature."""
    return signed_text(f"{part(header)}.{part(claims)}", key)


def signed_text(text: str, key: ec.EllipticCurvePrivateKey = PRIVATE) -> str:
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def refuse(token: str, says: str, at: float = NOW) -> None:
    with pytest.raises(InvalidToken, match=says) as refusal:
        verifier(at).verify(token, audience=AUDIENCE)
    assert "ana" not in str(refusal.value)  # nothing of the token is repeated


def test_a_good_token_gives_its_claims() -> None:
    assert verifier().verify(signed(HEADER, CLAIMS), audience=AUDIENCE) == CLAIMS
    assert verifier().verify(KEY.sign(CLAIMS, typ="at+jwt"), audience=AUDIENCE) == CLAIMS
    several = CLAIMS | {"aud": ["https://other", AUDIENCE]}
    assert verifier().verify(signed(HEADER, several), audience=AUDIENCE) == several


def hmac_with_the_public_key() -> str:
    public = PRIVATE.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    text = f"{part(HEADER | {'alg': 'HS256'})}.{part(CLAIMS)}"
    return f"{text}.{encode(hmac.digest(public, text.encode(), hashlib.sha256))}"


def unsigned(alg: str) -> str:
    return f"{part(HEADER | {'alg': alg})}.{part(CLAIMS)}."


def trailing_bits(token: str) -> str:
    """The same signature in another text: the last character's unused bits are set."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(token[-1]) | 1]
    assert last != token[-1]
    assert base64.urlsafe_b64decode(token.split(".")[2] + "==") == base64.urlsafe_b64decode(
        token[:-1].split(".")[2] + last + "=="
    )
    return token[:-1] + last


def der_signature() -> str:
    text = f"{part(HEADER)}.{part(CLAIMS)}"
    return f"{text}.{encode(PRIVATE.sign(text.encode(), ec.ECDSA(hashes.SHA256())))}"


GOOD = signed(HEADER, CLAIMS)
TWICE = json.dumps(CLAIMS)[:-1] + ', "sub": "user:root"}'
BROKEN: dict[str, tuple[Callable[[], str] | str, str]] = {
    "alg none": (lambda: unsigned("none"), "algorithm"),
    "alg None": (lambda: unsigned("None"), "algorithm"),
    "alg empty": (lambda: unsigned(""), "algorithm"),
    "alg missing": (signed({"typ": "at+jwt", "kid": KEY.kid}, CLAIMS), "algorithm"),
    "hs256 with the public key": (hmac_with_the_public_key, "algorithm"),
    "es384 named": (signed(HEADER | {"alg": "ES384"}, CLAIMS), "algorithm"),
    "alg is a list": (signed(HEADER | {"alg": ["ES256"]}, CLAIMS), "algorithm"),
    "no kid": (signed({"alg": "ES256", "typ": "at+jwt"}, CLAIMS), "unknown key"),
    "kid is a number": (signed(HEADER | {"kid": 1}, CLAIMS), "unknown key"),
    "another key": (signed(HEADER, CLAIMS, ec.generate_private_key(ec.SECP256R1())), "verify"),
    "brings its own key": (signed(HEADER | {"jwk": KEY.jwks()["keys"][0]}, CLAIMS), "members"),
    "points to a key": (signed(HEADER | {"jku": "https://evil"}, CLAIMS), "members"),
    "critical extension": (signed(HEADER | {"crit": ["b64"], "b64": False}, CLAIMS), "members"),
    "wrong type": (signed(HEADER | {"typ": "JWT"}, CLAIMS), "another type"),
    "no type": (signed({"alg": "ES256", "kid": KEY.kid}, CLAIMS), "another type"),
    "trailing bits": (lambda: trailing_bits(GOOD), "canonical"),
    "padded": (lambda: GOOD + "==", "canonical"),
    "line break inside": (lambda: signed_text(f"{part(HEADER)}.\n{part(CLAIMS)}"), "canonical"),
    "standard alphabet": (lambda: GOOD[:-4] + "+/+/", "canonical"),
    "der signature": (der_signature, "verify"),
    "empty signature": (lambda: GOOD.rsplit(".", 1)[0] + ".", "verify"),
    "zero signature": (lambda: GOOD.rsplit(".", 1)[0] + "." + encode(bytes(64)), "verify"),
    "four segments": (lambda: GOOD + ".x", "three parts"),
    "two segments": (lambda: GOOD.rsplit(".", 1)[0], "three parts"),
    "empty": ("", "three parts"),
    "too long": ("x" * 20_000, "too long"),
    "header is no object": (signed([1], CLAIMS), "not an object"),
    "header is no json": (signed(b"{", CLAIMS), "not JSON"),
    "a member twice": (lambda: signed(HEADER, TWICE.encode()), "not JSON"),
    "not a number": (signed(HEADER, CLAIMS | {"exp": float("nan")}), "not JSON"),
    "very deep": (signed(HEADER, b"[" * 9000), "not JSON"),
    "claims are no object": (signed(HEADER, [CLAIMS]), "not an object"),
    "wrong audience": (signed(HEADER, CLAIMS | {"aud": "https://evil"}), "audience"),
    "audience as a prefix": (signed(HEADER, CLAIMS | {"aud": AUDIENCE + "/x"}), "audience"),
    "no audience": (signed(HEADER, CLAIMS | {"aud": []}), "audience"),
    "wrong issuer": (signed(HEADER, CLAIMS | {"iss": "https://evil"}), "issuer"),
    "lives too long": (signed(HEADER, CLAIMS | {"exp": NOW + 61}), "too long"),
    "dies before it is born": (signed(HEADER, CLAIMS | {"exp": NOW - 1}), "too long"),
    "exp is text": (signed(HEADER, CLAIMS | {"exp": str(NOW + 60)}), "not a time"),
    "exp is true": (signed(HEADER, CLAIMS | {"exp": True}), "not a time"),
    "exp is infinite": (signed(HEADER, CLAIMS | {"exp": 10**400}), "not a time|not JSON"),
    "not yet valid": (signed(HEADER, CLAIMS | {"nbf": NOW + 30}), "not valid yet"),
    "issued later": (
        signed(HEADER, CLAIMS | {"iat": NOW + 30, "exp": NOW + 40}), "not valid yet"
    ),
    "id is empty": (signed(HEADER, CLAIMS | {"jti": ""}), "not text"),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_bad_token_is_refused_for_its_own_fault(case: str) -> None:
    token, says = BROKEN[case]
    refuse(token if isinstance(token, str) else token(), says)


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_a_missing_claim_is_named(name: str) -> None:
    refuse(signed(HEADER, {key: value for key, value in CLAIMS.items() if key != name}), name)


def test_it_dies_at_its_time_and_the_stated_skew() -> None:
    verifier(NOW + 64.9).verify(GOOD, audience=AUDIENCE)
    refuse(GOOD, "expired", at=NOW + 65.0)
    verifier(NOW - 5.0).verify(GOOD, audience=AUDIENCE)
    refuse(GOOD, "not valid yet", at=NOW - 5.1)


@pytest.mark.parametrize(
    "change",
    [
        {"use": "enc"},
        {"key_ops": ["sign"]},
        {"key_ops": []},
        {"alg": "HS256"},
        {"kty": "oct", "k": "AA"},
        {"crv": "P-384"},
        {"x": "AA"},
        {"y": encode(bytes(32))},
        {"x": KEY.jwks()["keys"][0]["x"] + "="},
        {"d": encode(bytes(32))},
    ],
    ids=" ".join,  # not the values: a key is another in every process
)
def test_a_key_that_is_not_for_this_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        TokenVerifier({"keys": [KEY.jwks()["keys"][0] | change]}, ISSUER)


@pytest.mark.parametrize("member", ["kty", "crv", "alg", "x", "y", "kid"])
def test_a_key_that_lacks_something_is_refused(member: str) -> None:
    jwk = {key: value for key, value in KEY.jwks()["keys"][0].items() if key != member}
    with pytest.raises(ConfigError, match=member):
        TokenVerifier({"keys": [jwk]}, ISSUER)


@given(st.binary(max_size=64))
def test_base64url_has_one_text_for_one_value(data: bytes) -> None:
    assert decode(encode(data)) == data


@given(st.text("ABCxyz019-_", max_size=12))
def test_what_decodes_is_what_encodes(text: str) -> None:
    try:
        data = decode(text)
    except ValueError:
        return
    assert encode(data) == text


def test_the_key_is_private_and_its_id_is_its_thumbprint(tmp_path: Path) -> None:
    path = tmp_path / "token.key"
    key = SigningKey.from_file(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert SigningKey.from_file(path).kid == key.kid
    (jwk,) = key.jwks()["keys"]
    assert "d" not in jwk
    assert jwk["kid"] == thumbprint(jwk) == key.kid


def test_the_thumbprint_is_the_one_of_the_standard() -> None:
    # Computed by hand from RFC 7638, section 3: members sorted, no white space.
    members = {"kty": "EC", "crv": "P-256", "x": "eA", "y": "eQ", "use": "sig"}
    digest = hashlib.sha256(b'{"crv":"P-256","kty":"EC","x":"eA","y":"eQ"}').digest()
    assert thumbprint(members) == base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.mark.parametrize("content", [b"", b"not a key", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "token.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="P-256"):
        SigningKey.from_file(path)
