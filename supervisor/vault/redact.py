"""Find secrets in what we are about to show or have written, in the encodings they travel in.

Looked for: the text itself, as JSON writes it, percent-encoded, hex in both cases, and base64
(both alphabets) at each of the three positions it can have inside a longer encoded text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import overload

MASK = "‹secret›"


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret at `start:end` (bytes). Never holds the secret."""

    name: str
    encoding: str  # "raw" | "json" | "url" | "hex" | "base64"
    start: int
    end: int


class Redactor:
    """Finds and masks the given secrets.

    Args:
        secrets: name → secret. Empty ones are left out.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        needles: dict[bytes, tuple[str, str]] = {}  # pattern → name, encoding
        # Longest first: where one secret begins with another, the whole is found.
        for name, secret in sorted(secrets.items(), key=lambda item: -len(item[1])):
            if secret:
                for encoding, pattern in _patterns(secret):
                    needles.setdefault(pattern, (name, encoding))
        self._meaning = list(needles.values())
        patterns = [b"(" + pattern + b")" for pattern in needles]
        self._pattern = re.compile(b"|".join(patterns)) if patterns else None

    def find(self, data: str | bytes) -> list[Finding]:
        """Every place where a secret stands, in order."""
        if self._pattern is None:
            return []
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        return [
            Finding(*self._meaning[(match.lastindex or 1) - 1], match.start(), match.end())
            for match in self._pattern.finditer(raw)
        ]

    @overload
    def mask(self, data: str) -> str: ...
    @overload
    def mask(self, data: bytes) -> bytes: ...
    def mask(self, data: str | bytes) -> str | bytes:
        """`data` with every secret replaced by a mask."""
        if self._pattern is None:
            return data
        if isinstance(data, bytes):
            return self._pattern.sub(MASK.encode(), data)
        raw = data.encode("utf-8", "surrogatepass")
        return self._pattern.sub(MASK.encode(), raw).decode("utf-8", "surrogatepass")


def _patterns(secret: str) -> Iterator[tuple[str, bytes]]:
    """Every encoding of `secret`, as a regular expression without groups of its own."""
    raw = secret.encode("utf-8", "surrogatepass")
    yield "raw", re.escape(raw)
    yield "json", re.escape(json.dumps(secret)[1:-1].encode())
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    yield "json", re.escape(plain.encode("utf-8", "surrogatepass"))
    # Which characters are escaped, and in which case, is the writer's choice.
    yield "url", b"".join(_url_byte(byte) for byte in raw)
    yield "hex", raw.hex().encode()
    yield "hex", raw.hex().upper().encode()
    for before in range(3):
        # Encode at this position and keep the characters that depend on the secret alone. Those
        # at the seams are shared with the neighbouring bytes.
        text = base64.b64encode(bytes(before) + raw)
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        if last - first >= 4:
            inner = text[first:last]
            for needle in (inner, inner.translate(bytes.maketrans(b"+/", b"-_"))):
                yield "base64", rb"[\w+/-]?" + re.escape(needle) + rb"[\w+/-]?"


def _url_byte(byte: int) -> bytes:
    forms = [re.escape(bytes([byte])), b"%%(?i:%02x)" % byte]
    if byte == ord(" "):
        forms.append(rb"\+")
    return b"(?:" + b"|".join(forms) + b")"
