"""Codes and tokens of the front, in memory: random, kept as digests, each for one guest.

A restart forgets them all: the tasks that they were for have ended with it.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from supervisor.gateway.front.guests import Guest

Kind = Literal["code", "access", "refresh"]
_LIFETIMES: dict[Kind, float] = {"code": 60.0, "access": 600.0, "refresh": 8 * 3600.0}  # seconds


@dataclass(frozen=True, slots=True)
class Issued:
    """What a code or token is good for."""

    kind: Kind
    guest: Guest
    client: str
    scopes: tuple[str, ...]
    resource: str
    expires: float  # POSIX seconds
    redirect: str = ""  # of a code, as the client gave it …
    explicit: bool = True  # … or left it out
    challenge: str = ""


@dataclass(slots=True)
class Tokens:
    """All that are valid now."""

    clock: Callable[[], float] = time.time
    _issued: dict[str, Issued] = field(default_factory=dict)
    _spent: dict[str, Guest] = field(default_factory=dict)

    def issue(
        self,
        kind: Kind,
        guest: Guest,
        client: str,
        scopes: tuple[str, ...],
        resource: str,
        *,
        redirect: str = "",
        explicit: bool = True,
        challenge: str = "",
    ) -> str:
        """A new one: 256 random bits."""
        self._sweep()
        text = secrets.token_urlsafe(32)
        expires = self.clock() + _LIFETIMES[kind]
        self._issued[_digest(text)] = Issued(
            kind, guest, client, scopes, resource, expires, redirect, explicit, challenge
        )
        return text

    def find(self, kind: Kind, text: str) -> Issued | None:
        """What it is good for, None for nothing: unknown, used, too old, or its task is over."""
        issued = self._issued.get(_digest(text))
        if issued is None or issued.kind != kind or not issued.guest.live:
            return None
        return issued if issued.expires > self.clock() else None

    def use_up(self, text: str) -> bool:
        """Void one; False when somebody has done so before."""
        issued = self._issued.pop(_digest(text), None)
        if issued is not None and issued.kind != "access":
            self._spent[_digest(text)] = issued.guest
        return issued is not None

    def spent_by(self, text: str) -> Guest | None:
        """Whose code or token was used before: whoever shows it again may have stolen it."""
        return self._spent.get(_digest(text))

    def void(self, guest: Guest) -> None:
        """Void all of one guest."""
        self._issued = {d: i for d, i in self._issued.items() if i.guest is not guest}
        self._spent = {d: g for d, g in self._spent.items() if g is not guest}

    def guests(self, client: str) -> set[Guest]:
        """Those for whom a client holds a token."""
        return {issued.guest for issued in self._issued.values() if issued.client == client}

    def _sweep(self) -> None:
        now = self.clock()
        self._issued = {d: i for d, i in self._issued.items() if i.expires > now and i.guest.live}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
