"""Sizes as people write them. Pure, and quick to import."""

from __future__ import annotations

from supervisor.errors import UsageError

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SMALLEST = 16 << 20  # bytes below which not even a shell with a tool starts


def bytes_of(text: str) -> int:
    """Bytes of `4G`, `512M` or `800000000`; units are powers of 1024.

    Raises:
        UsageError: it is no size, or too small for any task.
    """
    words = text.strip().upper().removesuffix("IB").removesuffix("B")
    unit = words[-1:] if words[-1:].isalpha() else ""
    try:
        size = int(float(words.removesuffix(unit)) * _UNITS[unit])
    except (ValueError, KeyError, OverflowError):
        raise UsageError(f"{text!r} is no size.", hint="Say 4G, or 512M.") from None
    if size < _SMALLEST:
        raise UsageError(f"{text} of memory starts no task.", hint="Give at least 16M.")
    return size


def size_words(size: int) -> str:
    """`4 GB` for what `4G` was; the largest unit that gives a number of 1 or more."""
    number, unit = float(size), "bytes"
    for unit in ("bytes", "KB", "MB", "GB", "TB"):
        if number < 1024 or unit == "TB":
            break
        number /= 1024
    return f"{number:.4g} {unit}"
