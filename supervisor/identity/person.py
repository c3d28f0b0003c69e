"""The person, as an OpenID provider vouched for them: kept over restarts, signed by our key.

Not the ID token is kept, which could be shown elsewhere, but what it said. Whoever changes the file
makes it worthless: then, as when it has expired, there is the account of the operating system.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from supervisor.errors import InvalidToken
from supervisor.identity.evidence import current_user
from supervisor.model import User, Verified
from supervisor.paths import replace_file
from supervisor.tokens.verify import TokenVerifier

_TYPE = "taskpass-person+jwt"


class _Key(Protocol):
    """What signs and verifies (`tokens.keys.SigningKey`)."""

    def sign(self, claims: Mapping[str, Any], *, typ: str) -> str: ...
    def jwks(self) -> dict[str, Any]: ...


class KnownPerson:
    """Who uses this supervisor.

    Args:
        path: where it is kept; 0600.
        key: the supervisor's.
        clock: POSIX seconds.
    """

    def __init__(self, path: Path, key: _Key, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._key = key
        self._clock = clock
        self._verified = self._load()

    def user(self) -> User:
        """The account of this process, and who that is where a provider still says so."""
        verified = self._verified
        good = verified is not None and self._clock() < verified.until
        return replace(current_user(), verified=verified if good else None)

    def keep(self, verified: Verified) -> None:
        """Raises ConfigError: it cannot be written; nothing has changed."""
        text = self._key.sign(asdict(verified), typ=_TYPE)
        replace_file(self._path, text.encode())
        self._verified = verified

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)
        self._verified = None

    def _load(self) -> Verified | None:
        try:
            text = self._path.read_text("ascii")
            header, payload = TokenVerifier(self._key.jwks(), "").signed(text)
            if header.get("typ") != _TYPE:
                return None
            return Verified(**json.loads(payload))
        except (OSError, ValueError, TypeError, InvalidToken):
            return None
