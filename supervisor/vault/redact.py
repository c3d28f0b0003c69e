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
from urllib.parse import quote, quote_plus

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
        self._meaning: list[tuple[str, str]] = []
        needles: dict[bytes, tuple[str, str]] = {}
        for name, secret in secrets.items():
            if secret:
                for encoding, needle in _needles(secret):
                    needles.setdefault(needle, (name, encoding))
        patterns: list[bytes] = []
        # Longest first: where one begins with another, the whole is found.
        for needle in sorted(needles, key=len, reverse=True):
            self._meaning.append(needles[needle])
            literal = re.escape(needle)
            if needles[needle][1] == "base64":
                # The characters at the seams are shared with the neighbouring bytes.
                literal = rb"[A-Za-z0-9+/_-]?" + literal + rb"[A-Za-z0-9+/_-]?"
            patterns.append(b"(" + literal + b")")
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


def _needles(secret: str) -> Iterator[tuple[str, bytes]]:
    raw = secret.encode("utf-8", "surrogatepass")
    yield "raw", raw
    yield "json", json.dumps(secret)[1:-1].encode()
    yield "json", json.dumps(secret, ensure_ascii=False)[1:-1].encode("utf-8", "surrogatepass")
    for escaped in (quote(raw, safe=""), quote(raw, safe="/"), quote_plus(raw)):
        yield "url", escaped.encode()
        yield "url", re.sub("%..", lambda match: match[0].lower(), escaped).encode()
    yield "hex", raw.hex().encode()
    yield "hex", raw.hex().upper().encode()
    for before in range(3):
        # Encode at this position and keep the characters that depend on the secret alone.
        text = base64.b64encode(bytes(before) + raw)
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        needle = text[first:last]
        if len(needle) >= 4:
            yield "base64", needle
            yield "base64", needle.translate(bytes.maketrans(b"+/", b"-_"))
