"""What shows a client that the supervisor is ours: keyed BLAKE2b (RFC 7693) over a nonce.

Keyed BLAKE2 is a MAC by its own definition, and its C module is there without OpenSSL, which
takes 2 ms to load: on the way of every `taskpass run`.
"""

from __future__ import annotations

import os
from _operator import _compare_digest

try:
    from _blake2 import blake2b
except ImportError:  # a Python built without hash functions of its own
    from hashlib import blake2b

_CONTEXT = b"taskpass-hello"  # at most 16 bytes


def new_nonce() -> str:
    return os.urandom(16).hex()


def proof(key: bytes, nonce: str) -> str:
    """What a supervisor that knows `key` (at most 64 bytes) answers to `nonce` (hex)."""
    return blake2b(nonce.encode(), digest_size=32, key=key, person=_CONTEXT).hexdigest()


def shown(key: bytes, nonce: str, answer: str) -> bool:
    """Whether `answer` is the proof; in constant time."""
    return _compare_digest(proof(key, nonce).encode(), answer.encode("utf-8", "replace"))
