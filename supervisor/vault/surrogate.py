"""Same-shape stand-ins for secrets.

A stand-in keeps what format checks look at: the length, the well-known prefix, the punctuation
in its place, and the alphabet of the rest (hex stays hex, base 62 stays base 62). The rest is
drawn from that alphabet as a whole, not character by character from the same class, so that it
does not tell where the real secret has its digits and capitals.

It is derived from a key of the install, the task and the credential's name: a task that outlives
the supervisor keeps stand-ins that work, and nothing about them has to be written down.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import string
from collections.abc import Iterator

from supervisor.model import CredentialSpec

# Prefixes that programs check before they send a token, longest match first.
PREFIXES = (
    "github_pat_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_",
    "glpat-", "gldt-", "glrt-",
    "sk_live_", "sk_test_", "pk_live_", "pk_test_", "rk_live_", "rk_test_", "whsec_",
    "sk-ant-api03-", "sk-ant-oat01-", "sk-ant-", "sk-proj-", "sk-svcacct-", "sk-or-v1-", "sk-",
    "xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xapp-",
    "AKIA", "ASIA", "AIza", "ya29.",
    "npm_", "pypi-", "dop_v1_", "hf_", "SG.", "shpat_", "lin_api_", "dckr_pat_", "eyJ",
)  # fmt: skip

# What an issuer mints looks like this, where programs look at it before they send it.
_MINTED = {"github-app": "ghs_" + "aB3" * 12}

_CLASSES = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
_HEX = ("0123456789abcdef", "0123456789ABCDEF")


def shape_of(spec: CredentialSpec) -> str:
    """A text with the shape of what goes to the wire, "" where only the secret itself tells it.

    Kept as an option where what it was seen to be once cannot be looked up at any time.
    """
    return spec.options.get("shape", "") or _MINTED.get(spec.issuer, "")


def template(secret: str) -> str:
    """A text of the shape of `secret`, for `shape_of`; tells no more of it than a stand-in does."""
    return same_shape(secret, os.urandom(32), "", "")


def same_shape(secret: str, key: bytes, task: str, name: str, attempt: int = 0) -> str:
    """The stand-in for `secret` in `task`; another one for each `attempt`. Never the secret.

    Args:
        key: 32 random bytes of this install.

    Raises:
        ValueError: the secret is empty.
    """
    if not secret:
        raise ValueError("an empty secret has no stand-in")
    prefix = _prefix(secret)
    rest = secret[len(prefix) :]
    alphabet = _alphabet(rest)
    draws = _draws(key, "shape", task, name, str(attempt))
    rigid = all(_stays(character) for character in rest)  # punctuation only: no room in the shape
    while True:
        body = "".join(
            character if _stays(character) and not rigid else _pick(alphabet, draws)
            for character in rest
        )
        if body != rest:
            return prefix + body


def like_a_token(key: bytes, task: str, name: str, attempt: int = 0) -> str:
    """The stand-in for what is minted later: a JWT that parses, says what it is, and proves
    nothing (its signature is random)."""
    draws = _draws(key, "token", task, name, str(attempt))
    signature = bytes(next(draws) for _ in range(64))
    parts = (
        {"alg": "ES256", "typ": "JWT"},
        {"iss": "taskpass", "sub": "stand-in", "jti": bytes(next(draws) for _ in range(8)).hex()},
    )
    encoded = [json.dumps(part, separators=(",", ":")).encode() for part in parts]
    return ".".join(
        base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (*encoded, signature)
    )


def _prefix(secret: str) -> str:
    found = [prefix for prefix in PREFIXES if secret.startswith(prefix)]
    longest = max(found, key=len, default="")
    # A prefix with next to nothing behind it leaves too little to tell stand-ins apart.
    return longest if len(secret) - len(longest) >= 8 else ""


def _stays(character: str) -> bool:
    return character == " " or character in string.punctuation


def _alphabet(text: str) -> str:
    used = {character for character in text if not _stays(character)}
    digits = used & set(string.digits)
    for hexadecimal in _HEX:
        if digits and used - digits and used <= set(hexadecimal):
            return hexadecimal
    return "".join(each for each in _CLASSES if used & set(each)) or string.ascii_lowercase


def _pick(alphabet: str, draws: Iterator[int]) -> str:
    """An evenly drawn character: bytes beyond the last whole multiple are thrown away."""
    limit = 256 - 256 % len(alphabet)
    return next(alphabet[byte % len(alphabet)] for byte in draws if byte < limit)


def _draws(key: bytes, *context: str) -> Iterator[int]:
    """Endless bytes from HMAC-SHA-256 over the context and a counter."""
    seed = json.dumps(context).encode()
    counter = 0
    while True:
        yield from hmac.digest(key, seed + counter.to_bytes(8, "big"), hashlib.sha256)
        counter += 1
