"""What a change to a credential ended, in words."""

from __future__ import annotations

from supervisor.protocol.credentials import EndedLeases


def in_words(ended: EndedLeases) -> str:
    """ ", 2 leases ended, 1 connection cut"; "" where nothing was lent."""
    if not ended.leases:
        return ""
    text = f", {_count(ended.leases, 'lease')} ended, {_count(ended.connections, 'connection')} cut"
    return f"{text}, {ended.unconfirmed} not confirmed yet" if ended.unconfirmed else text


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
