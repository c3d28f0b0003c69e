"""Find secrets in what we are about to show or have written, in the encodings they travel in.

Looked for: the text itself, as JSON writes it, percent-encoded, hex in both cases, and base64
(both alphabets) at each of the three positions it can have inside a longer encoded text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import overload

MASK = "‹secret›"
_SHORT, _REMEMBERED = 256, 1024  # characters of a text, and how many that hold no secret

_BASE64 = frozenset(
    bytes([each]) for each in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret at `start:end` (bytes). Never holds the secret."""

    name: str
    encoding: str  # "raw" | "json" | "url" | "hex" | "base64"
    start: int
    end: int


@dataclass(frozen=True, slots=True, repr=False)  # a repr would hold the secret
class _Form:
    """One encoding of one secret: an exact text, or a pattern where the writer had a choice."""

    name: str
    encoding: str
    text: bytes = b""
    pattern: re.Pattern[bytes] | None = None

    def places(self, data: bytes) -> Iterator[tuple[int, int]]:
        if self.pattern is not None:
            for match in self.pattern.finditer(data):
                yield match.span()
            return
        start = data.find(self.text)
        while start >= 0:
            end = start + len(self.text)
            if self.encoding == "base64":
                # The characters at the seams are shared with the neighbouring bytes.
                yield (
                    start - (data[start - 1 : start] in _BASE64),
                    end + (data[end : end + 1] in _BASE64),
                )
            else:
                yield start, end
            start = data.find(self.text, end)


class Redactor:
    """Finds and masks the given secrets.

    Args:
        secrets: name → secret. Empty ones are left out.
    """

    def __init__(self, secrets: Mapping[str, str]) -> None:
        named = [(name, secret) for name, secret in secrets.items() if secret]
        # Substring search is some hundred times faster than one pattern for everything; patterns
        # are tried only on text that has percent signs or pluses at all.
        self._forms = list(dict.fromkeys(form for each in named for form in _forms(*each)))
        self._texts = [form.text for form in self._forms if form.pattern is None]
        self._secrets = tuple(secret for _, secret in named)
        self._pieces: dict[int, frozenset[str]] = {}
        self._innocent: set[str] = set()  # short texts known to hold none: the same come again

    def pieces(self, length: int) -> frozenset[str]:
        """Every `length` characters in a row of the secrets, without white space."""
        if length not in self._pieces:
            bare = ("".join(secret.split()) for secret in self._secrets)
            self._pieces[length] = frozenset(
                text[at : at + length] for text in bare for at in range(len(text) - length + 1)
            )
        return self._pieces[length]

    def find(self, data: str | bytes) -> list[Finding]:
        """Every place where a secret stands, in order; of overlapping ones the longest."""
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        escaped = b"%" in raw or b"+" in raw
        found = [
            Finding(form.name, form.encoding, start, end)
            for form in self._forms
            if form.pattern is None or escaped
            for start, end in form.places(raw)
        ]
        found.sort(key=lambda each: (each.start, -each.end))
        separate: list[Finding] = []
        for each in found:
            if separate and each.start < separate[-1].end:
                # Both go under one mask: nothing of either may stay.
                separate[-1] = replace(separate[-1], end=max(each.end, separate[-1].end))
            else:
                separate.append(each)
        return separate

    @overload
    def mask(self, data: str) -> str: ...
    @overload
    def mask(self, data: bytes) -> bytes: ...
    def mask(self, data: str | bytes) -> str | bytes:
        """`data` with every secret replaced by a mask."""
        if isinstance(data, str) and data in self._innocent:
            return data
        raw = data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass")
        # Nearly every text is innocent, and each request has several.
        escaped = b"%" in raw or b"+" in raw
        suspect = escaped or any(map(raw.__contains__, self._texts))
        findings = self.find(raw) if suspect else []
        if not findings:
            self._remember(data)
            return data
        pieces, at = [], 0
        for finding in findings:
            pieces += [raw[at : finding.start], MASK.encode()]
            at = finding.end
        masked = b"".join([*pieces, raw[at:]])
        return masked if isinstance(data, bytes) else masked.decode("utf-8", "surrogatepass")

    def _remember(self, data: str | bytes) -> None:
        if isinstance(data, str) and len(data) <= _SHORT:
            if len(self._innocent) >= _REMEMBERED:
                self._innocent.clear()
            self._innocent.add(data)


def _forms(name: str, secret: str) -> Iterator[_Form]:
    raw = secret.encode("utf-8", "surrogatepass")
    plain = json.dumps(secret, ensure_ascii=False)[1:-1]
    yield _Form(name, "raw", raw)
    yield _Form(name, "json", json.dumps(secret)[1:-1].encode())
    yield _Form(name, "json", plain.encode("utf-8", "surrogatepass"))
    yield _Form(name, "hex", raw.hex().encode())
    yield _Form(name, "hex", raw.hex().upper().encode())
    for before in range(3):
        # Encode at this position and keep the characters that depend on the secret alone.
        text = base64.b64encode(bytes(before) + raw)
        first = (before * 8 + 5) // 6
        last = (before + len(raw)) * 8 // 6
        if last - first >= 4:
            inner = text[first:last]
            yield _Form(name, "base64", inner)
            yield _Form(name, "base64", inner.translate(bytes.maketrans(b"+/", b"-_")))
    # Which characters are escaped, and in which case, is the writer's choice.
    yield _Form(name, "url", pattern=re.compile(b"".join(_url_byte(byte) for byte in raw)))


def _url_byte(byte: int) -> bytes:
    forms = [re.escape(bytes([byte])), b"%%(?i:%02x)" % byte]
    if byte == ord(" "):
        forms.append(rb"\+")
    return b"(?:" + b"|".join(forms) + b")"
