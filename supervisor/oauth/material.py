"""What a sign-in leaves to be kept secret, as one text."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from supervisor.errors import VaultLocked


@dataclass(frozen=True, slots=True, repr=False)
class SignIn:
    """The standing half of a sign-in.

    Attributes:
        refresh_token: the newest.
        client_secret: "" for a public client.
        rotates: whether the provider gives another refresh token with each refresh; None: not
            known yet.
        sent: a refresh token was sent at this time (POSIX seconds) and no answer is on record.
    """

    refresh_token: str
    client_secret: str = ""
    rotates: bool | None = None
    sent: float = 0.0

    def text(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))


def sign_in_of(name: str, text: str) -> SignIn:
    """Raises VaultLocked: `text` is not what `SignIn.text` made."""
    try:
        made = SignIn(**json.loads(text))
    except (ValueError, TypeError):
        made = None
    if made is None or not isinstance(made.refresh_token, str) or not made.refresh_token:
        raise VaultLocked(
            f"What is stored for {name} is no sign-in.",
            hint=f"Sign in again: taskpass credential signin {name}",
        )
    return made
