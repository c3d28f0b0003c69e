"""Looks for a released secret in what comes back: a server may echo what it was sent. Pure.

It is found as it went out, in base64 at whatever place of a longer text, percent-encoded as URLs
and forms do it, and escaped as JSON does it; in a body also where the server compressed it although
it was asked not to (`inflate`). Other disguises are not seen: that is why a credential goes only to
the hosts it was stored for.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Protocol
from urllib.parse import quote, unquote_to_bytes

from supervisor.channels.http.message import Field

# Shorter ones would be found in innocent text.
_SHORTEST = 8
MASK = b"[secret removed by taskpass]"


class Reflected(Exception):
    """The secret is in the response's body. Holds no data."""


class Watch(Protocol):
    """Passes a body through, holding back no more than may be the start of a secret."""

    def feed(self, data: bytes) -> bytes:
        """What of the body may go on now.

        Raises:
            Reflected: a secret is complete. None of its bytes were let through.
        """

    def rest(self) -> bytes:
        """What was held back, once the body is complete. Raises as `feed`."""


@lru_cache(64)  # every request of a lease has the same
def needles(values: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What to look for, given the byte strings by which secrets went out."""
    found = {form for value in values for form in _forms(value) if len(form) >= _SHORTEST}
    # One that holds another one is found by that.
    return tuple(
        sorted(form for form in found if not any(o in form for o in found if o is not form))
    )


def _forms(value: bytes) -> Iterator[bytes]:
    if len(value) < _SHORTEST:
        return
    yield value
    for before in range(3):
        # What base64 of any text holds that has the value there; its neighbours have a share in
        # the characters at both ends.
        text = base64.b64encode(bytes(before) + value)
        core = text[(before * 8 + 5) // 6 : (before + len(value)) * 8 // 6]
        yield core
        yield core.translate(bytes.maketrans(b"+/", b"-_"))
    for safe in ("", "/"):
        escaped = quote(value, safe=safe).encode()
        yield escaped
        yield _lower_escapes(escaped)
        yield escaped.replace(b"%20", b"+")
    inner = json.dumps(value.decode("latin-1"))[1:-1].encode()
    yield inner
    yield inner.replace(b"/", rb"\/")


def _lower_escapes(text: bytes) -> bytes:
    head, *escapes = text.split(b"%")
    return b"%".join((head, *(each[:2].lower() + each[2:] for each in escapes)))


def mask(value: bytes, secrets: Sequence[bytes]) -> bytes:
    """A header's value with every secret in it covered."""
    for secret in secrets:
        if secret in value:
            value = value.replace(secret, MASK)
    # Which characters are escaped is the writer's choice.
    if b"%" in value and any(secret in unquote_to_bytes(value) for secret in secrets):
        return MASK
    return value


def mask_fields(fields: Sequence[Field], secrets: Sequence[bytes]) -> list[Field]:
    """The fields with every secret in their values covered, and none in their names."""
    whole = b"\n".join([part for _, name, value in fields for part in (name, value)])
    if b"%" not in whole and not any(map(whole.__contains__, secrets)):
        return list(fields)
    return [
        (key, name, mask(value, secrets))
        for key, name, value in fields
        if not any(secret in name for secret in secrets)
    ]


class Scanner(Watch):
    """Looks through a body as it is."""

    __slots__ = ("_held", "_secrets")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._held = b""

    @property
    def holds(self) -> bool:
        """Whether what was fed so far ends with what may be the start of a secret."""
        return bool(self._held)

    def feed(self, data: bytes) -> bytes:
        if self._held:
            data = self._held + data
        keep = 0
        for secret in self._secrets:
            if secret in data:
                raise Reflected
            keep = max(keep, _started(data, secret))
        if not keep:
            self._held = b""
            return data
        self._held = data[-keep:]
        return data[:-keep]

    def rest(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _started(data: bytes, secret: bytes) -> int:
    """Length of the longest ending of `data` that begins `secret`."""
    at = data.find(secret[:1], max(0, len(data) - len(secret) + 1))
    while at >= 0:
        if secret.startswith(data[at:]):
            return len(data) - at
        at = data.find(secret[:1], at + 1)
    return 0
