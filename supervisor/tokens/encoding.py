"""base64url as JOSE uses it: no padding, and one text for one value."""

from __future__ import annotations

import base64
import binascii
import re

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """Bytes of canonical base64url (RFC 7515, section 2).

    Raises:
        ValueError: padding, other characters, an impossible length, or bits at the end that mean
            nothing: with those, one value would have several texts.
    """
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url")
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error as error:
        raise ValueError("not base64url") from error
    if encode(data) != text:
        raise ValueError("not canonical base64url")
    return data
