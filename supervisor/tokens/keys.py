"""The key that signs call tokens: ES256 (RFC 7518: ECDSA on P-256 with SHA-256)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from supervisor.errors import ConfigError
from supervisor.paths import private_file
from supervisor.tokens.encoding import encode

ALGORITHM = "ES256"


class SigningKey:
    """Signs tokens; `kid` is the key's RFC 7638 thumbprint."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        numbers = key.public_key().public_numbers()
        self._members = {
            "crv": "P-256",
            "kty": "EC",
            "x": encode(numbers.x.to_bytes(32, "big")),
            "y": encode(numbers.y.to_bytes(32, "big")),
        }
        self._kid = thumbprint(self._members)

    @property
    def kid(self) -> str:
        """RFC 7638 thumbprint of the key."""
        return self._kid

    @classmethod
    def from_file(cls, path: Path) -> SigningKey:
        """The key at `path` (PEM, 0600), made on first use.

        Raises:
            ConfigError: the file is not ours, is readable by others, or holds no such key.
        """
        pem = private_file(path, _new_pem)
        try:
            key = load_pem_private_key(pem, password=None)
        except (ValueError, TypeError) as error:
            raise _no_key(path) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
            raise _no_key(path)
        return cls(key)

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str:
        """A token in compact form, with `typ` and `kid` in its header."""
        return jwt.encode(dict(claims), self._key, ALGORITHM, headers={"typ": typ, "kid": self.kid})

    def jwks(self) -> dict[str, Any]:
        """The public half as a JWK set (RFC 7517), for whoever verifies."""
        key = {
            **self._members,
            "alg": ALGORITHM,
            "use": "sig",
            "key_ops": ["verify"],
            "kid": self.kid,
        }
        return {"keys": [key]}


def load_keys(state: Path) -> SigningKey:
    """The signing key of this install. Raises ConfigError."""
    return SigningKey.from_file(state / "token.key")


def thumbprint(members: Mapping[str, str]) -> str:
    """RFC 7638: SHA-256 over the required members, sorted, without white space."""
    required = {name: members[name] for name in ("crv", "kty", "x", "y")}
    text = json.dumps(required, sort_keys=True, separators=(",", ":"))
    return encode(hashlib.sha256(text.encode()).digest())


def _new_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _no_key(path: Path) -> ConfigError:
    return ConfigError(
        f"{path} does not hold a P-256 key.", hint="Remove it; a new one is made at the start."
    )
