"""Looks for a released secret in what comes back: a server may echo what it was sent. Pure.

It finds the secret as it went out. A server that encodes or compresses it is not caught; that is
why a credential goes only to the hosts it was stored for.
"""

from __future__ import annotations

from collections.abc import Sequence

# Shorter ones would be found in innocent text.
_SHORTEST = 8
MASK = b"[secret removed by taskpass]"


class Reflected(Exception):
    """The secret is in the response's body. Holds no data."""


def needles(values: Sequence[bytes]) -> tuple[bytes, ...]:
    """The values worth looking for."""
    return tuple({value for value in values if len(value) >= _SHORTEST})


def mask(value: bytes, secrets: Sequence[bytes]) -> bytes:
    """A header's value with every secret in it covered."""
    for secret in secrets:
        if secret in value:
            value = value.replace(secret, MASK)
    return value


class Scanner:
    """Passes a body through, holding back only an ending that may be the start of a secret."""

    __slots__ = ("_held", "_secrets")

    def __init__(self, secrets: Sequence[bytes]) -> None:
        self._secrets = secrets
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What of `data` may go on now.

        Raises:
            Reflected: a secret is complete. None of its bytes were let through.
        """
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
        """What was held back, once the body is complete."""
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
