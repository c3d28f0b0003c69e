"""The canonical form of JSON (RFC 8785): whoever has the content has the exact bytes.

By the library of that name, or by msgspec, which writes the same bytes of nearly everything in a
tenth of the time.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import rfc8785

SAFE = 2**53 - 1  # the largest integer that every reader of JSON takes for what it is
_writer = msgspec.json.Encoder(order="sorted")


def canonical(value: Any) -> bytes:
    """Canonical bytes.

    Raises:
        ValueError: it holds what the form cannot say (integers beyond 2**53, NaN, bytes, lone
            surrogates, keys that are not strings).
        RecursionError: it is too deep.
    """
    return _writer.encode(value) if _plain(value) else rfc8785.dumps(value)


def _plain(value: Any) -> bool:
    """Whether both writers write it alike."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return True
    if kind is dict:
        return _plain_object(value)
    if isinstance(value, StrEnum):
        return True
    if isinstance(value, int):
        return kind is int and -SAFE <= value <= SAFE
    if isinstance(value, float):
        # Whole numbers have no point there, and exponents begin elsewhere than in Python.
        return 1e-4 <= abs(value) <= SAFE and not value.is_integer()
    return kind is list and all(map(_plain, value))


def _plain_object(value: dict[object, object]) -> bool:
    for name, held in value.items():
        # Sorted by code unit, or by code point: in ASCII that is the same.
        if type(name) is not str or not name.isascii():
            return False
        if type(held) is not str and not _plain(held):  # most are; each record has some thirty
            return False
    return True
