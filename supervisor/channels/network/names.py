"""Addresses that stand for names inside a task. Pure.

A task's names are never asked about outside: that would tell them to somebody. Each gets an
address of its own from a range that no network routes (RFC 2544), so that a connection to the
address tells which host was meant. What address a name gets follows from the task and the name:
after a restart of the supervisor an address that a program kept cannot have become another's.
"""

from __future__ import annotations

import hashlib
import ipaddress

_RANGE = ipaddress.ip_network("198.18.0.0/15")
_MOST = 4096  # names a task may ask for


class Names:
    """The names of one task."""

    def __init__(self, task: str) -> None:
        self._task = task
        self._addresses: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def address(self, name: str) -> str:
        """The address that stands for `name` (lower case, no trailing dot); "" when there are
        too many names."""
        if name not in self._addresses:
            if len(self._addresses) >= _MOST:
                return ""
            address = self._free(name)
            self._addresses[name], self._names[address] = address, name
        return self._addresses[name]

    def name(self, address: str) -> str:
        """The name that `address` was given out for, "" for none."""
        return self._names.get(address, "")

    def _free(self, name: str) -> str:
        for again in range(_MOST):
            digest = hashlib.sha256(f"{self._task}\0{name}\0{again}".encode()).digest()
            # Not the first nor the last address, which programs take for something else.
            at = 1 + int.from_bytes(digest[:8]) % (_RANGE.num_addresses - 2)
            address = str(_RANGE[at])
            if address not in self._names:
                return address
        raise AssertionError("a few thousand names do not fill 131,070 addresses")


def stands_for_a_name(address: str) -> bool:
    """Whether only a `Names` gives out such an address."""
    return ipaddress.ip_address(address) in _RANGE
