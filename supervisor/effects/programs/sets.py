"""Lists of names as they are written in readers."""

from __future__ import annotations


def names(text: str) -> frozenset[str]:
    """The blank separated names in `text`."""
    return frozenset(text.split())
